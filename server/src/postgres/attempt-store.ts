import type { AttemptStore } from '../storage/user-store.ts';
import { run, transact, type Connections } from './connections.ts';

type BucketRow = {
  readonly bucket_key: Buffer;
  readonly blocked_ms: number;
};

/** Reads without writing: a blocked attempt must not create a row for each username that is tried. */
const BLOCKED = `
  SELECT coalesce(max(extract(epoch FROM blocked_until - clock_timestamp()) * 1000), 0)::float8 AS blocked_ms
  FROM holdfast.password_attempts WHERE bucket_key = ANY ($1::bytea[])`;

/**
 * Deletes the rows of an attempt that was blocked while it waited for the lock. A bucket at level 0 equals no bucket.
 */
const CLEAN = 'DELETE FROM holdfast.password_attempts WHERE bucket_key = ANY ($1::bytea[]) AND level = 0';

/** The clock, not the transaction's start: an attempt that waited for a row must see the time that passed. */
const CLOCK = 'clock_timestamp()';

/** Creates missing rows and locks all of them, in the same order on every node. */
const LOCK = `
  INSERT INTO holdfast.password_attempts AS a (bucket_key, level, updated_at, blocked_until, expires_at)
  SELECT k, 0, ${CLOCK}, ${CLOCK}, ${CLOCK} FROM unnest($1::bytea[]) AS k ORDER BY k
  ON CONFLICT (bucket_key) DO UPDATE SET expires_at = a.expires_at
  RETURNING a.bucket_key, (extract(epoch FROM a.blocked_until - ${CLOCK}) * 1000)::float8 AS blocked_ms`;

/**
 * Counts one attempt. Rounds the level, because a bucket leaks continuously: three attempts within a minute must count
 * as three, not slightly less.
 *
 * $2 allowance and $3 leak of each bucket, $4 first and $5 longest delay; all delays and leaks in seconds.
 */
const COUNT = `
  UPDATE holdfast.password_attempts AS a
  SET level = n.level, updated_at = ${CLOCK},
    blocked_until = ${CLOCK} + CASE WHEN round(n.level) < c.allowance THEN interval '0'
      ELSE make_interval(secs => least($5, $4 * power(2, least(round(n.level) - c.allowance, 32)))) END,
    expires_at = ${CLOCK} + make_interval(secs => n.level * c.leak_seconds + $5)
  FROM unnest($1::bytea[], $2::float8[], $3::float8[]) AS c (bucket_key, allowance, leak_seconds)
  CROSS JOIN LATERAL (
    SELECT 1 + greatest(0, o.level - extract(epoch FROM ${CLOCK} - o.updated_at)::float8 / c.leak_seconds) AS level
    FROM holdfast.password_attempts AS o WHERE o.bucket_key = c.bucket_key
  ) AS n
  WHERE a.bucket_key = c.bucket_key`;

/** Locks buckets in the order of {@link LOCK}. */
const LOCKED = `
  WITH locked AS MATERIALIZED (
    SELECT bucket_key FROM holdfast.password_attempts WHERE bucket_key = ANY ($1::bytea[]) ORDER BY bucket_key FOR UPDATE
  )`;

const GIVE_BACK = `${LOCKED}
  UPDATE holdfast.password_attempts SET level = greatest(0, level - 1), blocked_until = ${CLOCK}
  WHERE bucket_key IN (SELECT bucket_key FROM locked)`;

const EMPTY = `${LOCKED}
  DELETE FROM holdfast.password_attempts WHERE bucket_key IN (SELECT bucket_key FROM locked)`;

const IS_FAMILIAR = 'SELECT 1 FROM holdfast.familiar_networks WHERE network_key = $1 AND expires_at > now()';

/**
 * Remembers a network. $3 seconds; renews at most once a day, so that not every sign-in writes. Returns a row only if
 * it wrote, which tells if the account now exceeds its $4 networks. Concurrent sign-ins may miss each other's count;
 * the account's next new network deletes the surplus.
 */
const REMEMBER = `
  INSERT INTO holdfast.familiar_networks AS f (network_key, account_key, expires_at)
  VALUES ($1, $2, now() + make_interval(secs => $3))
  ON CONFLICT (network_key) DO UPDATE SET expires_at = excluded.expires_at, account_key = excluded.account_key
    WHERE f.expires_at < excluded.expires_at - interval '1 day' OR f.account_key IS NULL
  RETURNING (
    SELECT count(*) FROM holdfast.familiar_networks AS o WHERE o.account_key = $2 AND o.network_key <> $1
  ) >= $4 AS is_over_limit`;

/**
 * Deletes all but the newest $2 networks of an account. Skips a locked row: another transaction deletes or renews it.
 */
const FORGET_OLDEST = `
  WITH surplus AS MATERIALIZED (
    SELECT network_key FROM holdfast.familiar_networks WHERE network_key = ANY (ARRAY(
      SELECT network_key FROM holdfast.familiar_networks WHERE account_key = $1
      ORDER BY expires_at DESC, network_key OFFSET $2
    )) ORDER BY network_key FOR UPDATE SKIP LOCKED
  )
  DELETE FROM holdfast.familiar_networks WHERE network_key IN (SELECT network_key FROM surplus)`;

/** Counts password attempts in PostgreSQL, so that the limits hold across nodes. */
export function createAttemptStore({ durable }: Connections): AttemptStore {
  return {
    take: async (buckets, { firstDelaySeconds, maximumDelaySeconds }) => {
      const keys = buckets.map(({ key }) => key);
      const [seen] = await run<Pick<BucketRow, 'blocked_ms'>>(durable, { text: BLOCKED, values: [keys] });
      if (seen !== undefined && seen.blocked_ms > 0) return seen.blocked_ms;
      return transact(durable, async (client) => {
        const { rows } = await client.query<BucketRow>(LOCK, [keys]);
        const blockedMs = Math.max(0, ...rows.map((row) => row.blocked_ms));
        if (blockedMs > 0) {
          await client.query(CLEAN, [keys]);
          return blockedMs;
        }
        await client.query(COUNT, [
          keys,
          buckets.map(({ allowance }) => allowance),
          buckets.map(({ leakSeconds }) => leakSeconds),
          firstDelaySeconds,
          maximumDelaySeconds,
        ]);
        return 0;
      });
    },
    isFamiliar: async (networkKey) => (await run(durable, { text: IS_FAMILIAR, values: [networkKey] })).length > 0,
    forgive: async ({ returned, emptied, network }) => {
      if (returned.length > 0) await run(durable, { text: GIVE_BACK, values: [returned] });
      await run(durable, { text: EMPTY, values: [emptied] });
      if (network === null) return;
      const { networkKey, accountKey, familiarSeconds, limit } = network;
      const [written] = await run<{ readonly is_over_limit: boolean }>(durable, {
        text: REMEMBER,
        values: [networkKey, accountKey, familiarSeconds, limit],
      });
      if (written?.is_over_limit === true) await run(durable, { text: FORGET_OLDEST, values: [accountKey, limit] });
    },
  };
}
