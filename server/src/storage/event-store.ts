import { randomUUID } from 'node:crypto';
import type { HoldfastEvent, HoldfastFact, SessionCreated } from '../kernel/events.ts';

/** An event as the audit log keeps it. */
export type StoredEvent = HoldfastEvent & {
  /** A UUID, the same in every webhook delivery of this event. */
  readonly id: string;
};

/** Adds an id to an event, and the time to a fact. */
export function toStoredEvent(event: HoldfastFact | HoldfastEvent): StoredEvent {
  return { atMs: Date.now(), ...event, id: randomUUID() };
}

/** Makes the event of a new session. */
export function toSessionCreated(
  { sid, sub, clientId, replaces }: Omit<SessionCreated, 'type' | 'address'>,
  address: string,
): SessionCreated {
  return { type: 'session.created', sid, sub, clientId, replaces, address };
}

/** Filter and page of a list of events. */
export type EventQuery = {
  readonly sub?: string;
  readonly sid?: string;
  readonly type?: HoldfastEvent['type'];
  /** Lists only older events than this one, the last of the previous page. */
  readonly before?: Pick<StoredEvent, 'id' | 'atMs'>;
  /** Largest number of events. Default: 100. */
  readonly limit?: number;
};

/** The audit log. Part of the {@link Store}. */
export type EventStore = {
  /** Appends events and their webhook deliveries. An event whose id is already stored stays as it is. */
  readonly append: (events: readonly StoredEvent[]) => Promise<void>;
  /** Lists events, newest first. */
  readonly list: (query: EventQuery) => Promise<readonly StoredEvent[]>;
  /** Deletes events older than the retention time, and their remaining deliveries. */
  readonly deleteExpired: (retentionSeconds: number) => Promise<void>;
};

/** An event on its way to one endpoint. */
export type WebhookDelivery = {
  readonly event: StoredEvent;
  /** Number of attempts, this one included. */
  readonly attempts: number;
};

/** A failed attempt: its number, and the failure in words. */
export type FailedAttempt = {
  readonly attempts: number;
  readonly failure: string;
};

/** A delivery that is not tried any more. */
export type AbandonedDelivery = {
  readonly endpoint: string;
  /** Failure of the last attempt. */
  readonly failure: string;
  readonly abandonedAtMs: number;
} & WebhookDelivery;

/** The part of a webhook endpoint that the outbox uses. */
export type Subscriber = {
  readonly id: string;
  readonly isWanted: (type: StoredEvent['type']) => boolean;
};

/** The outbox of the webhooks. Part of the {@link Store}. Its rows are written with the events. */
export type WebhookStore = {
  /**
   * Takes due deliveries and leases them to this node, so that no other node takes them. A delivery is due again if it
   * is not confirmed, postponed or abandoned before its lease ends.
   */
  readonly take: (endpoint: string, limit: number, leaseSeconds: number) => Promise<readonly WebhookDelivery[]>;
  readonly confirm: (eventId: string, endpoint: string) => Promise<void>;
  readonly postpone: (
    eventId: string,
    endpoint: string,
    attempt: FailedAttempt & { readonly delaySeconds: number },
  ) => Promise<void>;
  /** Ends the attempts. The delivery stays listed until its event's retention time is over. */
  readonly abandon: (eventId: string, endpoint: string, attempt: FailedAttempt) => Promise<void>;
  /** Lists abandoned deliveries, newest first. @param limit default: 100 */
  readonly listAbandoned: (endpoint?: string, limit?: number) => Promise<readonly AbandonedDelivery[]>;
  /** Makes every abandoned delivery of an endpoint due again. @returns their number */
  readonly revive: (endpoint: string) => Promise<number>;
};
