import type { ReadRevoked } from '../storage/revocation-reading.ts';
import { run, type Connections } from './connections.ts';

/**
 * Reads ended sessions. PostgreSQL takes `now()` before the statement's snapshot, and `clock_timestamp()` after it. The
 * result has all commits before the first, and all its commits come before the second.
 */
const READ_REVOKED = `
  SELECT (extract(epoch FROM now()) * 1000000)::float8 AS started_micros,
    (extract(epoch FROM clock_timestamp()) * 1000000)::float8 AS seen_micros,
    coalesce(json_agg(json_build_array(r.id, r.revoked_at_ms) ORDER BY r.revoked_at_ms, r.id)
      FILTER (WHERE r.id IS NOT NULL), '[]') AS sessions
  FROM (
    SELECT s.id, (extract(epoch FROM s.revoked_at) * 1000)::float8 AS revoked_at_ms
    FROM holdfast.sessions AS s
    WHERE s.revoked_at IS NOT NULL
      AND s.revoked_at > greatest(to_timestamp($1::float8 / 1000000), now() - make_interval(secs => $2::float8))
  ) AS r`;

type ReadingRow = {
  readonly started_micros: number;
  readonly seen_micros: number;
  readonly sessions: readonly (readonly [string, number])[];
};

/** Reads ended sessions for the revocation feed, from the primary. */
export function createRevocationReading({ durable }: Connections): ReadRevoked {
  return async (afterMicros, windowSeconds) => {
    const [row] = await run<ReadingRow>(durable, { text: READ_REVOKED, values: [afterMicros, windowSeconds] });
    if (row === undefined) throw new TypeError('an aggregate without GROUP BY has one row');
    return {
      startedMicros: Math.floor(row.started_micros),
      seenMicros: Math.ceil(row.seen_micros),
      sessions: row.sessions.map(([sid, revokedAtMs]) => ({ sid, revokedAtMs })),
    };
  };
}
