import { randomUUID } from 'node:crypto';
import type { HoldfastEvent, HoldfastFact, SessionCreated } from '../kernel/events.ts';

/** An event as the audit log keeps it. */
export type StoredEvent = HoldfastEvent & {
  /** A UUID, the same in every webhook delivery of this event. */
  readonly id: string;
};

/** Gives an event its id. A fact also gets the time. */
export function toStoredEvent(event: HoldfastFact | HoldfastEvent): StoredEvent {
  return { atMs: Date.now(), ...event, id: randomUUID() };
}

/** The fact that a session was created. */
export function toSessionCreated(
  { sid, sub, clientId, replaces }: Omit<SessionCreated, 'type' | 'address'>,
  address: string,
): SessionCreated {
  return { type: 'session.created', sid, sub, clientId, replaces, address };
}

/** Which events to list. */
export type EventQuery = {
  readonly sub?: string;
  readonly sid?: string;
  readonly type?: HoldfastEvent['type'];
  /** Only what is older than this event: the last one of the page before. */
  readonly before?: Pick<StoredEvent, 'id' | 'atMs'>;
  /** Largest number of events. Default: 100. */
  readonly limit?: number;
};

/** The audit log. Part of the {@link Store}. */
export type EventStore = {
  /** Appends events and their webhook deliveries; an event whose id is there already is left as it is. */
  readonly append: (events: readonly StoredEvent[]) => Promise<void>;
  /** Newest first. */
  readonly list: (query: EventQuery) => Promise<readonly StoredEvent[]>;
  /** Deletes events older than the retention time, and what is left of their deliveries. */
  readonly deleteExpired: (retentionSeconds: number) => Promise<void>;
};

/** An event on its way to one endpoint. */
export type Delivery = {
  readonly event: StoredEvent;
  /** How often it was tried, this time included. */
  readonly attempts: number;
};

/** What went wrong with the attempt of this number. */
export type FailedAttempt = {
  readonly attempts: number;
  readonly failure: string;
};

/** An event that an endpoint did not get. */
export type AbandonedDelivery = {
  readonly endpoint: string;
  /** What went wrong the last time. */
  readonly failure: string;
  readonly abandonedAtMs: number;
} & Delivery;

/** A webhook endpoint, as far as the outbox knows it. */
export type Subscriber = {
  readonly id: string;
  readonly isWanted: (type: StoredEvent['type']) => boolean;
};

/** The outbox of the webhooks. Part of the {@link Store}; rows come with the events that are recorded. */
export type WebhookStore = {
  /**
   * Takes deliveries that are due. Of several nodes each gets different ones, and has them to itself for the lease; what is
   * neither confirmed nor postponed by then is due again.
   */
  readonly take: (endpoint: string, limit: number, leaseSeconds: number) => Promise<readonly Delivery[]>;
  readonly confirm: (eventId: string, endpoint: string) => Promise<void>;
  readonly postpone: (
    eventId: string,
    endpoint: string,
    attempt: FailedAttempt & { readonly delaySeconds: number },
  ) => Promise<void>;
  /** Tries no more. The delivery stays to be looked at until its event's retention time is over. */
  readonly abandon: (eventId: string, endpoint: string, attempt: FailedAttempt) => Promise<void>;
  /** Newest first. @param limit default: 100 */
  readonly listAbandoned: (endpoint?: string, limit?: number) => Promise<readonly AbandonedDelivery[]>;
  /** Makes every abandoned delivery of an endpoint due again. @returns how many */
  readonly revive: (endpoint: string) => Promise<number>;
};
