import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { CREDENTIALS, ISSUER, newVerifier, startTestServer, toTokens, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { athOf, createProver } from '../testing/proof.ts';
import { createResourceGuard, type ResourceGuard } from './guard.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const AUDIENCE = 'https://api.example';

let database: TestDatabase;
let server: TestServer;
let guard: ResourceGuard;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, { audience: AUDIENCE });
  // Metadata and keys come from the server itself.
  const fetch = (url: string, init: RequestInit): Promise<Response> => server.holdfast.fetch(new Request(url, init));
  guard = createResourceGuard({ issuer: ISSUER, audience: AUDIENCE, fetch });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

const check = (authorization: string, dpop?: string) =>
  guard.check({ method: 'GET', target: '/notes', authorization, dpop }, { scope: ['notes'] });

test('a token of a real server is admitted only by a resource server of its audience', async () => {
  const { accessToken, sid } = await server.signIn();
  expect(await check(`Bearer ${accessToken}`)).toMatchObject({ ok: true, claims: { sid, client_id: 'native' } });
  const fetch = (url: string, init: RequestInit): Promise<Response> => server.holdfast.fetch(new Request(url, init));
  const other = createResourceGuard({ issuer: ISSUER, audience: 'https://other.example', fetch });
  const request = { method: 'GET', target: '/', authorization: `Bearer ${accessToken}`, dpop: undefined };
  expect(await other.check(request)).toMatchObject({ ok: false, status: 401, error: 'invalid_token' });
});

test("a real server's bound token is admitted with a proof by its key, and is useless to a thief", async () => {
  const prover = createProver();
  const { verifier, challenge } = newVerifier();
  const { body } = await server.post('/authorize-challenge', {
    client_id: 'native',
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const exchange = (nonce?: string) =>
    server.post(
      '/token',
      {
        client_id: 'native',
        grant_type: 'authorization_code',
        code: String(body['authorization_code']),
        code_verifier: verifier,
      },
      { dpop: prover.prove({ htu: `${ISSUER}/token`, nonce }) },
    );
  const refused = await exchange();
  expect(refused).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } });
  const { accessToken } = toTokens(await exchange(String(refused.headers['dpop-nonce'])));
  const prove = (key = prover) => key.prove({ htm: 'GET', htu: `${AUDIENCE}/notes`, ath: athOf(accessToken) });
  expect(await check(`DPoP ${accessToken}`, prove())).toMatchObject({ ok: true, claims: { cnf: { jkt: prover.jkt } } });
  for (const attempt of [
    check(`Bearer ${accessToken}`),
    check(`DPoP ${accessToken}`),
    check(`DPoP ${accessToken}`, prove(createProver())),
  ]) {
    expect(await attempt).toMatchObject({ ok: false, status: 401 });
  }
});
