import type { Pool } from 'pg';
import { run } from './connections.ts';

/**
 * How much of the past one statement deletes at most, so that a long backlog neither runs into the statement's time limit nor
 * holds many rows. At 10^8 sessions of 30 days this is 35 000 rows.
 */
const SLICE = "interval '15 minutes'";
/** Statements in one round: enough to catch up an hour's backlog a minute. */
const MAX_SLICES = 4;

/**
 * Tables with their own expiry and their primary keys. What strangers fill goes as soon as it has expired: nobody asks for it
 * again. Sessions come last: an engine that distributes them may refuse the statement, and the other rows go all the same.
 */
const TABLES: readonly { readonly table: string; readonly key: string; readonly isRetained: boolean }[] = [
  { table: 'authorization_codes', key: 'code_hash', isRetained: true },
  { table: 'spent_challenges', key: 'challenge', isRetained: false },
  { table: 'password_attempts', key: 'bucket_key', isRetained: false },
  { table: 'familiar_networks', key: 'network_key', isRetained: false },
  { table: 'sessions', key: 'bucket, id', isRetained: true },
];

/**
 * Deletes rows that expired longer than the retention ago, or at all where nothing is retained. A row's absolute lifetime never
 * moves, so nothing that is deleted could ever be refreshed. Rows are locked in the order of their keys, as everywhere, and those
 * that another transaction holds are left to a later round: nodes that do this at once neither wait for each other nor for a user.
 * Rows are found again by their primary key: a `ctid` names a row of each partition.
 *
 * @throws HoldfastError `unavailable`; the rest stays for the next round
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
