import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createResourceGuard } from '../../resource/guard.ts';
import { followRevocations } from '../../resource/revocation-follower.ts';
import { startTestServer, type TestServer } from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const AUDIENCE = 'https://api.example';
const API = { id: 'notes api', secret: 'a secret of a resource server: + / = %' };

const SETTINGS = { audience: AUDIENCE, resourceServers: [API] };

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, { ...SETTINGS, policy: { revocationPollMs: 50 } });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

const authorization = `Basic ${Buffer.from(`${encodeURIComponent(API.id)}:${encodeURIComponent(API.secret)}`).toString('base64')}`;
const ask = (form: Readonly<Record<string, string>> = {}) => server.post('/revocations', form, { authorization });

test('is only for registered resource servers', async () => {
  const { accessToken } = await server.signIn();
  for (const credentials of [undefined, `Bearer ${accessToken}`, 'Basic eDp5']) {
    const answer = await server.post(
      '/revocations',
      {},
      credentials === undefined ? {} : { authorization: credentials },
    );
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  }
});

test('refuses an invalid cursor or wait', async () => {
  for (const form of [{ after: 'x' }, { wait: '61' }, { wait: '-1' }, { wait: '1e9' }]) {
    expect(await ask(form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  }
});

test('lists a session that ended in any way, and no live one', async () => {
  const [ended, replayed, living] = [await server.signIn(), await server.signIn(), await server.signIn()];
  await server.post('/revoke', { client_id: 'native', token: ended.refreshToken });
  await server.alter(replayed.sid, 'generation = 3');
  await server.letTimePass(replayed.sid, 60_000);
  await server.refresh(replayed.refreshToken);
  const nowSeconds = Date.now() / 1_000;
  const { revoked, cursor } = (await ask()).body as {
    readonly revoked: readonly { readonly sid: string; readonly exp: number }[];
    readonly cursor: string;
  };
  const expiries = new Map(revoked.map(({ sid, exp }) => [sid, exp]));
  expect([ended, replayed, living].map(({ sid }) => expiries.has(sid))).toEqual([true, true, false]);
  // At least until the last access token expires.
  expect(expiries.get(ended.sid)).toBeGreaterThanOrEqual(nowSeconds + 900);
  await server.holdfast.sessions.revoke(living.sid);
  expect(await ask({ after: cursor, wait: '30' })).toMatchObject({
    body: { revoked: [{ sid: living.sid }], more: false },
  });
});

describe('a resource server that follows revocations', () => {
  test("refuses a session's access tokens within seconds of its end, also across nodes and after a restart", async () => {
    // Two nodes: a follower of one learns of endings at the other.
    const other = await startTestServer(database.databaseUrl, SETTINGS);
    const listener = createServer(server.holdfast.listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const issuer = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const follow = () => followRevocations({ issuer, ...API });
    const guardWith = (revocations: ReturnType<typeof follow>) =>
      createResourceGuard({
        issuer: 'https://id.example',
        audience: AUDIENCE,
        jwksUri: `${issuer}/.well-known/jwks.json`,
        revocations,
      });
    const follower = follow();
    const guard = guardWith(follower);
    await follower.ready;
    const { sid, accessToken } = await other.signIn();
    const isAdmitted = async (by = guard): Promise<boolean> =>
      (await by.check({ method: 'GET', target: '/', authorization: `Bearer ${accessToken}`, dpop: undefined })).ok;
    expect(await isAdmitted()).toBe(true);
    const endedAtMs = performance.now();
    await other.holdfast.sessions.revoke(sid);
    await vi.waitFor(async () => expect(await isAdmitted()).toBe(false), { timeout: 10_000, interval: 5 });
    expect(performance.now() - endedAtMs).toBeLessThan(5_000);
    follower.close();

    const restarted = follow();
    await restarted.ready;
    expect(await isAdmitted(guardWith(restarted))).toBe(false);
    restarted.close();
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
    await other.holdfast.close();
  });
});

test('closing the server does not wait for open long polls', async () => {
  const leaving = await startTestServer(database.databaseUrl, SETTINGS);
  const { body } = await leaving.post('/revocations', {}, { authorization });
  const waiting = leaving.post('/revocations', { after: String(body['cursor']), wait: '60' }, { authorization });
  await leaving.holdfast.close();
  expect(await waiting).toMatchObject({ status: 200, body: { revoked: [] } });
});
