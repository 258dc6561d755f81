import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createHoldfast } from '../holdfast.ts';
import { createResourceGuard } from '../resource/guard.ts';
import { ISSUER, serverOptions, startTestServer, toTokens, type Answer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { AUDIENCE, createTestIssuer, createTestProofKey, TOKEN_ISSUER } from '../testing/issuer.ts';
import { athOf, createProver } from '../testing/proof.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
});
afterAll(() => database.drop());

const prover = createProver();
const refresh = (server: TestServer, refreshToken: string, dpop: string): Promise<Answer> =>
  server.post('/token', { client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken }, { dpop });
const prove = (nonce?: unknown): string => prover.prove({ htu: `${ISSUER}/token`, nonce });
const isNonceNeeded = { status: 400, body: { error: 'use_dpop_nonce' } };
const isReplay = { status: 400, body: { error: 'invalid_dpop_proof' } };

/** Two nodes on one database, and a proof that the first has accepted. */
async function useProof(dpopNonceScope: 'shared' | 'node') {
  const policy = { dpopNonceScope };
  const first = await startTestServer(database.databaseUrl, { policy });
  const second = await startTestServer(database.databaseUrl, { policy });
  const { refreshToken } = await first.signIn();
  const nonce = (await refresh(first, refreshToken, prove())).headers['dpop-nonce'];
  const proof = prove(nonce);
  const answer = await refresh(first, refreshToken, proof);
  expect(answer).toMatchObject({ status: 200 });
  const close = (): Promise<unknown> => Promise.all([first.holdfast.close(), second.holdfast.close()]);
  return { first, second, refreshToken, proof, policy, accessToken: toTokens(answer).accessToken, close };
}

describe('with nonces of each node', () => {
  test('a stolen proof works neither at another node nor after a restart', async () => {
    const { first, second, refreshToken, proof, policy, close } = await useProof('node');
    expect(await refresh(first, refreshToken, proof)).toMatchObject(isReplay);
    expect(await refresh(second, refreshToken, proof)).toMatchObject(isNonceNeeded);
    await close();
    const restarted = await startTestServer(database.databaseUrl, { policy });
    const answer = await refresh(restarted, refreshToken, proof);
    expect(answer).toMatchObject(isNonceNeeded);
    // The owner of the key goes on with the nonce of that answer.
    expect(await refresh(restarted, refreshToken, prove(answer.headers['dpop-nonce']))).toMatchObject({ status: 200 });
    await restarted.holdfast.close();
  });

  test('a proof that reaches both nodes many times at once is accepted once', async () => {
    const { first, second, refreshToken, close } = await useProof('node');
    const { headers } = await refresh(first, refreshToken, prove());
    const proof = prove(headers['dpop-nonce']);
    const everywhere = Array.from({ length: 32 }, (_, at) => refresh(at % 2 ? first : second, refreshToken, proof));
    const statuses = (await Promise.all(everywhere)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(31);
    await close();
  });

  test('the account endpoints require one too', async () => {
    const { first, second, accessToken, close } = await useProof('node');
    const ask = (
      server: TestServer,
      nonce?: unknown,
      dpop = prover.prove({ htm: 'GET', htu: `${ISSUER}/sessions`, ath: athOf(accessToken), nonce }),
    ) => server.ask('GET', '/sessions', null, {}, { authorization: `DPoP ${accessToken}`, dpop });
    const asked = await ask(first);
    expect(asked).toMatchObject({ status: 401, body: { error: 'use_dpop_nonce' } });
    const nonce = asked.headers['dpop-nonce'];
    const proof = prover.prove({ htm: 'GET', htu: `${ISSUER}/sessions`, ath: athOf(accessToken), nonce });
    expect(await ask(first, nonce, proof)).toMatchObject({ status: 200 });
    expect(await ask(second, nonce, proof)).toMatchObject({ status: 401, body: { error: 'use_dpop_nonce' } });
    await close();
  });

  test('a resource server accepts its own nonces and not those of another process', async () => {
    const issuer = createTestIssuer();
    const key = createTestProofKey();
    const token = issuer.token({ cnf: { jkt: key.jkt } });
    const start = () =>
      createResourceGuard({ issuer: TOKEN_ISSUER, audience: AUDIENCE, fetch: issuer.fetch, dpopNonceScope: 'node' });
    const [guard, other] = [start(), start()];
    const check = (by: typeof guard, dpop: string) =>
      by.check({ method: 'GET', target: '/', authorization: `DPoP ${token}`, dpop });
    const request = { method: 'GET', url: `${AUDIENCE}/`, token };
    const asked = await check(guard, key.prove(request));
    expect(asked).toMatchObject({ ok: false, error: 'use_dpop_nonce' });
    const proof = key.prove(request, { nonce: asked.ok ? '' : asked.headers['dpop-nonce'] });
    expect(await check(guard, proof)).toMatchObject({ ok: true });
    expect(await check(guard, proof)).toMatchObject({ ok: false, error: 'invalid_dpop_proof' });
    expect(await check(other, proof)).toMatchObject({ ok: false, error: 'use_dpop_nonce' });
  });
});

describe('with nonces that all nodes share', () => {
  // The limit that docs/protocol.md states in section 7.
  test('a client may go to any node; a proof is good for one use at each', async () => {
    const { first, second, refreshToken, proof, close } = await useProof('shared');
    expect(await refresh(first, refreshToken, proof)).toMatchObject(isReplay);
    expect(await refresh(second, refreshToken, proof)).toMatchObject({ status: 200 });
    expect(await refresh(second, refreshToken, proof)).toMatchObject(isReplay);
    await close();
  });
});

test('an unknown dpopNonceScope is refused at the start', async () => {
  const policy = { dpopNonceScope: 'cluster' as 'node' };
  await expect(createHoldfast({ ...serverOptions(database.databaseUrl), policy })).rejects.toThrow(/dpopNonceScope/);
  expect(() => createResourceGuard({ issuer: TOKEN_ISSUER, audience: AUDIENCE, ...policy })).toThrow(/dpopNonceScope/);
});
