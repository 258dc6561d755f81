import type { PoolClient } from 'pg';
import { newSid } from '../kernel/ids.ts';
import type { EndedSlice, MassEndingStore } from '../storage/subject-store.ts';
import type { Ending } from '../storage/user-store.ts';
import { bucketOfId, endSessions } from './chain-endings.ts';
import { END_SESSIONS, LIST_SLICE } from './chain-statements.ts';
import { LIMIT_WAITS, run, transact, type Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import { lockSubject, type BucketOf, type LockedSubject } from './subject-store.ts';

type IntentRow = {
  readonly user_id: string;
  readonly up_to_sequence: number;
  readonly spared_session_id: string | null;
  readonly reason: string;
  readonly address: string | null;
  readonly after_device_id: string;
  readonly after_sequence: number;
};

type SliceRow = {
  readonly id: string;
  readonly device_id: string;
  readonly device_sequence: number;
};

/** How long a node's claim on an intent excludes other nodes. If the node dies, another takes over after this. */
const CLAIM = "interval '15 seconds'";

const INSERT = `
  INSERT INTO holdfast.session_endings
    (bucket, id, user_id, epoch, up_to_sequence, spared_session_id, reason, address, claimed_until)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + ${CLAIM})`;
const FIND = `
  SELECT user_id, up_to_sequence, spared_session_id, reason, address, after_device_id, after_sequence
  FROM holdfast.session_endings WHERE bucket = $1 AND id = $2`;
const ADVANCE = `
  UPDATE holdfast.session_endings SET after_device_id = $3, after_sequence = $4, claimed_until = now() + ${CLAIM}
  WHERE bucket = $1 AND id = $2`;
const DELETE = 'DELETE FROM holdfast.session_endings WHERE bucket = $1 AND id = $2';
const CLAIM_DUE = `
  UPDATE holdfast.session_endings SET claimed_until = now() + ${CLAIM} WHERE (bucket, id) = (
    SELECT bucket, id FROM holdfast.session_endings WHERE claimed_until <= now()
    ORDER BY claimed_until LIMIT 1 FOR UPDATE SKIP LOCKED
  ) RETURNING id`;

/**
 * Records the intent to end sessions, in the transaction that moved the subject's epoch. @returns its id; null if none
 * ends
 */
export async function intendEndings(
  client: PoolClient,
  { bucket, sub, epoch, lastSequence }: LockedSubject,
  { sessions, reason, address }: Ending,
): Promise<string | null> {
  if (sessions === 'none') return null;
  const id = newSid(bucket);
  const spared = sessions === 'all' ? null : sessions.allBut;
  await client.query(INSERT, [bucket, id, sub, epoch, lastSequence, spared, reason, address]);
  return id;
}

/** Ends many sessions in PostgreSQL. */
export function createMassEndingStore(
  { durable }: Connections,
  bucketOf: BucketOf,
  recordEvents: RecordEvents,
): MassEndingStore {
  return {
    claimDue: async () => (await run<{ readonly id: string }>(durable, { text: CLAIM_DUE }))[0]?.id ?? null,
    endSlice: (intent, limit) =>
      transact(durable, async (client) => {
        const key = [bucketOfId(intent), intent];
        const found = (await client.query<IntentRow>(FIND, key)).rows[0];
        if (found === undefined) return { ended: [], isComplete: true };
        const subject = await lockSubject(client, bucketOf, found.user_id);
        // A locked session row must not keep the user's other requests waiting for the subject.
        await client.query(LIMIT_WAITS);
        // Another node may have advanced the intent meanwhile.
        const row = (await client.query<IntentRow>(`${FIND} FOR UPDATE`, key)).rows[0];
        if (row === undefined) return { ended: [], isComplete: true };
        return endSlice(client, { key, row, subject, limit }, recordEvents);
      }),
  };
}

type Slice = {
  readonly key: readonly unknown[];
  readonly row: IntentRow;
  readonly subject: LockedSubject;
  readonly limit: number;
};

async function endSlice(
  client: PoolClient,
  { key, row, subject: { bucket, sub }, limit }: Slice,
  recordEvents: RecordEvents,
): Promise<EndedSlice> {
  const values = [bucket, sub, row.after_device_id, row.after_sequence, row.up_to_sequence, limit];
  const { rows } = await client.query<SliceRow>(LIST_SLICE, values);
  const sids = rows.map(({ id }) => id).filter((id) => id !== row.spared_session_id);
  const cause = { reason: row.reason, address: row.address };
  const statement = { text: END_SESSIONS, values: [bucket, sub, row.reason, sids] };
  const ended = sids.length === 0 ? [] : await endSessions(client, statement, cause, recordEvents);
  const last = rows.at(-1);
  const isComplete = last === undefined || rows.length < limit;
  if (isComplete) await client.query(DELETE, [...key]);
  else await client.query(ADVANCE, [...key, last.device_id, last.device_sequence]);
  return { ended, isComplete };
}
