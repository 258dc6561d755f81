/**
 * The statements of the session store. They address rows by primary key `(bucket, id)`. A rotation changes only columns
 * without an index, so PostgreSQL updates them in place (HOT).
 *
 * Columns and clock are whole milliseconds (`timestamptz(3)`), so that the conditions here and `decide` see the same
 * numbers.
 */

/** The database's clock. */
export const NOW = 'now()::timestamptz(3)';

/**
 * Whole milliseconds, which a double holds exactly. `extract` would compute in `numeric`, which is several times
 * slower.
 */
const milliseconds = (time: string): string => `round(date_part('epoch', ${time}) * 1000)`;

/** The columns of a `SessionRow`; `s` is the session. */
export const RECORD = `
  s.id, s.user_id, s.client_id, s.scope, s.amr, s.acr, s.generation, s.rotated_by, s.redeliveries, s.revoked_reason,
  s.dpop_jkt, s.replaces, s.device_id, s.device_sequence, s.has_predecessors,
  ${milliseconds('s.last_used_at')} AS last_used_at_ms,
  ${milliseconds('s.auth_time')} AS auth_time_ms, ${milliseconds('s.delivered_at')} AS delivered_at_ms,
  ${milliseconds('s.idle_expires_at')} AS idle_expires_at_ms, ${milliseconds('s.expires_at')} AS expires_at_ms,
  ${milliseconds(NOW)} AS now_ms`;

/** The secret that a session's seed yields for a generation and a nonce; protocol section 1. */
const secretOf = (generation: string, nonce: string): string =>
  `substring(sha256(s.seed || int4send(${generation}) || ${nonce}) FROM 1 FOR 16)`;

const slidIdleExpiry = (isUserActive: string, timeoutSeconds: string): string =>
  `CASE WHEN ${isUserActive} THEN least(${NOW} + make_interval(secs => ${timeoutSeconds}), s.expires_at) ELSE s.idle_expires_at END`;

/** Negates row 1 of the decision. */
export const IS_LIVE = `s.revoked_at IS NULL AND s.expires_at > ${NOW} AND s.idle_expires_at > ${NOW}`;

/**
 * Joins the session `s` with the copy `c`. Uses arrays of one element, because a plain equality tells the planner about
 * an order. If it expects one row at most, it then walks the whole index for that order.
 */
const IS_SESSION_OF_COPY = 's.bucket = ANY (ARRAY[c.bucket]) AND s.id = ANY (ARRAY[c.id])';

/**
 * Rows 1 to 4 of the decision as one condition; unmatched candidates are read and decided. Each candidate is one
 * element of every array, and candidates are sorted by id.
 *
 * All conditions but the key are inside one CASE on purpose. The planner can then neither use an index for them nor
 * guess that hardly any row fulfils them. On a young table without statistics it would otherwise walk all sessions and
 * join them with the batch, which took seconds.
 *
 * $13 rotation interval in seconds.
 */
export const ROTATE = `
UPDATE holdfast.sessions AS s
SET generation = s.generation + 1, rotated_by = c.nonce, delivered_at = ${NOW}, redeliveries = 0, last_used_at = ${NOW},
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
  AND NOT (s.redeliveries = 0 AND s.delivered_at > ${NOW} - make_interval(secs => $13::float8)
    AND s.delivered_at < ${NOW} + make_interval(secs => $13::float8))
  AND ${secretOf('s.generation', 'c.nonce')} = c.secret
END
RETURNING ${RECORD}, ${secretOf('s.generation', 'c.next_nonce')} AS secret`;

export const READ = `
SELECT c.position::int4 AS position, ${RECORD}, ${secretOf('c.generation', 'c.nonce')} = c.secret AS is_secret_genuine
FROM unnest($1::int2[], $2::uuid[], $3::int4[], $4::bytea[], $5::bytea[])
  WITH ORDINALITY AS c (bucket, id, generation, nonce, secret, position)
JOIN holdfast.sessions AS s ON ${IS_SESSION_OF_COPY}`;

/** True while the row is unchanged since the decision read it. */
const IS_OBSERVED =
  's.bucket = $1 AND s.id = $2 AND s.generation = $3 AND s.redeliveries = $4 AND s.revoked_at IS NULL';

/** $5 user active, $6 address, $7 user agent, $8 inactivity timeout in seconds. */
const ACTIVITY = `
  idle_expires_at = ${slidIdleExpiry('$5::boolean', '$8::float8')}, last_used_at = ${NOW},
  last_address = $6, last_user_agent = $7`;

export const HEAL = `
UPDATE holdfast.sessions AS s
SET generation = $9, rotated_by = NULL, delivered_at = ${NOW}, redeliveries = 0, ${ACTIVITY}
WHERE ${IS_OBSERVED} RETURNING ${RECORD}`;

export const REDELIVER = `
UPDATE holdfast.sessions AS s
SET delivered_at = ${NOW}, redeliveries = s.redeliveries + 1, ${ACTIVITY}
WHERE ${IS_OBSERVED} RETURNING ${RECORD}, ${secretOf('s.generation', '$9::bytea')} AS secret`;

export const SLIDE = `
UPDATE holdfast.sessions AS s SET ${ACTIVITY} WHERE ${IS_OBSERVED} RETURNING ${RECORD}`;

/** The columns of an ended session. */
export const ENDED = 's.id, s.user_id, s.client_id';

export const END = `
UPDATE holdfast.sessions AS s SET revoked_at = ${NOW}, revoked_reason = $5
WHERE ${IS_OBSERVED} RETURNING ${ENDED}`;

/** $3 the caller's session; $4 and $5 the end of the previous page; $6 page size plus one. */
export const LIST_OF_USER = `
WITH devices AS (
  SELECT DISTINCT ON (s.device_id) s.*, ${milliseconds('coalesce(s.last_used_at, s.created_at)')} AS last_used_at_ms
  FROM holdfast.sessions AS s WHERE s.bucket = $1 AND s.user_id = $2 AND ${IS_LIVE}
  ORDER BY s.device_id, s.last_used_at DESC NULLS LAST, s.device_sequence DESC
)
SELECT s.id, s.device_id, s.client_id, s.device_label, s.last_user_agent, s.last_address, s.amr, s.acr,
  ${milliseconds('s.created_at')} AS created_at_ms, ${milliseconds('s.auth_time')} AS auth_time_ms,
  ${milliseconds('s.expires_at')} AS expires_at_ms, s.last_used_at_ms,
  coalesce(s.device_id = (SELECT m.device_id FROM holdfast.sessions AS m
    WHERE m.bucket = $1 AND m.id = $3::uuid AND m.user_id = $2), false) AS is_current
FROM devices AS s
WHERE $4::float8 IS NULL OR (s.last_used_at_ms, s.id) < ($4::float8, $5::uuid)
ORDER BY s.last_used_at_ms DESC, s.id DESC LIMIT $6`;

export const FIND_MEMBER = `
SELECT s.id, s.user_id, s.client_id, s.device_id, s.device_sequence FROM holdfast.sessions AS s WHERE s.bucket = $1 AND s.id = $2`;

export const IS_DEVICE_OF = `
SELECT d.id FROM holdfast.sessions AS s JOIN holdfast.sessions AS d
  ON d.bucket = s.bucket AND d.user_id = s.user_id AND d.device_secret_hash = $3 AND d.device_id = s.device_id
WHERE s.bucket = $1 AND s.id = $2 LIMIT 1`;

export const FIND_LIVE = `
SELECT s.id, s.user_id, s.client_id, s.device_id, s.device_sequence
FROM unnest($1::int2[], $2::uuid[]) AS c (bucket, id)
JOIN holdfast.sessions AS s ON s.bucket = c.bucket AND s.id = c.id
WHERE ${IS_LIVE}`;

/**
 * Creates a session and, nowhere else, its seed: two random UUIDs hold 244 random bits from PostgreSQL's strong source,
 * without an extension. The facts of the sign-in come from its authorization code, $8.
 *
 * $5 inactivity timeout, $6 absolute lifetime, both in seconds; $9 thumbprint of the key that the session is bound to;
 * $10 to $15 the session's place in its chain.
 */
export const CREATE = `
INSERT INTO holdfast.sessions AS s (bucket, id, user_id, client_id, scope, amr, acr, auth_time, seed, delivered_at,
  created_at, idle_expires_at, expires_at, replaces, device_label, dpop_jkt, created_address, created_user_agent, last_address,
  last_user_agent, device_id, device_sequence, has_predecessors, device_secret_hash)
SELECT $1::int2, $2::uuid, a.user_id, a.client_id, a.scope, a.amr, a.acr, a.auth_time,
  sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), ${NOW},
  ${NOW}, ${NOW} + make_interval(secs => least($5::float8, $6::float8)), ${NOW} + make_interval(secs => $6::float8),
  $10::uuid, $11::text, $9::text, $3::text, $4::text, $3::text, $4::text, $12::uuid, $13::int4, $14::boolean, $15::bytea
FROM holdfast.authorization_codes AS a
WHERE a.code_hash = $8::bytea
RETURNING ${RECORD}, ${secretOf('s.generation', '$7::bytea')} AS secret`;
