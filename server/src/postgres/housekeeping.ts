import type { Pool } from 'pg';
import { run } from './connections.ts';

/**
 * Expiry span that one statement deletes at most, so that a backlog exceeds no statement timeout and holds few rows.
 * With 10^8 sessions of 30 days this is 35 000 rows.
 */
const SLICE = "interval '15 minutes'";
/** Statements per table in one round: a round can catch up one hour of backlog. */
const MAX_SLICES = 4;

/**
 * Tables with an expiry and their primary keys. Rows that unauthenticated requests create are deleted as soon as they
 * expire, because nothing reads them again. Sessions come last: a distributed engine may refuse that statement, and the
 * other rows are then already deleted.
 */
const TABLES: readonly { readonly table: string; readonly key: string; readonly isRetained: boolean }[] = [
  { table: 'authorization_codes', key: 'code_hash', isRetained: true },
  { table: 'spent_challenges', key: 'challenge', isRetained: false },
  { table: 'password_attempts', key: 'bucket_key', isRetained: false },
  { table: 'familiar_networks', key: 'network_key', isRetained: false },
  { table: 'sessions', key: 'bucket, id', isRetained: true },
];

/**
 * Deletes rows after their expiry and the retention time, if the table has one. A row's absolute lifetime never moves,
 * so no deleted session could be refreshed. Locks rows in the order of their keys, as everywhere, and skips locked rows
 * until a later round, so that concurrent nodes wait neither for each other nor for a user. Finds the rows again by
 * primary key, because a `ctid` is unique only within a partition.
 *
 * @throws HoldfastServerError `unavailable`; the rest stays for the next round
 */
export async function deleteExpired(durable: Pool, retentionSeconds: number): Promise<void> {
  for (const { table, key, isRetained } of TABLES) {
    const keptSeconds = isRetained ? retentionSeconds : 0;
    for (let slices = 0; slices < MAX_SLICES; slices++) {
      const [slice] = await run<{ readonly until: string | null }>(durable, {
        text: `
          SELECT least(min(expires_at) + ${SLICE}, now() - make_interval(secs => $1::float8))::text AS until
          FROM holdfast.${table} HAVING min(expires_at) < now() - make_interval(secs => $1::float8)`,
        values: [keptSeconds],
      });
      if (slice === undefined || slice.until === null) break;
      await run(durable, {
        text: `
          WITH expired AS MATERIALIZED (
            SELECT ${key} FROM holdfast.${table} WHERE expires_at <= $1::timestamptz
            ORDER BY ${key} FOR UPDATE SKIP LOCKED
          )
          DELETE FROM holdfast.${table} WHERE (${key}) IN (SELECT ${key} FROM expired)`,
        values: [slice.until],
      });
    }
  }
}
