import type { AbandonedDelivery, StoredEvent, WebhookStore } from '../storage/event-store.ts';
import { run, type Connections } from './connections.ts';

/**
 * Takes due deliveries. Concurrent nodes do not wait for each other. A taken delivery is skipped until its lease ends.
 */
const TAKE = `
  WITH due AS (
    SELECT event_id, endpoint FROM holdfast.webhook_deliveries
    WHERE endpoint = $1 AND dead_at IS NULL AND due_at <= now()
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE holdfast.webhook_deliveries AS d
    SET attempts = d.attempts + 1, due_at = now() + make_interval(secs => $3::float8)
    FROM due WHERE d.event_id = due.event_id AND d.endpoint = due.endpoint
    RETURNING d.event_id, d.attempts
  )
  SELECT e.id, e.fact, t.attempts FROM taken AS t JOIN holdfast.events AS e ON e.id = t.event_id`;

const CONFIRM = 'DELETE FROM holdfast.webhook_deliveries WHERE event_id = $1 AND endpoint = $2';

/** Only the node that took a delivery last may postpone or abandon it. */
const IS_OURS = 'event_id = $1 AND endpoint = $2 AND attempts = $3';

const POSTPONE = `
  UPDATE holdfast.webhook_deliveries
  SET last_failure = $4, due_at = now() + make_interval(secs => $5::float8) WHERE ${IS_OURS}`;

const ABANDON = `UPDATE holdfast.webhook_deliveries SET last_failure = $4, dead_at = now() WHERE ${IS_OURS}`;

const LIST_ABANDONED = `
  SELECT e.id, e.fact, d.endpoint, d.attempts, d.last_failure,
    (extract(epoch FROM d.dead_at) * 1000)::float8 AS dead_at_ms
  FROM holdfast.webhook_deliveries AS d JOIN holdfast.events AS e ON e.id = d.event_id
  WHERE d.dead_at IS NOT NULL AND ($1::text IS NULL OR d.endpoint = $1) ORDER BY d.dead_at DESC LIMIT $2`;

/** Locks rows in the order of their keys, as deletions do. */
const REVIVE = `
  WITH dead AS MATERIALIZED (
    SELECT event_id, endpoint FROM holdfast.webhook_deliveries WHERE endpoint = $1 AND dead_at IS NOT NULL
    ORDER BY event_id, endpoint FOR UPDATE
  )
  UPDATE holdfast.webhook_deliveries SET dead_at = NULL, attempts = 0, due_at = now()
  WHERE (event_id, endpoint) IN (SELECT event_id, endpoint FROM dead) RETURNING event_id`;

type EventRow = {
  readonly id: string;
  readonly fact: Omit<StoredEvent, 'id'>;
};

type TakenRow = {
  readonly attempts: number;
} & EventRow;

type AbandonedRow = {
  readonly endpoint: string;
  readonly last_failure: string;
  readonly dead_at_ms: number;
} & TakenRow;

/** The outbox in PostgreSQL. */
export function createWebhookStore({ durable }: Connections): WebhookStore {
  return {
    take: async (endpoint, limit, leaseSeconds) => {
      const rows = await run<TakenRow>(durable, { text: TAKE, values: [endpoint, limit, leaseSeconds] });
      return rows.map((row) => ({ event: toEvent(row), attempts: row.attempts }));
    },
    confirm: async (eventId, endpoint) => {
      await run(durable, { text: CONFIRM, values: [eventId, endpoint] });
    },
    postpone: async (eventId, endpoint, { attempts, failure, delaySeconds }) => {
      await run(durable, { text: POSTPONE, values: [eventId, endpoint, attempts, failure, delaySeconds] });
    },
    abandon: async (eventId, endpoint, { attempts, failure }) => {
      await run(durable, { text: ABANDON, values: [eventId, endpoint, attempts, failure] });
    },
    listAbandoned: async (endpoint, limit = 100) => {
      const rows = await run<AbandonedRow>(durable, { text: LIST_ABANDONED, values: [endpoint ?? null, limit] });
      return rows.map(toAbandoned);
    },
    revive: async (endpoint) => (await run(durable, { text: REVIVE, values: [endpoint] })).length,
  };
}

function toEvent({ id, fact }: EventRow): StoredEvent {
  return { ...fact, id } as StoredEvent;
}

function toAbandoned(row: AbandonedRow): AbandonedDelivery {
  return {
    event: toEvent(row),
    endpoint: row.endpoint,
    attempts: row.attempts,
    failure: row.last_failure,
    abandonedAtMs: row.dead_at_ms,
  };
}
