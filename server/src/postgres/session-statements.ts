/**
 * The statements of the session store. Rows are addressed by primary key `(bucket, id)`, and a rotation changes columns
 * without an index only, so PostgreSQL updates them in place (HOT).
 *
 * Columns and clock are whole milliseconds (`timestamptz(3)`), so that the conditions here and `decide` see the same numbers.
 */

/** The database's clock. */
const NOW = 'now()::timestamptz(3)';

/** Whole ones, which a double holds exactly. `extract` would reckon in `numeric`, which takes several times as long. */
const milliseconds = (time: string): string => `round(date_part('epoch', ${time}) * 1000)`;

/** What a `SessionRow` holds; `s` is the session. */
export const RECORD = `
  s.id, s.user_id, s.client_id, s.scope, s.amr, s.acr, s.generation, s.rotated_by, s.replays, s.revoked_reason,
  s.dpop_jkt, s.replaces,
  ${milliseconds('s.auth_time')} AS auth_time_ms, ${milliseconds('s.delivered_at')} AS delivered_at_ms,
  ${milliseconds('s.idle_expires_at')} AS idle_expires_at_ms, ${milliseconds('s.expires_at')} AS expires_at_ms,
  ${milliseconds(NOW)} AS now_ms`;

/** The secret that a session's seed gives for a generation and a nonce; protocol section 1. */
const secretOf = (generation: string, nonce: string): string =>
  `substring(sha256(s.seed || int4send(${generation}) || ${nonce}) FROM 1 FOR 16)`;

const slidIdleExpiry = (isUserActive: string, timeoutSeconds: string): string =>
  `CASE WHEN ${isUserActive} THEN least(${NOW} + make_interval(secs => ${timeoutSeconds}), s.expires_at) ELSE s.idle_expires_at END`;

/** Row 1 of the decision, from the living side. */
const IS_LIVE = `s.revoked_at IS NULL AND s.expires_at > ${NOW} AND s.idle_expires_at > ${NOW}`;

/**
 * `s` is the session of the copy `c`. Arrays of one element, because a plain equality tells the planner about an order, and
 * where it believes in one row at most it then walks the whole index for the sake of that order.
 */
const IS_SESSION_OF_COPY = 's.bucket = ANY (ARRAY[c.bucket]) AND s.id = ANY (ARRAY[c.id])';

/**
 * Rows 1 to 4 of the decision as one condition: whatever does not match is read and decided. Each candidate is one element
 * of every array, and candidates come sorted by id.
 *
 * All conditions but the key are inside one CASE on purpose: the planner can then neither use an index for them nor guess
 * that hardly any row fulfils them. On a young table without statistics it would otherwise walk all sessions and join them
 * with the batch, which took seconds.
 *
 * $13 rotation interval in seconds.
 */
export const ROTATE = `
UPDATE holdfast.sessions AS s
SET generation = s.generation + 1, rotated_by = c.nonce, delivered_at = ${NOW}, replays = 0,
  idle_expires_at = ${slidIdleExpiry('c.is_user_active', 'c.inactivity_timeout_seconds')},
  last_address = c.address, last_user_agent = c.user_agent
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::boolean[],
    $9::bytea[], $10::text[], $11::text[], $12::int4[])
  AS c (bucket, id, generation, nonce, secret, client_id, scope, is_user_active, next_nonce, address, user_agent,
    inactivity_timeout_seconds)
WHERE ${IS_SESSION_OF_COPY} AND CASE WHEN s.id = c.id THEN
  ${IS_LIVE}
  AND s.client_id = c.client_id
  AND (c.scope IS NULL OR string_to_array(s.scope, ' ') @> string_to_array(c.scope, ' '))
  AND s.dpop_jkt IS NULL
  AND s.generation = c.generation AND s.generation < 2147483647
  AND NOT (s.replays = 0 AND s.delivered_at > ${NOW} - make_interval(secs => $13::float8)
    AND s.delivered_at < ${NOW} + make_interval(secs => $13::float8))
  AND ${secretOf('s.generation', 'c.nonce')} = c.secret
END
RETURNING ${RECORD}, ${secretOf('s.generation', 'c.next_nonce')} AS secret`;

export const READ = `
SELECT c.position::int4 AS position, ${RECORD}, ${secretOf('c.generation', 'c.nonce')} = c.secret AS is_secret_genuine
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::bytea[], $5::bytea[])
  WITH ORDINALITY AS c (bucket, id, generation, nonce, secret, position)
JOIN holdfast.sessions AS s ON ${IS_SESSION_OF_COPY}`;

/** The row is still the one that was decided on. */
const IS_OBSERVED = 's.bucket = $1 AND s.id = $2 AND s.generation = $3 AND s.replays = $4 AND s.revoked_at IS NULL';

/** $5 user active, $6 address, $7 user agent, $8 inactivity timeout in seconds. */
const ACTIVITY = `
  idle_expires_at = ${slidIdleExpiry('$5::boolean', '$8::float8')}, last_address = $6, last_user_agent = $7`;

export const HEAL = `
UPDATE holdfast.sessions AS s
SET generation = $9, rotated_by = NULL, delivered_at = ${NOW}, replays = 0, ${ACTIVITY}
WHERE ${IS_OBSERVED} RETURNING ${RECORD}`;

export const REPLAY = `
UPDATE holdfast.sessions AS s
SET delivered_at = ${NOW}, replays = s.replays + 1, ${ACTIVITY}
WHERE ${IS_OBSERVED} RETURNING ${RECORD}, ${secretOf('s.generation', '$9::bytea')} AS secret`;

export const SLIDE = `
UPDATE holdfast.sessions AS s SET ${ACTIVITY} WHERE ${IS_OBSERVED} RETURNING ${RECORD}`;

/** Whom the end of a session concerns. */
const ENDED = 's.id, s.user_id, s.client_id';

export const END = `
UPDATE holdfast.sessions AS s SET revoked_at = ${NOW}, revoked_reason = $5
WHERE ${IS_OBSERVED} RETURNING ${ENDED}`;

export const REVOKE = `
UPDATE holdfast.sessions AS s SET revoked_at = ${NOW}, revoked_reason = $3
WHERE s.bucket = $1 AND s.id = $2 AND ($4::uuid IS NULL OR s.user_id = $4) AND ${IS_LIVE} RETURNING ${ENDED}`;

/** $3 the session to spare, if any. */
export const REVOKE_ALL_OF_USER = `
UPDATE holdfast.sessions AS s SET revoked_at = ${NOW}, revoked_reason = $2
WHERE s.user_id = $1 AND ($3::uuid IS NULL OR s.id <> $3) AND ${IS_LIVE} RETURNING ${ENDED}`;

/**
 * A device that signed in again is one entry: the session that is being replaced is left out, although it lives until the new
 * refresh token is first used.
 *
 * $2 and $3: inactivity timeouts in seconds, by client. A bound session is never delivered again, so its last use shows in the timeout that slid.
 */
export const LIST_OF_USER = `
SELECT s.id, s.client_id, s.device_label, s.last_user_agent, s.last_address, s.amr, s.acr,
  ${milliseconds('s.created_at')} AS created_at_ms, ${milliseconds('s.auth_time')} AS auth_time_ms,
  ${milliseconds('s.expires_at')} AS expires_at_ms,
  ${milliseconds(`greatest(s.delivered_at, least(${NOW}, s.idle_expires_at - make_interval(secs => t.seconds)))`)}
    AS last_used_at_ms
FROM holdfast.sessions AS s
LEFT JOIN unnest($2::text[], $3::int4[]) AS t (client_id, seconds) ON t.client_id = s.client_id
WHERE s.user_id = $1 AND ${IS_LIVE} AND NOT EXISTS (
  SELECT FROM holdfast.sessions AS n
  WHERE n.user_id = $1 AND n.replaces = s.id
    AND n.revoked_at IS NULL AND n.expires_at > ${NOW} AND n.idle_expires_at > ${NOW})
ORDER BY last_used_at_ms DESC, s.id`;

export const LABEL = `
UPDATE holdfast.sessions AS s SET device_label = $4
WHERE s.bucket = $1 AND s.id = $2 AND s.user_id = $3 AND ${IS_LIVE} RETURNING s.id`;

export const FIND_OWNER = 'SELECT s.user_id FROM holdfast.sessions AS s WHERE s.bucket = $1 AND s.id = $2';

export const FIND_LIVE = `
SELECT s.id, s.user_id, s.client_id
FROM unnest($1::int2[], $2::uuid[]) AS c (bucket, id)
JOIN holdfast.sessions AS s ON s.bucket = c.bucket AND s.id = c.id
WHERE ${IS_LIVE}`;

/**
 * The seed is made here and nowhere else: two random UUIDs hold 244 random bits, from PostgreSQL's strong source, without an
 * extension. What the sign-in established comes from its authorization code, $8.
 *
 * $5 inactivity timeout, $6 absolute lifetime, both in seconds; $9 thumbprint of the key that the session is bound to.
 */
export const CREATE = `
INSERT INTO holdfast.sessions AS s (bucket, id, user_id, client_id, scope, amr, acr, auth_time, seed, delivered_at,
  created_at, idle_expires_at, expires_at, replaces, device_label, dpop_jkt, created_address, created_user_agent, last_address,
  last_user_agent)
SELECT $1::int2, $2::uuid, a.user_id, a.client_id, a.scope, a.amr, a.acr, a.auth_time,
  sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), ${NOW},
  ${NOW}, ${NOW} + make_interval(secs => least($5::float8, $6::float8)), ${NOW} + make_interval(secs => $6::float8),
  a.replaces, old.device_label, $9, $3, $4, $3, $4
FROM holdfast.authorization_codes AS a
LEFT JOIN holdfast.sessions AS old ON old.bucket = get_byte(uuid_send(a.replaces), 0) AND old.id = a.replaces
WHERE a.code_hash = $8
RETURNING ${RECORD}, ${secretOf('s.generation', '$7::bytea')} AS secret`;
