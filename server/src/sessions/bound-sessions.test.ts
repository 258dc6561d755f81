import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import {
  CREDENTIALS,
  ISSUER,
  newVerifier,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
  type Tokens,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { athOf, createProver, type ProofClaims, type TestProver } from '../testing/proof.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INTERVAL_MS = 60_000;
const API_URL = 'https://api.example/notes';
const owner = createProver();
const stranger = createProver();

let database: TestDatabase;
let server: TestServer;
let nonce = '';

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, {
    clients: [
      { clientId: 'native', refreshTokenTransport: 'body', scopes: ['notes'] },
      { clientId: 'bound', refreshTokenTransport: 'body', scopes: ['notes'], dpopBoundAccessTokens: true },
      { clientId: 'web', refreshTokenTransport: 'cookie', scopes: ['notes'], origins: ['https://app.example'] },
    ],
  });
  const answer = await server.post('/token', { client_id: 'native' }, { dpop: 'garbage' });
  nonce = String(answer.headers['dpop-nonce']);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
beforeEach(() => {
  server.events.length = 0;
});

const proofFor = (path: string, prover: TestProver, claims: ProofClaims = {}) => ({
  dpop: prover.prove({ htu: ISSUER + path, nonce, ...claims }),
});

/** Signs in; the code is exchanged with a proof by `prover`, or without one. */
async function exchange(
  prover: TestProver | null,
  clientId = 'native',
  challengeForm: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { verifier, challenge } = newVerifier();
  const { body } = await server.post('/authorize-challenge', {
    client_id: clientId,
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...challengeForm,
  });
  return server.post(
    '/token',
    {
      client_id: clientId,
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
    },
    prover === null ? {} : proofFor('/token', prover),
  );
}

async function signInBound(clientId = 'native'): Promise<Tokens> {
  const answer = await exchange(owner, clientId);
  expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
  return toTokens(answer);
}

const refresh = (tokens: Tokens, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.post(
    '/token',
    { client_id: 'native', grant_type: 'refresh_token', refresh_token: tokens.refreshToken },
    headers,
  );
const rowOf = async (sid: string): Promise<unknown> =>
  (await server.holdfast.database.query('SELECT * FROM holdfast.sessions WHERE id = $1', [sid])).rows[0];

describe('a session made with a proof', () => {
  test('is bound to the key, and its access tokens have the thumbprint', async () => {
    const { accessToken, sid } = await signInBound();
    const [, claims = ''] = accessToken.split('.');
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sid, cnf: { jkt: owner.jkt } });
  });

  test('never rotates: the key is the credential', async () => {
    const tokens = await signInBound();
    for (let use = 0; use < 3; use++) {
      await server.letTimePass(tokens.sid, INTERVAL_MS);
      const answer = await refresh(tokens, proofFor('/token', owner));
      expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP', sid: tokens.sid } });
      expect(answer.body).not.toHaveProperty('refresh_token');
    }
    expect(await rowOf(tokens.sid)).toMatchObject({ generation: 0, dpop_jkt: owner.jkt });
  });

  test('slides its inactivity timeout with user activity only', async () => {
    const tokens = await signInBound();
    await server.letTimePass(tokens.sid, 86_400_000);
    const idle = async (isActive: string): Promise<number> => {
      const form = { client_id: 'native', grant_type: 'refresh_token', refresh_token: tokens.refreshToken };
      const answer = await server.post('/token', { ...form, user_active: isActive }, proofFor('/token', owner));
      return Number(answer.body['refresh_token_timeout']);
    };
    expect(await idle('false')).toBeLessThan(14 * 86_400 - 86_000);
    expect(await idle('true')).toBeGreaterThan(14 * 86_400 - 60);
  });

  test('is extended each time its user asks, even for a small gain', async () => {
    const tokens = await signInBound();
    await refresh(tokens, proofFor('/token', owner));
    for (let press = 0; press < 3; press++) {
      await server.alter(tokens.sid, "idle_expires_at = now() + interval '14 days' - interval '30 s'");
      const form = { client_id: 'native', grant_type: 'refresh_token', refresh_token: tokens.refreshToken };
      const { body } = await server.post('/token', { ...form, extend: 'true' }, proofFor('/token', owner));
      expect(body['refresh_token_timeout']).toBe(14 * 86_400);
    }
  });

  // A thief of the token without the key can neither use it nor sign its owner out.
  test('is useless without its key, and no try without the key changes it', async () => {
    const tokens = await signInBound();
    const before = await rowOf(tokens.sid);
    const attempts: readonly [Readonly<Record<string, string>>, string, string][] = [
      [{}, 'invalid_dpop_proof', 'proof_missing'],
      [proofFor('/token', stranger), 'invalid_grant', 'wrong_key'],
      [proofFor('/revoke', owner), 'invalid_dpop_proof', 'proof_invalid'],
      [proofFor('/token', owner, { htm: 'GET' }), 'invalid_dpop_proof', 'proof_invalid'],
      [{ dpop: 'garbage' }, 'invalid_dpop_proof', 'proof_invalid'],
    ];
    for (const [headers, error, reason] of attempts) {
      expect(await refresh(tokens, headers)).toMatchObject({ status: 400, body: { error, reason } });
    }
    const stale = await refresh(tokens, proofFor('/token', owner, { nonce: undefined }));
    expect(stale).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } });
    expect(await rowOf(tokens.sid)).toEqual(before);
    expect(await refresh(tokens, proofFor('/token', owner, { nonce: stale.headers['dpop-nonce'] }))).toMatchObject({
      status: 200,
    });
  });

  test('a proof is accepted once', async () => {
    const tokens = await signInBound();
    const proof = proofFor('/token', owner);
    expect((await refresh(tokens, proof)).status).toBe(200);
    expect(await refresh(tokens, proof)).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    expect(server.events).toContainEqual(expect.objectContaining({ type: 'proof.refused', fault: 'replayed' }));
  });

  test('is signed out by its own key alone', async () => {
    const tokens = await signInBound();
    const signOut = (headers: Readonly<Record<string, string>>): Promise<Answer> =>
      server.post('/revoke', { client_id: 'native', token: tokens.refreshToken }, headers);
    expect(await signOut({})).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    expect(await signOut(proofFor('/revoke', stranger))).toMatchObject({ status: 400, body: { reason: 'wrong_key' } });
    expect((await refresh(tokens, proofFor('/token', owner))).status).toBe(200);
    expect((await signOut(proofFor('/revoke', owner))).status).toBe(200);
    expect(await refresh(tokens, proofFor('/token', owner))).toMatchObject({ body: { reason: 'revoked' } });
  });

  test('signs its user out everywhere only with its own key: a stolen token ends no session', async () => {
    const [tokens, other] = [await signInBound(), await server.signIn()];
    const signOut = (headers: Readonly<Record<string, string>>): Promise<Answer> =>
      server.post('/revoke', { client_id: 'native', token: tokens.refreshToken, everywhere: 'true' }, headers);
    expect(await signOut({})).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' } });
    expect(await signOut(proofFor('/revoke', stranger))).toMatchObject({ status: 400, body: { reason: 'wrong_key' } });
    expect((await refresh(tokens, proofFor('/token', owner))).status).toBe(200);
    expect((await server.refresh(other.refreshToken)).status).toBe(200);
    expect((await signOut(proofFor('/revoke', owner))).status).toBe(200);
    expect(await server.refresh(other.refreshToken)).toMatchObject({ body: { reason: 'revoked' } });
  });

  test('works with a cookie too: neither page script nor a stolen cookie file can use it', async () => {
    const { cookie, sid } = await signInBound('web');
    const use = (headers: Readonly<Record<string, string>>): Promise<Answer> =>
      server.post('/token', { client_id: 'web', grant_type: 'refresh_token', sid }, { cookie, ...headers });
    const withoutProof = await use({});
    expect(withoutProof).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof' }, cookies: [] });
    expect(await use(proofFor('/token', stranger))).toMatchObject({ body: { reason: 'wrong_key' }, cookies: [] });
    expect(await use(proofFor('/token', owner))).toMatchObject({
      status: 200,
      body: { token_type: 'DPoP' },
      cookies: [],
    });
  });
});

describe('binding a session', () => {
  test('a client that must bind its sessions gets none without a proof, and its code stays valid', async () => {
    const { verifier, challenge } = newVerifier();
    const { body } = await server.post('/authorize-challenge', {
      client_id: 'bound',
      ...CREDENTIALS,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    const form = {
      client_id: 'bound',
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
    };
    const refused = await server.post('/token', form);
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_dpop_proof', reason: 'proof_missing' } });
    expect(refused.headers['dpop-nonce']).toMatch(/^[\w-]{22}$/);
    expect(await server.post('/token', form, proofFor('/token', owner))).toMatchObject({ status: 200 });
  });

  test('a code that is bound to a key is exchanged with that key alone', async () => {
    const bound = { dpop_jkt: owner.jkt };
    expect(await exchange(null, 'native', bound)).toMatchObject({ status: 400, body: { reason: 'proof_missing' } });
    expect(await exchange(stranger, 'native', bound)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'wrong_key' },
    });
    expect(await exchange(owner, 'native', bound)).toMatchObject({ status: 200 });
  });

  test('a sign-in with a proof binds its code', async () => {
    const { challenge } = newVerifier();
    const form = { client_id: 'native', ...CREDENTIALS, code_challenge: challenge, code_challenge_method: 'S256' };
    const { status } = await server.post('/authorize-challenge', form, proofFor('/authorize-challenge', owner));
    expect(status).toBe(200);
    const { rows } = await server.holdfast.database.query(
      'SELECT dpop_jkt FROM holdfast.authorization_codes WHERE code_challenge = $1',
      [challenge],
    );
    expect(rows).toEqual([{ dpop_jkt: owner.jkt }]);
    const contradiction = { ...form, dpop_jkt: stranger.jkt };
    expect(
      await server.post('/authorize-challenge', contradiction, proofFor('/authorize-challenge', owner)),
    ).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });

  test('a bearer session stays one; the access token of a request with a proof is bound all the same', async () => {
    const tokens = await server.signIn();
    await server.letTimePass(tokens.sid, INTERVAL_MS);
    const answer = await refresh(tokens, proofFor('/token', owner));
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
    expect(await rowOf(tokens.sid)).toMatchObject({ dpop_jkt: null, generation: 1 });
    await server.letTimePass(tokens.sid, INTERVAL_MS);
    expect(await refresh(toTokens(answer))).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
  });
});

describe('at a resource server', () => {
  const verify = (authorization: string, dpop?: string) =>
    server.holdfast.verifyAccessToken(authorization, { method: 'GET', url: API_URL, dpop });
  const prove = (accessToken: string, prover = owner, claims: ProofClaims = {}): string =>
    prover.prove({ htm: 'GET', htu: API_URL, ath: athOf(accessToken), ...claims });

  test('a bound token needs its scheme, its key and a proof for this request', async () => {
    const { accessToken, sid } = await signInBound();
    const dpop = `DPoP ${accessToken}`;
    expect(await verify(dpop, prove(accessToken))).toMatchObject({ ok: true, claims: { sid } });

    const refusals: readonly [string, string | undefined, string][] = [
      // Downgrade: a thief leaves the proof out.
      [`Bearer ${accessToken}`, undefined, 'invalid_token'],
      [`Bearer ${accessToken}`, prove(accessToken), 'invalid_token'],
      [dpop, undefined, 'invalid_dpop_proof'],
      [dpop, prove(accessToken, stranger), 'invalid_token'],
      [dpop, prove('another token'), 'invalid_dpop_proof'],
      [dpop, prove(accessToken, owner, { htm: 'DELETE' }), 'invalid_dpop_proof'],
      [dpop, prove(accessToken, owner, { htu: `${API_URL}/1` }), 'invalid_dpop_proof'],
      [dpop, prove(accessToken, owner, { iat: 0 }), 'use_dpop_nonce'],
    ];
    for (const [authorization, proof, error] of refusals) {
      const verdict = await verify(authorization, proof);
      expect(verdict).toMatchObject({ ok: false, status: 401 });
      expect(verdict).toHaveProperty('wwwAuthenticate', expect.stringMatching(new RegExp(`^DPoP error="${error}"`)));
      expect(verdict).toHaveProperty('wwwAuthenticate', expect.stringContaining('algs="ES256 '));
    }
    expect(await verify(dpop, prove(accessToken, owner, { iat: 0 }))).toMatchObject({
      dpopNonce: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(await verify(dpop, prove(accessToken, owner, { iat: 0, nonce }))).toMatchObject({ ok: true });
    // A resource server that cannot check proofs must refuse bound tokens.
    expect(await server.holdfast.verifyAccessToken(dpop)).toMatchObject({ ok: false });
  });

  test('a bearer token is refused under the DPoP scheme', async () => {
    const { accessToken } = await server.signIn();
    expect(await verify(`DPoP ${accessToken}`, prove(accessToken))).toMatchObject({ ok: false });
    expect(await verify(`Bearer ${accessToken}`)).toMatchObject({ ok: true });
  });

  test('a request without a token gets a challenge with both schemes', async () => {
    expect(await verify('')).toMatchObject({ wwwAuthenticate: expect.stringMatching(/^Bearer, DPoP algs="/) });
  });
});
