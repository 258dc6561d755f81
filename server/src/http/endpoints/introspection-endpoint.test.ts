import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createKeyRing } from '../../kernel/key-ring.ts';
import {
  ISSUER,
  SECRET,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
  type Tokens,
} from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';
import { createProver } from '../../testing/proof.ts';
import { formatRefreshToken, newNonce } from '../../tokens/refresh-token.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INTERVAL_MS = 60_000;
const API = { id: 'https://api.example', secret: 'a secret of the API, of 32 bytes or more' };
const BASIC = basic(API.id, API.secret);

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, { audience: API.id, resourceServers: [API] });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

function basic(id: string, secret: string): string {
  const joined = [id, secret].map((text) => encodeURIComponent(text)).join(':');
  return `Basic ${Buffer.from(joined).toString('base64')}`;
}
const introspect = (
  token: string,
  headers: Readonly<Record<string, string>> = { authorization: BASIC },
  form: Readonly<Record<string, string>> = {},
): Promise<Answer> => server.post('/introspect', { token, ...form }, headers);
const isActive = async (token: string): Promise<unknown> => {
  const { status, body } = await introspect(token);
  expect(status).toBe(200);
  return body['active'];
};

async function signInEarlier(): Promise<Tokens> {
  const tokens = await server.signIn();
  await server.letTimePass(tokens.sid, INTERVAL_MS);
  return tokens;
}
async function rotate(token: string): Promise<string> {
  return toTokens(await server.refresh(token)).refreshToken;
}

describe('authentication for introspection', () => {
  // Otherwise the endpoint would tell attackers which stolen tokens still work.
  test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>]>([
    ['no credentials', {}, {}],
    ['a public client', {}, { client_id: 'native' }],
    ['a wrong secret', { authorization: basic(API.id, 'x'.repeat(40)) }, {}],
    ["another's secret", { authorization: basic('somebody', API.secret) }, {}],
    ['a wrong bearer secret', { authorization: `Bearer ${'x'.repeat(40)}` }, {}],
    ['two ways at once', { authorization: BASIC }, { client_id: API.id, client_secret: API.secret }],
    ['an unknown scheme', { authorization: `Digest ${API.secret}` }, {}],
  ])('fails with %s', async (_, headers, form) => {
    const { accessToken } = await server.signIn();
    const answer = await introspect(accessToken, headers, form);
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
    expect(answer.body).not.toHaveProperty('active');
  });

  test('succeeds for a resource server, in any of the three ways', async () => {
    const { accessToken } = await server.signIn();
    const bearer = await startTestServer(database.databaseUrl, {
      audience: API.id,
      resourceServers: [{ id: 'api', secret: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0' }],
    });
    try {
      const ways = [
        introspect(accessToken),
        introspect(accessToken, {}, { client_id: API.id, client_secret: API.secret }),
        bearer.post(
          '/introspect',
          { token: accessToken },
          { authorization: 'Bearer c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0' },
        ),
      ];
      for (const answer of await Promise.all(ways))
        expect(answer).toMatchObject({ status: 200, body: { active: true } });
    } finally {
      await bearer.holdfast.close();
    }
  });

  test('checks registrations, with messages that never hold a secret', async () => {
    for (const resourceServers of [
      [{ id: 'api', secret: 'too short to be one' }],
      [API, { ...API, id: 'other' }],
      [API, { ...API, secret: 'x'.repeat(40) }],
      [{ id: '', secret: API.secret }],
    ]) {
      const start = startTestServer(database.databaseUrl, { audience: API.id, resourceServers });
      await expect(start).rejects.toThrow(TypeError);
      await expect(start).rejects.not.toThrow(/secret of the API|too short to be one/);
    }
  });
});

describe('an access token', () => {
  test('is described with its claims', async () => {
    const { accessToken, sid } = await server.signIn();
    const { body, headers } = await introspect(accessToken);
    expect(body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      iss: ISSUER,
      aud: API.id,
      client_id: 'native',
      sid,
      scope: 'notes profile',
      acr: 'aal1',
    });
    expect(headers['cache-control']).toBe('no-store');
  });

  test('is inactive as soon as its session ends, long before it expires', async () => {
    const { accessToken, sid } = await server.signIn();
    expect(await isActive(accessToken)).toBe(true);
    await server.holdfast.sessions.revoke(sid);
    expect((await introspect(accessToken)).body).toEqual({ active: false });
  });
});

describe('a refresh token', () => {
  test('is described without being used', async () => {
    const { refreshToken, sid } = await signInEarlier();
    const { body } = await introspect(refreshToken);
    expect(body).toMatchObject({ active: true, iss: ISSUER, client_id: 'native', sid, scope: 'notes profile' });
    expect(body).not.toHaveProperty('token_type');
    const { rows } = await server.holdfast.database.query('SELECT generation FROM holdfast.sessions WHERE id = $1', [
      sid,
    ]);
    expect(rows).toEqual([{ generation: 0 }]);
  });

  // Introspection must not end a session: only a use of a spent refresh token is reuse.
  test('that is spent is inactive, and introspecting it ends nothing', async () => {
    const { refreshToken, sid } = await signInEarlier();
    const tokens = [refreshToken];
    for (let generation = 0; generation < 4; generation++) {
      tokens.push(await rotate(tokens.at(-1) ?? ''));
      await server.letTimePass(sid, INTERVAL_MS);
    }
    expect(await Promise.all(tokens.map(isActive))).toEqual([false, false, false, true, true]);
    await rotate(tokens.at(-1) ?? '');
  });

  test.each([
    ['revoked', "revoked_at = now(), revoked_reason = 'signed_out'"],
    ['expired', 'expires_at = now()'],
    ['idle', 'idle_expires_at = now()'],
  ])('of a session that is %s is inactive', async (_, assignment) => {
    const { refreshToken, sid } = await server.signIn();
    await server.alter(sid, assignment);
    expect((await introspect(refreshToken)).body).toEqual({ active: false });
  });

  test('is inactive for another client', async () => {
    const { refreshToken } = await server.signIn();
    const as = async (clientId: string) =>
      (await introspect(refreshToken, { authorization: BASIC }, { client_id: clientId })).body;
    expect(await as('native')).toMatchObject({ active: true });
    expect(await as('other')).toEqual({ active: false });
  });

  test('that is bound is described only to the holder of its key', async () => {
    const owner = createProver();
    const { refreshToken, sid } = await server.signIn();
    await server.alter(sid, `dpop_jkt = '${owner.jkt}'`);
    const missing = await introspect(refreshToken);
    expect(missing).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    const proof = (prover = owner): string =>
      prover.prove({ htu: `${ISSUER}/introspect`, nonce: missing.headers['dpop-nonce'] });
    const ask = (dpop: string) => introspect(refreshToken, { authorization: BASIC, dpop });
    expect((await ask(proof(createProver()))).body).toEqual({ active: false });
    expect((await ask(proof())).body).toMatchObject({ active: true, cnf: { jkt: owner.jkt } });
  });

  test('forged with the server key alone is inactive, and under an unknown key the answer is 503', async () => {
    const { sid } = await server.signIn();
    const forge = (secret: string): string =>
      formatRefreshToken({ sid, generation: 0, nonce: newNonce(), secret: Buffer.alloc(16) }, createKeyRing(secret));
    expect((await introspect(forge(SECRET))).body).toEqual({ active: false });
    expect((await introspect(forge(`${SECRET}, another one`))).status).toBe(503);
  });
});

test.each<[string, string, number, object]>([
  ['nothing', '', 400, { error: 'invalid_request' }],
  ['words', 'garbage', 200, { active: false }],
  ['dots', 'a.b.c', 200, { active: false }],
  ['much', 'x'.repeat(10_000), 200, { active: false }],
  // The token names a key that this node may receive later.
  ['the form of a token of ours', `hfrt_${'A'.repeat(88)}`, 503, { reason: 'unavailable' }],
])('garbage: %s', async (_, token, status, body) => {
  expect(await introspect(token)).toMatchObject({ status, body });
});
