import type { HoldfastEvent } from './events.ts';

/** An event as the audit log keeps it. */
export type StoredEvent = HoldfastEvent & {
  /** A UUID, the same in every webhook delivery of this event. */
  readonly id: string;
};

/** Which events to list. */
export interface EventQuery {
  readonly sub?: string;
  readonly sid?: string;
  readonly type?: HoldfastEvent['type'];
  /** Only what is older than this event: the last one of the page before. */
  readonly before?: Pick<StoredEvent, 'id' | 'atMs'>;
  /** Largest number of events. Default: 100. */
  readonly limit?: number;
}

/** The audit log. Part of the {@link Store}. */
export interface EventStore {
  /** Appends events and their webhook deliveries; an event whose id is there already is left as it is. */
  readonly append: (events: readonly StoredEvent[]) => Promise<void>;
  /** Newest first. */
  readonly list: (query: EventQuery) => Promise<readonly StoredEvent[]>;
  /** Deletes events older than the retention time, and what is left of their deliveries. */
  readonly deleteExpired: (retentionSeconds: number) => Promise<void>;
}
