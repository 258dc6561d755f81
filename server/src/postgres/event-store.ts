import type { PoolClient } from 'pg';
import { isUuid } from '../kernel/ids.ts';
import type { EventStore, StoredEvent, Subscriber } from '../storage/event-store.ts';
import { run, transact, type Connections } from './connections.ts';

/** Records events and their webhook deliveries in the caller's transaction. */
export type RecordEvents = (client: PoolClient, events: readonly StoredEvent[]) => Promise<void>;

/** @param subscribers endpoints that get an outbox row for each event that they want */
export function createEventRecorder(subscribers: readonly Subscriber[]): RecordEvents {
  return async (client, events) => {
    if (events.length === 0) return;
    await client.query({
      text: `
        INSERT INTO holdfast.events (id, at, type, user_id, session_id, client_id, address, fact)
        SELECT id, to_timestamp(at_ms / 1000), type, user_id, session_id, client_id, address, fact
        FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[])
          AS e (id, at_ms, type, user_id, session_id, client_id, address, fact)
        ON CONFLICT (id) DO NOTHING`,
      values: columnsOf(events),
    });
    const deliveries = subscribers.flatMap(({ id: endpoint, isWanted }) =>
      // A subscriber of an event type also gets the summary of events that were counted instead of stored.
      events
        .filter((event) => isWanted(event.type) || (event.type === 'events.counted' && isWanted(event.counted)))
        .map(({ id }) => ({ id, endpoint })),
    );
    if (deliveries.length === 0) return;
    await client.query({
      text: `
        INSERT INTO holdfast.webhook_deliveries (event_id, endpoint, due_at)
        SELECT event_id, endpoint, now() FROM unnest($1::uuid[], $2::text[]) AS d (event_id, endpoint)
        ON CONFLICT (event_id, endpoint) DO NOTHING`,
      values: [deliveries.map(({ id }) => id), deliveries.map(({ endpoint }) => endpoint)],
    });
  };
}

function columnsOf(events: readonly StoredEvent[]): unknown[] {
  return [
    events.map(({ id }) => id),
    events.map(({ atMs }) => atMs),
    events.map(({ type }) => type),
    events.map((event) => readText(event, 'sub')),
    events.map((event) => readUuid(event, 'sid')),
    events.map((event) => readText(event, 'clientId')),
    events.map((event) => readText(event, 'address')),
    events.map(({ id: _id, ...event }) => JSON.stringify(event)),
  ];
}

/** Reads a column that events of several types share. */
function readText(event: object, name: 'sub' | 'sid' | 'clientId' | 'address'): string | null {
  const value = (event as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : null;
}

function readUuid(event: object, name: 'sid'): string | null {
  const value = readText(event, name);
  return value !== null && isUuid(value) ? value : null;
}

type EventRow = {
  readonly id: string;
  readonly fact: Omit<StoredEvent, 'id'>;
};

const DEFAULT_LIMIT = 100;

/** The audit log in PostgreSQL. */
export function createEventStore({ durable }: Connections, recordEvents: RecordEvents): EventStore {
  return {
    append: (events) => transact(durable, (client) => recordEvents(client, events)),
    list: async ({ sub, sid, type, before, limit = DEFAULT_LIMIT }) => {
      const rows = await run<EventRow>(durable, {
        text: `
          SELECT id, fact FROM holdfast.events
          WHERE ($1::text IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR session_id = $2)
            AND ($3::text IS NULL OR type = $3)
            AND ($4::float8 IS NULL OR (at, id) < (to_timestamp($4::float8 / 1000), $5::uuid))
          ORDER BY at DESC, id DESC LIMIT $6`,
        values: [sub ?? null, sid ?? null, type ?? null, before?.atMs ?? null, before?.id ?? null, limit],
      });
      return rows.map(({ id, fact }) => ({ ...fact, id }) as StoredEvent);
    },
    deleteExpired: async (retentionSeconds) => {
      for (let slices = 0; slices < MAX_SLICES; slices++) {
        const [row] = await run<{ readonly deleted: number }>(durable, {
          text: DELETE_EXPIRED,
          values: [retentionSeconds, SLICE],
        });
        if (row === undefined || row.deleted < SLICE) return;
      }
    },
  };
}

/** Maximum number of events that one statement deletes; maximum number of statements in one round. */
const SLICE = 5_000;
const MAX_SLICES = 20;

const DELETE_EXPIRED = `
  WITH expired AS (
    DELETE FROM holdfast.events WHERE id IN (
      SELECT id FROM holdfast.events WHERE at < now() - make_interval(secs => $1::float8)
      ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING id
  ), held AS MATERIALIZED (
    SELECT event_id, endpoint FROM holdfast.webhook_deliveries WHERE event_id IN (SELECT id FROM expired)
    ORDER BY event_id, endpoint FOR UPDATE
  ), undelivered AS (
    DELETE FROM holdfast.webhook_deliveries WHERE (event_id, endpoint) IN (SELECT event_id, endpoint FROM held)
  )
  SELECT count(*)::int4 AS deleted FROM expired`;
