import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { ISSUER, startTestServer, toTokens, type Answer, type TestServer, type Tokens } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createProver } from '../testing/proof.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const OLD = 'the old master secret, 32 bytes or more';
const NEW = 'the new master secret, 32 bytes or more';
const INTERVAL_MS = 60_000;
const key = createProver();

let database: TestDatabase;
const running = new Set<TestServer>();

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
});
afterAll(async () => {
  await Promise.all([...running].map(stop));
  await database.drop();
});

async function start(secret: string, acceptedSecrets: readonly string[] = [], retiredSecrets: readonly string[] = []) {
  const server = await startTestServer(database.databaseUrl, { secret, acceptedSecrets, retiredSecrets });
  running.add(server);
  return server;
}
async function stop(server: TestServer): Promise<void> {
  if (running.delete(server)) await server.holdfast.close();
}

/** Refreshes after an interval, so that the answer holds the next copy, minted by the node that answers. */
async function goOn(node: TestServer, { sid, refreshToken }: Tokens): Promise<Tokens> {
  await node.letTimePass(sid, INTERVAL_MS);
  const answer = await node.refresh(refreshToken);
  expect(answer).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
  return toTokens(answer);
}

async function useBound(node: TestServer, { refreshToken }: Tokens, nonce: unknown): Promise<Answer> {
  const proof = key.prove({ htu: `${ISSUER}/token`, nonce });
  const form = { client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken };
  return node.post('/token', form, { dpop: proof });
}

// The three steps of a roll-over on two nodes, each restarted in turn, with sessions that move from node to node.
test('the master secret rolls over on two nodes and no user is signed out', async () => {
  let a = await start(OLD);
  let b = await start(OLD);
  const sleeper = await a.signIn();
  const bound = await a.signIn();
  await a.alter(bound.sid, `dpop_jkt = '${key.jkt}'`);
  let active = await goOn(b, await a.signIn());
  const restart = async (node: TestServer, secret: string, accepted: readonly string[]): Promise<TestServer> => {
    await stop(node);
    const restarted = await start(secret, accepted);
    // After every restart, on every node, in both directions.
    for (const next of [a, b].map((running_) => (running_ === node ? restarted : running_)))
      active = await goOn(next, active);
    return restarted;
  };
  a = await restart(a, OLD, [NEW]);
  b = await restart(b, OLD, [NEW]);
  a = await restart(a, NEW, [OLD]);
  // Now one node mints under the new secret and the other under the old one. Both accept each other's nonces too.
  const nonce = (await useBound(a, bound, 'made up')).headers['dpop-nonce'];
  expect(await useBound(b, bound, nonce)).toMatchObject({ status: 200 });
  b = await restart(b, NEW, [OLD]);
  // Clients that were away during the roll-over come back.
  expect(await useBound(b, bound, nonce)).toMatchObject({ status: 200 });
  await goOn(b, sleeper);
  a = await restart(a, NEW, []);
  b = await restart(b, NEW, []);
  expect(await a.holdfast.verifyAccessToken(`Bearer ${active.accessToken}`)).toMatchObject({ ok: true });
});

test('a copy under a secret that this node does not know is answered "not now", under a retired one "never"', async () => {
  const minting = await start(NEW, [OLD]);
  const { refreshToken } = await minting.signIn();
  const stranger = await start(NEW, [OLD, `${NEW}, the next`]);
  const next = await start(`${NEW}, the next`, [NEW, OLD]);
  const early = await next.signIn();
  // An operator's mistake: a node mints before every other node has the secret. Still no user is signed out.
  expect(await minting.refresh(early.refreshToken)).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { error: 'temporarily_unavailable' },
  });
  expect(await stranger.refresh(early.refreshToken)).toMatchObject({ status: 200 });
  await stop(minting);
  await stop(stranger);
  const final = await start(`${NEW}, the next`, [], [NEW]);
  expect(await final.refresh(refreshToken)).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant', reason: 'retired_key' },
  });
  expect(await final.refresh(early.refreshToken)).toMatchObject({ status: 200 });
});
