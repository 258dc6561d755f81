import type { Pool, PoolClient } from 'pg';
import type { SigningAlgorithm } from '../kernel/jws.ts';
import type { PublishedSigningKeys, SigningKeyStore, StoredSigningKey } from '../storage/store.ts';
import { run, transact } from './connections.ts';

type SigningKeyRow = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly public_jwk: Readonly<Record<string, unknown>>;
  readonly encrypted_private_key: Buffer;
  readonly secret_id: number;
  readonly signs_from_ms: number;
  readonly now_ms: number;
};

/** An arbitrary key that differs from the migrations' lock. */
const SIGNING_KEY_LOCK = 0x48_4f_4c_45;

/** Returns at least one row, so that an empty table also yields the time. */
const LIST = `
  SELECT k.kid, k.algorithm, k.public_jwk, k.encrypted_private_key, k.secret_id,
    (extract(epoch FROM k.signs_from) * 1000)::float8 AS signs_from_ms,
    (extract(epoch FROM clock_timestamp()::timestamptz(3)) * 1000)::float8 AS now_ms
  FROM (VALUES (1)) AS one LEFT JOIN holdfast.signing_keys AS k ON true ORDER BY k.signs_from, k.kid`;

/** Signing keys in PostgreSQL. */
export function createSigningKeyStore({ durable }: { readonly durable: Pool }): SigningKeyStore {
  return {
    list: async () => toPublished(await run<SigningKeyRow>(durable, { text: LIST })),
    change: (plan) =>
      transact(durable, async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [SIGNING_KEY_LOCK]);
        const { add, remove } = plan(await listWith(client));
        await client.query('DELETE FROM holdfast.signing_keys WHERE kid = ANY ($1)', [remove]);
        for (const key of add) await insert(key, client);
        return listWith(client);
      }),
    updateEncryption: async ({ kid, encryptedPrivateKey, secretId }) => {
      await run(durable, {
        text: 'UPDATE holdfast.signing_keys SET encrypted_private_key = $2, secret_id = $3 WHERE kid = $1',
        values: [kid, encryptedPrivateKey, secretId],
      });
    },
  };
}

async function listWith(client: PoolClient): Promise<PublishedSigningKeys> {
  return toPublished((await client.query<SigningKeyRow>(LIST)).rows);
}

async function insert(key: StoredSigningKey, client: PoolClient): Promise<void> {
  await client.query({
    text: `
      INSERT INTO holdfast.signing_keys (kid, algorithm, public_jwk, encrypted_private_key, secret_id, signs_from)
      VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000))`,
    values: [
      key.kid,
      key.algorithm,
      JSON.stringify(key.publicJwk),
      key.encryptedPrivateKey,
      key.secretId,
      key.signsFromMs,
    ],
  });
}

function toPublished(rows: readonly SigningKeyRow[]): PublishedSigningKeys {
  return {
    nowMs: rows[0]?.now_ms ?? 0,
    keys: rows
      .filter(({ kid }) => kid !== null)
      .map((row) => ({
        kid: row.kid,
        algorithm: row.algorithm,
        publicJwk: row.public_jwk,
        encryptedPrivateKey: row.encrypted_private_key,
        secretId: row.secret_id,
        signsFromMs: row.signs_from_ms,
      })),
  };
}
