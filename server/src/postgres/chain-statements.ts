import { ENDED, IS_LIVE, NOW } from './session-statements.ts';

/**
 * The statements of device chains. All of them run under the subject's lock. Statements that end sessions lock them in
 * order of id.
 *
 * $1 bucket, $2 user, $3 reason, further parameters as the condition says.
 */
const ending = (condition: string): string => `
WITH locked AS MATERIALIZED (
  SELECT s.bucket, s.id FROM holdfast.sessions AS s
  WHERE s.bucket = $1 AND s.user_id = $2 AND ${IS_LIVE} AND ${condition}
  ORDER BY s.id FOR NO KEY UPDATE
)
UPDATE holdfast.sessions AS s SET revoked_at = ${NOW}, revoked_reason = $3::text
FROM locked AS l WHERE s.bucket = l.bucket AND s.id = l.id RETURNING ${ENDED}`;

/** $4 sessions. */
export const END_SESSIONS = ending('s.id = ANY ($4::uuid[])');
/** $4 chains. */
export const END_CHAINS = ending('s.device_id = ANY ($4::uuid[])');
/** $4 chain, $5 sequence. */
export const END_SMALLER = ending('s.device_id = $4::uuid AND s.device_sequence < $5::int4');
/**
 * $4 chain, $5 sequence, $6 the session that is signed out of. A sign-out also ends larger sequences that were never
 * used, and every sequence below the largest that it ends. A repeated sign-out ends no session that began after the
 * first one.
 */
export const END_SIGNED_OUT = ending(`s.device_id = $4::uuid AND s.device_sequence <= greatest($5::int4, (
  SELECT max(s.device_sequence) FROM holdfast.sessions AS s
  WHERE s.bucket = $1 AND s.user_id = $2 AND s.device_id = $4::uuid AND ${IS_LIVE} AND s.last_used_at IS NULL
    AND s.device_sequence < coalesce(
      (SELECT m.signed_out_sequence FROM holdfast.sessions AS m WHERE m.bucket = $1 AND m.id = $6::uuid), 2147483647)))`);

/** $3 chains, $4 sessions: locks all that are not revoked, in order of id, before any of them changes. */
export const LOCK_SESSIONS = `
SELECT s.id FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.revoked_at IS NULL
  AND (s.device_id = ANY ($3::uuid[]) OR s.id = ANY ($4::uuid[]))
ORDER BY s.id FOR NO KEY UPDATE`;

/** $3 chain, $4 sequence: locks the session and its predecessors in order of id. */
export const LOCK_PREDECESSORS = `
SELECT s.id FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.device_id = $3 AND s.device_sequence <= $4 AND s.revoked_at IS NULL
ORDER BY s.id FOR NO KEY UPDATE`;

/** Clears the flag of a live session before its predecessors are ended. */
export const CLEAR_PREDECESSORS = `
UPDATE holdfast.sessions AS s SET has_predecessors = false
WHERE s.bucket = $1 AND s.id = $2 AND ${IS_LIVE} AND s.has_predecessors RETURNING s.id`;

/** Notes the use of a session whose exchange names it and brings its refresh token. */
export const NOTE_USE = `
UPDATE holdfast.sessions AS s SET has_predecessors = false, last_used_at = ${NOW}
WHERE s.bucket = $1 AND s.id = $2 AND ${IS_LIVE} RETURNING s.id`;

/** Labels every live session of the chain $4 with $5, if session $3 is one of them. */
export const LABEL = `
WITH locked AS MATERIALIZED (
  SELECT s.bucket, s.id FROM holdfast.sessions AS s
  WHERE s.bucket = $1 AND s.user_id = $2 AND s.device_id = $4::uuid AND ${IS_LIVE}
  ORDER BY s.id FOR NO KEY UPDATE
)
UPDATE holdfast.sessions AS s SET device_label = $5::text
FROM locked AS l
WHERE s.bucket = l.bucket AND s.id = l.id AND EXISTS (SELECT 1 FROM locked AS n WHERE n.id = $3::uuid)
RETURNING s.id`;

/** $3 sequence of the sign-out; $4 true to overwrite an earlier sign-out of the session. */
export const NOTE_SIGN_OUT = `
UPDATE holdfast.sessions AS s SET signed_out_sequence = $3
WHERE s.bucket = $1 AND s.id = $2 AND ($4::boolean OR s.signed_out_sequence IS NULL)`;

/** $3 chain, $4 sequence when the code was issued. */
export const WAS_SIGNED_OUT = `
SELECT 1 FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.signed_out_sequence > $4 AND s.device_id = $3 LIMIT 1`;

/** $3 client, $4 the sessions that an exchange names or brings refresh tokens of. */
export const FIND_KIN = `
SELECT s.id, s.device_id, s.device_sequence, s.device_label, s.last_used_at, s.acr, ${IS_LIVE} AS is_live
FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.id = ANY ($4::uuid[]) AND s.user_id = $2 AND s.client_id = $3`;

/** $3 client, $4 hash of the device secret, $5 the preferred chain: a secret may be in several chains. */
export const FIND_BY_SECRET = `
SELECT s.device_id, s.device_label FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.client_id = $3 AND s.device_secret_hash = $4
ORDER BY (s.device_id = $5::uuid) DESC NULLS LAST, s.device_sequence DESC LIMIT 1`;

/** $3 chain: its live sessions, in the order in which they are ended. */
export const LIST_CHAIN = `
SELECT s.id, s.device_label FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.device_id = $3 AND ${IS_LIVE}
ORDER BY (s.last_used_at IS NOT NULL), s.device_sequence`;

/**
 * Chooses the chains beyond the limit, in the order in which they are ended: chains that are older than 15 minutes and
 * were never used, oldest first; then lower `acr`; then least recently used. Never chooses a chain with a higher `acr`
 * than the sign-in.
 *
 * $3 `acr` of the sign-in, $4 maximum number of chains, $5 maximum number of chains that one sign-in ends.
 */
export const CHOOSE_EVICTED = `
WITH chains AS (
  SELECT s.device_id, max(s.acr COLLATE "C") AS acr, max(s.last_used_at) AS used_at, max(s.created_at) AS made_at,
    max(s.device_sequence) AS sequence
  FROM holdfast.sessions AS s WHERE s.bucket = $1 AND s.user_id = $2 AND ${IS_LIVE} GROUP BY s.device_id
), excess AS (
  SELECT least(greatest(count(*) - $4::int8 + 1, 0), $5::int8) AS count FROM chains
)
SELECT (SELECT count FROM excess)::int4 AS excess, ARRAY(
  SELECT c.device_id::text FROM chains AS c WHERE c.acr <= $3::text COLLATE "C"
  ORDER BY
    CASE WHEN c.used_at IS NULL AND c.made_at <= ${NOW} - interval '15 minutes' THEN c.sequence END NULLS LAST,
    c.acr, coalesce(c.used_at, c.made_at), c.sequence
  LIMIT (SELECT count FROM excess)
) AS evicted`;

/** $3 and $4 end of the previous slice, $5 the last sequence to end, $6 maximum number of rows. */
export const LIST_SLICE = `
SELECT s.id, s.device_id, s.device_sequence FROM holdfast.sessions AS s
WHERE s.bucket = $1 AND s.user_id = $2 AND s.revoked_at IS NULL
  AND (s.device_id, s.device_sequence) > ($3::uuid, $4::int4) AND s.device_sequence <= $5::int4
ORDER BY s.device_id, s.device_sequence LIMIT $6`;
