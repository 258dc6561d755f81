import { createPrivateKey } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { loadSigningKeys } from '../keys/signing-keys.ts';
import { CREDENTIALS, newVerifier, SECRET, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { closeConnections, openConnections } from './connections.ts';
import { createSigningKeyStore } from './signing-key-store.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

/** Every row of all our tables as text, with `bytea` in hexadecimal as in a dump. */
async function dump(): Promise<string> {
  const client = new Client({ connectionString: database.databaseUrl });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'",
    );
    const rows: string[] = [];
    for (const { name } of tables.rows) {
      const { rows: found } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
      rows.push(...found.map(({ row }) => `${name} ${row}`));
    }
    return rows.join('\n');
  } finally {
    await client.end();
  }
}

/** Encodings of a secret. */
function spellings(secret: Buffer): readonly string[] {
  return [secret.toString('hex'), secret.toString('base64').replace(/=+$/, ''), secret.toString('base64url')];
}

async function privateKeyBytes(): Promise<readonly Buffer[]> {
  const connections = openConnections(database.databaseUrl, DEFAULT_POLICY, () => {});
  try {
    const keys = await loadSigningKeys({
      store: createSigningKeyStore(connections),
      keyRing: createKeyRing(SECRET),
      policy: DEFAULT_POLICY,
    });
    const { privateKey } = keys.current();
    const { d = '' } = privateKey.export({ format: 'jwk' });
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    expect(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).asymmetricKeyType).toBe('ec');
    return [Buffer.from(d, 'base64url'), der];
  } finally {
    await closeConnections(connections);
  }
}

test('a stolen dump of the database holds no token, code, password or private key in clear', async () => {
  const { sid, refreshToken, accessToken } = await server.signIn();
  await server.letTimePass(sid, 61_000);
  const rotated = String((await server.refresh(refreshToken)).body['refresh_token']);
  const { challenge, verifier } = newVerifier();
  const unused = await server.post('/authorize-challenge', {
    client_id: 'native',
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const code = String(unused.body['authorization_code']);
  const text = await dump();
  // The dump contains real data.
  for (const stored of [sid, CREDENTIALS.username, 'ES256']) expect(text).toContain(stored);

  const inClear = [refreshToken, rotated, accessToken, code, verifier, CREDENTIALS.password, SECRET];
  const asBytes = [
    ...[refreshToken, rotated].flatMap((token) => {
      const bytes = Buffer.from(token.slice('hfrt_'.length), 'base64url');
      // The secret and the tag: each alone would help a forger.
      return [bytes.subarray(34, 50), bytes.subarray(50)];
    }),
    ...[CREDENTIALS.password, code, verifier, SECRET].map((secret) => Buffer.from(secret)),
    Buffer.from(code, 'base64url'),
    Buffer.from(accessToken.split('.')[2] ?? '', 'base64url'),
    ...(await privateKeyBytes()),
  ];
  for (const secret of [...inClear, ...asBytes.flatMap(spellings)]) {
    expect(secret.length).toBeGreaterThan(15);
    expect(text).not.toContain(secret);
  }
});
