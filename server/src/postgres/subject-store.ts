import { createHmac } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { SubjectStore } from '../storage/subject-store.ts';
import { run, transact, type Connections } from './connections.ts';

/** Computes the bucket of a user's rows. */
export type BucketOf = (sub: string) => number;

/** Reads the key that determines buckets. A migration created it. */
export async function loadBuckets({ durable }: Connections): Promise<BucketOf> {
  const [row] = await run<{ readonly key: Buffer }>(durable, { text: 'SELECT key FROM holdfast.bucket_key' });
  if (row === undefined) throw new TypeError('the migration writes the bucket key');
  return (sub) => createHmac('sha256', row.key).update(sub).digest().readUInt8(0);
}

/** The subject's row, read under its lock. */
export type LockedSubject = {
  readonly bucket: number;
  readonly sub: string;
  readonly epoch: number;
  readonly lastSequence: number;
  /** Completed sign-ins that still count towards the rate. */
  readonly signInLevel: number;
};

type SubjectRow = {
  readonly epoch: number;
  readonly last_sequence: number;
  readonly sign_in_level: number;
};

const NEW_HANDLE = 'sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))';
const MAKE = `INSERT INTO holdfast.subjects (bucket, sub, user_handle) VALUES ($1, $2, ${NEW_HANDLE}) ON CONFLICT DO NOTHING`;
/** $3: seconds in which one sign-in leaks away. */
const LOCK = `
  SELECT epoch, last_sequence,
    greatest(0, sign_in_level - greatest(0, date_part('epoch', now() - sign_in_at)) / $3::float8) AS sign_in_level
  FROM holdfast.subjects WHERE bucket = $1 AND sub = $2 FOR NO KEY UPDATE`;
const MOVE_EPOCH = 'UPDATE holdfast.subjects SET epoch = epoch + 1 WHERE bucket = $1 AND sub = $2';
const COUNT = `
  UPDATE holdfast.subjects SET last_sequence = last_sequence + 1 WHERE bucket = $1 AND sub = $2 RETURNING last_sequence`;
const COUNT_SIGN_IN = `
  UPDATE holdfast.subjects SET last_sequence = last_sequence + 1, sign_in_level = $3, sign_in_at = now()
  WHERE bucket = $1 AND sub = $2 RETURNING last_sequence`;

/** Locks the subject's row and creates it if missing. The first step of every transaction about a user. */
export async function lockSubject(
  client: PoolClient,
  bucketOf: BucketOf,
  sub: string,
  signInIntervalSeconds = 1,
): Promise<LockedSubject> {
  const bucket = bucketOf(sub);
  const values = [bucket, sub, signInIntervalSeconds];
  const lock = async (): Promise<SubjectRow | undefined> => (await client.query<SubjectRow>(LOCK, values)).rows[0];
  let row = await lock();
  if (row === undefined) {
    await client.query(MAKE, [bucket, sub]);
    row = await lock();
  }
  if (row === undefined) throw new TypeError('a subject that was made is there');
  return { bucket, sub, epoch: row.epoch, lastSequence: row.last_sequence, signInLevel: row.sign_in_level };
}

/** Voids every sign-in under way. @returns the subject in its new epoch */
export async function moveEpoch(client: PoolClient, subject: LockedSubject): Promise<LockedSubject> {
  await client.query(MOVE_EPOCH, [subject.bucket, subject.sub]);
  return { ...subject, epoch: subject.epoch + 1 };
}

/** @returns the next number of the subject's counter, for a sign-out */
export async function nextSequence(client: PoolClient, { bucket, sub }: LockedSubject): Promise<number> {
  return readSequence((await client.query<SubjectRow>(COUNT, [bucket, sub])).rows);
}

/** Counts a completed sign-in. @returns its session's sequence */
export async function nextSignIn(client: PoolClient, { bucket, sub, signInLevel }: LockedSubject): Promise<number> {
  return readSequence((await client.query<SubjectRow>(COUNT_SIGN_IN, [bucket, sub, signInLevel + 1])).rows);
}

function readSequence([row]: readonly SubjectRow[]): number {
  if (row === undefined) throw new TypeError('a locked subject is there');
  return row.last_sequence;
}

/** Subjects in PostgreSQL. */
export function createSubjectStore({ durable }: Connections, bucketOf: BucketOf): SubjectStore {
  return {
    epochOf: async (sub) => {
      const text = 'SELECT epoch FROM holdfast.subjects WHERE bucket = $1 AND sub = $2';
      const [row] = await run<Pick<SubjectRow, 'epoch'>>(durable, { text, values: [bucketOf(sub), sub] });
      return row?.epoch ?? 0;
    },
    userHandleOf: (sub) =>
      transact(durable, async (client) => {
        const values = [bucketOf(sub), sub];
        await client.query(MAKE, values);
        const text = 'SELECT user_handle FROM holdfast.subjects WHERE bucket = $1 AND sub = $2';
        const [row] = (await client.query<{ readonly user_handle: Buffer }>(text, values)).rows;
        if (row === undefined) throw new TypeError('a subject that was made is there');
        return row.user_handle;
      }),
  };
}
