import type { Policy } from '../policy.ts';
import type {
  AuthorizationCodeStore,
  SigningKeyStore,
  Store,
  StoredSigningKey,
  UserRecord,
  UserStore,
} from '../store.ts';
import { run, transact } from './connections.ts';
import type { Connections } from './connections.ts';
import { CREATE } from './session-statements.ts';
import { bucketOf, createSessionStore, toDelivery } from './session-store.ts';
import type { DeliveryRow } from './session-store.ts';

type StorePolicy = Pick<Policy, 'rotationIntervalMs' | 'inactivityTimeoutSeconds' | 'authorizationCodeLifetimeSeconds'>;

/** The store in PostgreSQL; {@link Store} is its contract. */
export function createStore(connections: Connections, policy: StorePolicy): Store {
  return {
    sessions: createSessionStore(connections, policy),
    codes: createAuthorizationCodeStore(connections, policy),
    users: createUserStore(connections),
    signingKeys: createSigningKeyStore(connections),
  };
}

interface CodeRow {
  readonly client_id: string;
  readonly code_challenge: string;
  readonly dpop_jkt: string | null;
  readonly is_expired: boolean;
  readonly session_id: string | null;
}

function createAuthorizationCodeStore({ durable }: Connections, policy: StorePolicy): AuthorizationCodeStore {
  return {
    insert: async (code) => {
      await run(durable, {
        text: `
          INSERT INTO holdfast.authorization_codes
            (code_hash, client_id, user_id, scope, code_challenge, amr, acr, replaces, dpop_jkt, auth_time, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now() + make_interval(secs => $10::float8))`,
        values: [
          code.codeHash,
          code.clientId,
          code.sub,
          code.scope.join(' '),
          code.codeChallenge,
          code.amr.join(' '),
          code.acr,
          code.replaces,
          code.jkt,
          policy.authorizationCodeLifetimeSeconds,
        ],
      });
    },
    find: async (codeHash) => {
      const [row] = await run<CodeRow>(durable, {
        text: `
          SELECT client_id, code_challenge, dpop_jkt, session_id, expires_at <= now() AS is_expired
          FROM holdfast.authorization_codes WHERE code_hash = $1`,
        values: [codeHash],
      });
      if (row === undefined) return null;
      return {
        clientId: row.client_id,
        codeChallenge: row.code_challenge,
        jkt: row.dpop_jkt,
        isExpired: row.is_expired,
        sid: row.session_id,
      };
    },
    exchange: (codeHash, { sid, jkt, lifetimes, nonce, address, userAgent }) =>
      transact(durable, async (client) => {
        const consumed = await client.query({
          text: `
            UPDATE holdfast.authorization_codes SET session_id = $2
            WHERE code_hash = $1 AND session_id IS NULL AND expires_at > now()`,
          values: [codeHash, sid],
        });
        if (consumed.rowCount !== 1) return null;
        const { rows } = await client.query<DeliveryRow>({
          text: CREATE,
          values: [
            bucketOf(sid),
            sid,
            address,
            userAgent,
            lifetimes.inactivityTimeoutSeconds,
            lifetimes.absoluteLifetimeSeconds,
            nonce,
            codeHash,
            jkt,
          ],
        });
        return rows[0] === undefined ? null : toDelivery(rows[0]);
      }),
  };
}

interface UserRow {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly password_hash: string;
}

const USER = 'SELECT id, username, name, password_hash FROM holdfast.users';

function createUserStore({ durable }: Connections): UserStore {
  const find = async (condition: string, value: string): Promise<UserRecord | null> => {
    const [row] = await run<UserRow>(durable, { text: `${USER} WHERE ${condition}`, values: [value] });
    if (row === undefined) return null;
    return { sub: row.id, username: row.username, name: row.name, passwordHash: row.password_hash };
  };
  return {
    insert: async (user, usernameKey) => {
      const inserted = await run(durable, {
        text: `
          INSERT INTO holdfast.users (id, username, username_key, name, password_hash) VALUES ($1, $2, $3, $4, $5)
          ON CONFLICT (username_key) DO NOTHING RETURNING id`,
        values: [user.sub, user.username, usernameKey, user.name, user.passwordHash],
      });
      return inserted.length > 0;
    },
    findById: (sub) => find('id = $1', sub),
    findByUsernameKey: (usernameKey) => find('username_key = $1', usernameKey),
  };
}

interface SigningKeyRow {
  readonly kid: string;
  readonly algorithm: 'ES256';
  readonly public_jwk: Readonly<Record<string, unknown>>;
  readonly encrypted_private_key: Buffer;
  readonly secret_id: number;
}

/** Any constant but the migrations' own. */
const SIGNING_KEY_LOCK = 0x48_4f_4c_45;

function createSigningKeyStore({ durable }: Connections): SigningKeyStore {
  return {
    list: async () => {
      const rows = await run<SigningKeyRow>(durable, {
        text: `
          SELECT kid, algorithm, public_jwk, encrypted_private_key, secret_id
          FROM holdfast.signing_keys ORDER BY created_at, kid`,
      });
      return rows.map(toSigningKey);
    },
    createFirst: (create) =>
      transact(durable, async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [SIGNING_KEY_LOCK]);
        const { rowCount } = await client.query('SELECT 1 FROM holdfast.signing_keys LIMIT 1');
        if (rowCount !== 0) return;
        const key = create();
        await client.query(
          `INSERT INTO holdfast.signing_keys (kid, algorithm, public_jwk, encrypted_private_key, secret_id)
           VALUES ($1, $2, $3, $4, $5)`,
          [key.kid, key.algorithm, JSON.stringify(key.publicJwk), key.encryptedPrivateKey, key.secretId],
        );
      }),
    updateEncryption: async ({ kid, encryptedPrivateKey, secretId }) => {
      await run(durable, {
        text: 'UPDATE holdfast.signing_keys SET encrypted_private_key = $2, secret_id = $3 WHERE kid = $1',
        values: [kid, encryptedPrivateKey, secretId],
      });
    },
  };
}

function toSigningKey(row: SigningKeyRow): StoredSigningKey {
  return {
    kid: row.kid,
    algorithm: row.algorithm,
    publicJwk: row.public_jwk,
    encryptedPrivateKey: row.encrypted_private_key,
    secretId: row.secret_id,
  };
}
