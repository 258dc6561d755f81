import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createHoldfast } from '../holdfast.ts';
import { createKeyRing } from '../kernel/key-ring.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { loadSigningKeys } from '../keys/signing-keys.ts';
import type { SessionRecord } from '../storage/store.ts';
import { ISSUER, SECRET, serverOptions, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { signingKeyStore } from '../testing/signing-key-store.ts';
import { createAccessTokens } from './access-token.ts';

// Generous timeouts, so that other load on the machine fails no test.
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

test('any resource server can verify our access tokens by our published keys', async () => {
  const { accessToken, sid } = await server.signIn();
  const jwks = await server.holdfast.fetch(new Request(`${ISSUER}/.well-known/jwks.json`));
  const keys = createLocalJWKSet((await jwks.json()) as JSONWebKeySet);
  const { payload, protectedHeader } = await jwtVerify(accessToken, keys, {
    issuer: ISSUER,
    audience: ISSUER,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
  });
  expect(payload).toMatchObject({ client_id: 'native', sid, scope: 'notes profile', amr: ['pwd'], acr: 'aal1' });
  expect(Number(payload.exp) - Number(payload.iat)).toBe(900);
  expect(payload['auth_time']).toBeTypeOf('number');
  expect(decodeProtectedHeader(accessToken)).toEqual({ ...protectedHeader, alg: 'ES256', typ: 'at+jwt' });
});

describe('verification', () => {
  test('answers a request without a token with the scheme and no error', async () => {
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic eDp5', 'Bearer a b']) {
      expect(await server.holdfast.verifyAccessToken(header)).toEqual({
        ok: false,
        status: 401,
        wwwAuthenticate: 'Bearer',
      });
    }
  });

  test('accepts the scheme in any case', async () => {
    const { accessToken } = await server.signIn();
    expect(await server.holdfast.verifyAccessToken(`bearer ${accessToken}`)).toMatchObject({ ok: true });
  });

  test('refuses a token with any character changed', async () => {
    const { accessToken } = await server.signIn();
    const isRefused = async (token: string): Promise<boolean> =>
      !(await server.holdfast.verifyAccessToken(`Bearer ${token}`)).ok;
    // The last character of a 64-byte signature has two slack bits; the 86 characters before it have none.
    for (let at = 0; at < accessToken.length - 1; at += 3) {
      const changed = accessToken.slice(0, at) + (accessToken[at] === 'A' ? 'B' : 'A') + accessToken.slice(at + 1);
      expect(await isRefused(changed)).toBe(true);
    }
    const [header, claims] = accessToken.split('.');
    const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
    for (const token of [
      `${none}.${claims}.`,
      `${header}.${claims}.`,
      `${none}.${claims}.${'A'.repeat(86)}`,
      'a.b.c',
    ]) {
      expect(await isRefused(token)).toBe(true);
    }
  });

  test("refuses another server's token, and one for another audience", async () => {
    const options = { ...serverOptions(database.databaseUrl), audience: 'https://other.example' };
    const other = await createHoldfast(options);
    const { accessToken } = await server.signIn();
    expect(await other.verifyAccessToken(`Bearer ${accessToken}`)).toMatchObject({
      ok: false,
      wwwAuthenticate: expect.stringContaining('error="invalid_token"'),
    });
    await other.close();
  });
});

const SESSION: SessionRecord = {
  sid: '00000000-0000-4000-8000-000000000001',
  sub: '00000000-0000-4000-8000-000000000002',
  clientId: 'app',
  scope: ['notes'],
  amr: ['pwd'],
  acr: 'aal1',
  authTimeSeconds: 1_800_000_000,
  jkt: null,
  generation: 0,
  rotatedBy: null,
  deliveredAtMs: 1_800_000_000_000,
  redeliveries: 0,
  idleExpiresAtMs: 1_800_003_600_000,
  expiresAtMs: 1_800_003_600_000,
  lastUsedAtMs: null,
  revokedReason: null,
  deviceId: '00000000-0000-4000-8000-0000000000dd',
  deviceSequence: 1,
  hasPredecessors: false,
  replaces: null,
  nowMs: 1_800_000_000_000,
};

describe('lifetime', () => {
  const policy = { accessTokenLifetimeSeconds: 900, clockToleranceSeconds: 5 };

  test('ends by the verifier’s clock, within the tolerance', async () => {
    let nowMs = SESSION.nowMs;
    const signingKeys = await loadSigningKeys({
      store: signingKeyStore(),
      keyRing: createKeyRing(SECRET),
      policy: DEFAULT_POLICY,
    });
    const tokens = createAccessTokens({ issuer: ISSUER, audience: ISSUER, signingKeys, policy, now: () => nowMs });
    const { accessToken } = tokens.prepare().issue(SESSION, SESSION.scope);
    const isValidAfter = async (seconds: number): Promise<boolean> => {
      nowMs = SESSION.nowMs + seconds * 1_000;
      return (await tokens.verify(`Bearer ${accessToken}`)).ok;
    };
    expect(await isValidAfter(904)).toBe(true);
    expect(await isValidAfter(905)).toBe(false);
    // The verifier's clock is ten seconds behind the clock of the signing node.
    for (const seconds of [0, -5, -8, -10]) expect(await isValidAfter(seconds)).toBe(true);
    for (const seconds of [-11, -60, -3_600]) expect(await isValidAfter(seconds)).toBe(false);
  });

  test("never outlives the session's absolute lifetime", async () => {
    const signingKeys = await loadSigningKeys({
      store: signingKeyStore(),
      keyRing: createKeyRing(SECRET),
      policy: DEFAULT_POLICY,
    });
    const tokens = createAccessTokens({
      issuer: ISSUER,
      audience: ISSUER,
      signingKeys,
      policy,
      now: () => SESSION.nowMs,
    });
    const ending = { ...SESSION, expiresAtMs: SESSION.nowMs + 60_000 };
    expect(tokens.prepare().issue(ending, []).expiresInSeconds).toBe(60);
    const last = { ...SESSION, expiresAtMs: SESSION.nowMs + 999 };
    expect(tokens.prepare().issue(last, []).expiresInSeconds).toBe(0);
  });
});
