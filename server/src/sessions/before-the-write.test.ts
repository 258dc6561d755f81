import { createCipheriv, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import {
  CREDENTIALS,
  newVerifier,
  SECRET,
  startTestServer,
  toTokens,
  type TestServer,
  type Tokens,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INTERVAL_MS = 60_000;

let database: TestDatabase;
let server: TestServer;
/** A node on the same database whose signing key cannot sign. */
let broken: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
  const kid = 'unfit';
  await server.holdfast.database.query(
    `INSERT INTO holdfast.signing_keys (kid, algorithm, public_jwk, encrypted_private_key, secret_id, signs_from)
     VALUES ($1, 'ES256', $2, $3, $4, now())`,
    [kid, unfitPublicJwk(), encryptUnfitKey(kid), createKeyRing(SECRET).minting.id],
  );
  broken = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await broken.holdfast.close();
  await database.drop();
});

function unfitPublicJwk(): object {
  return { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) };
}

/** An X25519 key agrees on secrets and signs nothing. */
function encryptUnfitKey(kid: string): Buffer {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', createKeyRing(SECRET).minting.encryptionKey, iv);
  cipher.setAAD(Buffer.from(kid));
  const der = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'der' });
  const ciphertext = Buffer.concat([cipher.update(der), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), ciphertext]);
}

const rowOf = async (sid: string): Promise<unknown> =>
  (await server.holdfast.database.query('SELECT to_jsonb(s) AS row FROM holdfast.sessions s WHERE id = $1', [sid]))
    .rows[0];
const countSessions = async (): Promise<unknown> =>
  (await server.holdfast.database.query('SELECT count(*) FROM holdfast.sessions')).rows[0];

/** A session, and a copy for which the next refresh has the outcome of the case. */
type Case = () => Promise<{ readonly sid: string; readonly refreshToken: string }>;

const signedIn: Case = async () => {
  const tokens = await server.signIn();
  await server.letTimePass(tokens.sid, INTERVAL_MS);
  return tokens;
};
const spent: Case = async () => {
  const { sid, refreshToken } = await signedIn();
  await server.refresh(refreshToken);
  await server.letTimePass(sid, INTERVAL_MS);
  return { sid, refreshToken };
};
const ahead: Case = async () => {
  const { sid, refreshToken } = await signedIn();
  const next: Tokens = toTokens(await server.refresh(refreshToken));
  await server.alter(sid, 'generation = 0, rotated_by = NULL');
  return { sid, refreshToken: next.refreshToken };
};

// An answer that fails after the write is a lost answer. Each of these would cost the session a redelivery or more.
describe('a node that cannot sign leaves the row unchanged and answers 503', () => {
  test.each<[string, Case]>([
    ['rotation', signedIn],
    ['redelivery', spent],
    ['heal', ahead],
  ])('at a %s', async (_case, begin) => {
    const { sid, refreshToken } = await begin();
    const before = await rowOf(sid);
    for (let tries = 0; tries < 3; tries++) {
      const answer = await broken.refresh(refreshToken);
      expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
      expect(answer.headers['retry-after']).toBeDefined();
    }
    expect(await rowOf(sid)).toEqual(before);
    // A node that can sign then serves the same copy.
    expect(await server.refresh(refreshToken)).toMatchObject({ status: 200, body: { sid } });
    expect(await rowOf(sid)).not.toEqual(before);
  });

  test('at an exchange: no session begins, and the code is still valid', async () => {
    const { verifier, challenge } = newVerifier();
    const { body } = await server.post('/authorize-challenge', {
      client_id: 'native',
      ...CREDENTIALS,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    const form = {
      client_id: 'native',
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
    };
    const before = await countSessions();
    expect(await broken.post('/token', form)).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    });
    expect(await countSessions()).toEqual(before);
    expect(await server.post('/token', form)).toMatchObject({ status: 200 });
  });
});
