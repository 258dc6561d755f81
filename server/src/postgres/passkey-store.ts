import type { PasskeyRecord, PasskeyStore } from '../storage/user-store.ts';
import { run, transact, type Connections } from './connections.ts';
import type { BucketOf } from './subject-store.ts';
import { countPasskeys, createUserChange, LOCK_USER, toUserRecord, USER_COLUMNS, type UserRow } from './user-store.ts';

type PasskeyRow = {
  readonly credential_id: Buffer;
  readonly user_id: string;
  readonly user_handle: Buffer;
  readonly rp_id: string;
  readonly public_key: Buffer;
  readonly sign_count: number;
  readonly transports: string;
  readonly aaguid: string;
  readonly is_backup_eligible: boolean;
  readonly is_backed_up: boolean;
  readonly passkey_name: string;
  readonly created_at_ms: number;
  readonly last_used_at_ms: number | null;
};

/** The columns of a {@link PasskeyRow}; `p` is the passkey. A counter has 32 bits, which a double holds exactly. */
const PASSKEY_COLUMNS = `
  p.credential_id, p.user_id, p.user_handle, p.rp_id, p.public_key, p.sign_count::float8 AS sign_count, p.transports, p.aaguid,
  p.is_backup_eligible, p.is_backed_up, p.name AS passkey_name,
  (extract(epoch FROM p.created_at) * 1000)::float8 AS created_at_ms,
  (extract(epoch FROM p.last_used_at) * 1000)::float8 AS last_used_at_ms`;

const INSERT = `
  INSERT INTO holdfast.passkeys AS p
    (credential_id, user_id, rp_id, public_key, sign_count, transports, aaguid, is_backup_eligible, is_backed_up, name,
    user_handle)
  SELECT $1, u.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM holdfast.users AS u WHERE u.id = $2 AND u.disabled_at IS NULL
  ON CONFLICT (credential_id) DO NOTHING
  RETURNING ${PASSKEY_COLUMNS}`;

const FIND = `
  SELECT ${PASSKEY_COLUMNS}, ${USER_COLUMNS} FROM holdfast.passkeys AS p
  JOIN holdfast.users AS u ON u.id = p.user_id WHERE p.credential_id = $1`;

const LIST = `SELECT ${PASSKEY_COLUMNS} FROM holdfast.passkeys AS p WHERE p.user_id = $1 ORDER BY p.created_at, 1`;

const NOTE_USE = `
  UPDATE holdfast.passkeys SET sign_count = greatest(sign_count, $2), is_backed_up = $3, last_used_at = now()
  WHERE credential_id = $1 RETURNING 1`;

const RENAME = `
  UPDATE holdfast.passkeys AS p SET name = $3 WHERE p.user_id = $1 AND p.credential_id = $2 RETURNING ${PASSKEY_COLUMNS}`;

/**
 * Inserts one row per challenge, however often it runs. Inserts none for an expired challenge, so old rows may be
 * deleted.
 */
const SPEND = `
  INSERT INTO holdfast.spent_challenges (challenge, expires_at)
  SELECT $1, to_timestamp($2) WHERE to_timestamp($2) > now()
  ON CONFLICT (challenge) DO NOTHING RETURNING 1`;

/** Passkeys in PostgreSQL. */
export function createPasskeyStore({ durable }: Connections, bucketOf: BucketOf): PasskeyStore {
  const change = createUserChange(durable, bucketOf);
  return {
    insert: (passkey, limit) =>
      transact(durable, async (client) => {
        await client.query(LOCK_USER, [passkey.sub]);
        if ((await countPasskeys(client, passkey.sub)) >= limit) return null;
        const values = [
          passkey.credentialId,
          passkey.sub,
          passkey.rpId,
          passkey.publicKey,
          passkey.signCount,
          passkey.transports.join(' '),
          passkey.aaguid,
          passkey.isBackupEligible,
          passkey.isBackedUp,
          passkey.name,
          passkey.userHandle,
        ];
        return toPasskeyOrNull((await client.query<PasskeyRow>(INSERT, values)).rows);
      }),
    find: async (credentialId) => {
      const [row] = await run<PasskeyRow & UserRow>(durable, { text: FIND, values: [credentialId] });
      return row === undefined ? null : { passkey: toPasskey(row), user: toUserRecord(row) };
    },
    list: async (sub) => (await run<PasskeyRow>(durable, { text: LIST, values: [sub] })).map(toPasskey),
    noteUse: async (credentialId, { signCount, isBackedUp }) => {
      const values = [credentialId, signCount, isBackedUp];
      return (await run(durable, { text: NOTE_USE, values })).length > 0;
    },
    rename: async (sub, credentialId, name) =>
      toPasskeyOrNull(await run<PasskeyRow>(durable, { text: RENAME, values: [sub, credentialId, name] })),
    delete: (sub, credentialId) =>
      change(sub, { sessions: 'none', reason: 'user', address: null }, async (client) => {
        const text =
          'SELECT password_hash IS NOT NULL AS has_password FROM holdfast.users WHERE id = $1 FOR NO KEY UPDATE';
        const user = (await client.query<{ has_password: boolean }>(text, [sub])).rows[0];
        const mine = 'SELECT 1 FROM holdfast.passkeys WHERE user_id = $1 AND credential_id = $2';
        const isMine = (await client.query(mine, [sub, credentialId])).rowCount === 1;
        if (user === undefined || !isMine) return 'unknown';
        const isLast = !user.has_password && (await countPasskeys(client, sub)) === 1;
        if (isLast) return 'last_credential';
        await client.query('DELETE FROM holdfast.passkeys WHERE credential_id = $1', [credentialId]);
        return 'changed';
      }),
    spendChallenge: async (challenge, expiresAtSeconds) => {
      const values = [challenge, expiresAtSeconds];
      return (await run(durable, { text: SPEND, values })).length > 0;
    },
  };
}

function toPasskeyOrNull([row]: readonly PasskeyRow[]): PasskeyRecord | null {
  return row === undefined ? null : toPasskey(row);
}

function toPasskey(row: PasskeyRow): PasskeyRecord {
  return {
    credentialId: row.credential_id,
    sub: row.user_id,
    userHandle: row.user_handle,
    rpId: row.rp_id,
    publicKey: row.public_key,
    signCount: row.sign_count,
    transports: row.transports === '' ? [] : row.transports.split(' '),
    aaguid: row.aaguid,
    isBackupEligible: row.is_backup_eligible,
    isBackedUp: row.is_backed_up,
    name: row.passkey_name,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}
