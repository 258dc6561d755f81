import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { ISSUER, newVerifier, startTestServer, toTokens, type TestServer, type Tokens } from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;
let account: { readonly username: string; readonly password: string };
let accounts = 0;
let phone: Tokens;
let laptop: Tokens;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
// A new user with two devices for each test.
beforeEach(async () => {
  account = { username: `user ${++accounts}`, password: 'correct horse battery' };
  await server.holdfast.users.create({ ...account, name: 'Ada' });
  phone = await server.signIn('native', account);
  laptop = await server.signIn('native', account);
});

type Listed = Readonly<Record<string, unknown>>;

async function list(accessToken: string): Promise<readonly Listed[]> {
  const answer = await server.ask('GET', '/sessions', accessToken);
  expect(answer.status).toBe(200);
  return answer.body['sessions'] as readonly Listed[];
}

const isAlive = async ({ refreshToken }: Tokens): Promise<boolean> =>
  (await server.refresh(refreshToken)).status === 200;

/** Returns an access token of a session whose user authenticated an hour ago. */
async function grownOld({ sid, refreshToken }: Tokens): Promise<string> {
  await server.alter(sid, "auth_time = auth_time - interval '1 hour'");
  return String((await server.refresh(refreshToken)).body['access_token']);
}

describe('the list of sessions', () => {
  test('lists every device, when and where it was used, and marks the caller’s', async () => {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const sessions = await list(phone.accessToken);
    expect(sessions).toHaveLength(2);
    expect(sessions).toContainEqual({
      sid: phone.sid,
      device_id: phone.deviceId,
      current: true,
      client_id: 'native',
      device_label: null,
      user_agent: '',
      address: '192.0.2.1',
      created_at: expect.any(Number),
      last_used_at: expect.any(Number),
      expires_at: expect.any(Number),
      signed_in_with: 'password',
      auth_time: expect.any(Number),
      amr: ['pwd'],
      acr: 'aal1',
    });
    for (const { last_used_at: lastUsedAt, created_at: createdAt } of sessions) {
      expect(Math.abs(Number(lastUsedAt) - nowSeconds)).toBeLessThan(60);
      expect(Math.abs(Number(createdAt) - nowSeconds)).toBeLessThan(60);
    }
  });

  test('shows the last use instead of the sign-in, and never a token', async () => {
    await server.letTimePass(phone.sid, 3_600_000);
    const before = (await list(laptop.accessToken)).find(({ sid }) => sid === phone.sid);
    expect(Number(before?.['last_used_at'])).toBeLessThan(Date.now() / 1_000 - 3_000);
    await server.refresh(phone.refreshToken);
    const after = (await list(laptop.accessToken)).find(({ sid }) => sid === phone.sid);
    expect(Number(after?.['last_used_at'])).toBeGreaterThan(Date.now() / 1_000 - 60);
    expect(Number(after?.['created_at'])).toBeLessThan(Date.now() / 1_000 - 3_000);
    expect(JSON.stringify(await list(phone.accessToken))).not.toMatch(/hfrt_|eyJ/);
  });

  test('has one entry for a device that signed in again, before and after its new token is used', async () => {
    await server.ask('PATCH', `/sessions/${phone.sid}`, phone.accessToken, { device_label: 'Phone' });
    const again = await server.signIn('native', {
      ...account,
      replaces: phone.sid,
      replaces_token: phone.refreshToken,
    });
    const between = await list(laptop.accessToken);
    expect(between).toHaveLength(2);
    expect(new Set(between.map((device) => device['device_id']))).toEqual(new Set([phone.deviceId, laptop.deviceId]));
    await server.refresh(again.refreshToken);
    const after = await list(laptop.accessToken);
    expect(new Set(after.map(({ sid }) => sid))).toEqual(new Set([again.sid, laptop.sid]));
    expect(after.find(({ sid }) => sid === again.sid)).toMatchObject({ device_label: 'Phone' });
  });

  test('omits ended sessions and other users’ sessions', async () => {
    await server.holdfast.sessions.revoke(phone.sid);
    expect((await list(laptop.accessToken)).map(({ sid }) => sid)).toEqual([laptop.sid]);
  });

  test.each([
    ['nothing', null],
    ['garbage', 'garbage'],
  ])('requested with %s is refused as RFC 6750 requires', async (_case, accessToken) => {
    const refused = await server.ask('GET', '/sessions', accessToken);
    expect(refused).toMatchObject({ status: 401 });
    const challenge = String(refused.headers['www-authenticate']);
    expect(challenge).toMatch(
      accessToken === null ? /^Bearer, DPoP [^,]*, resource_metadata="[^"]*"$/ : /^Bearer error="invalid_token"/,
    );
  });

  test('of an ended session is refused at once, although its access token is still valid', async () => {
    await server.holdfast.sessions.revoke(phone.sid);
    expect(await server.ask('GET', '/sessions', phone.accessToken)).toMatchObject({ status: 401 });
  });
});

describe('a device', () => {
  test('has the name that its user gave it, up to the maximum length', async () => {
    const path = `/sessions/${phone.sid}`;
    const rename = (label: string) => server.ask('PATCH', path, laptop.accessToken, { device_label: label });
    expect(await rename('Ada’s phone')).toMatchObject({ status: 204 });
    expect(await list(phone.accessToken)).toContainEqual(expect.objectContaining({ device_label: 'Ada’s phone' }));
    expect(await rename('x'.repeat(65))).toMatchObject({ status: 400 });
    expect(await rename('')).toMatchObject({ status: 204 });
    expect(await list(phone.accessToken)).not.toContainEqual(expect.objectContaining({ device_label: 'Ada’s phone' }));
  });
});

describe('ending a session', () => {
  test('of another device signs out that device only', async () => {
    expect(await server.ask('DELETE', `/sessions/${phone.sid}`, laptop.accessToken)).toMatchObject({ status: 204 });
    expect(await isAlive(phone)).toBe(false);
    expect(await isAlive(laptop)).toBe(true);
    expect(server.events).toContainEqual(expect.objectContaining({ sid: phone.sid, reason: 'user' }));
    expect(await server.ask('DELETE', `/sessions/${phone.sid}`, laptop.accessToken)).toMatchObject({ status: 404 });
  });

  test('of another user is answered like an unknown one and ends nothing', async () => {
    const stranger = await server.signIn();
    expect(await server.ask('DELETE', `/sessions/${phone.sid}`, stranger.accessToken)).toMatchObject({ status: 404 });
    expect(await server.ask('PATCH', `/sessions/${phone.sid}`, stranger.accessToken)).toMatchObject({ status: 404 });
    expect(await server.ask('DELETE', '/sessions/nonsense', stranger.accessToken)).toMatchObject({ status: 404 });
    expect(await isAlive(phone)).toBe(true);
  });

  test('requires a recent authentication for other sessions, and never for the caller’s own', async () => {
    const old = await grownOld(laptop);
    for (const path of ['/sessions', `/sessions/${phone.sid}`]) {
      const refused = await server.ask('DELETE', path, old);
      expect(refused).toMatchObject({ status: 401, body: { error: 'insufficient_user_authentication' } });
      expect(refused.headers['www-authenticate']).toMatch(/error="insufficient_user_authentication".*max_age="300"/);
    }
    expect(await isAlive(phone)).toBe(true);
    expect(await server.ask('DELETE', `/sessions/${laptop.sid}`, old)).toMatchObject({ status: 204 });
    expect(await isAlive(laptop)).toBe(false);
  });

  test('of all others spares the caller’s own', async () => {
    const tablet = await server.signIn('native', account);
    const answer = await server.ask('DELETE', '/sessions', laptop.accessToken);
    expect(answer).toMatchObject({ status: 200, body: { ended: 2 } });
    expect([await isAlive(phone), await isAlive(tablet), await isAlive(laptop)]).toEqual([false, false, true]);
  });

  test('of all others voids a sign-in under way, so a thief cannot complete it', async () => {
    const { challenge, verifier } = newVerifier();
    const { body } = await server.post('/authorize-challenge', {
      client_id: 'native',
      ...account,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    await server.ask('DELETE', '/sessions', laptop.accessToken);
    const exchange = await server.post('/token', {
      client_id: 'native',
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
    });
    expect(exchange).toMatchObject({ status: 400, body: { reason: 'code' } });
  });

  test('of all others during sign-ins leaves none alive that began before', async () => {
    const begin = async () => {
      const { challenge, verifier } = newVerifier();
      const form = { client_id: 'native', ...account, code_challenge: challenge, code_challenge_method: 'S256' };
      const { body } = await server.post('/authorize-challenge', form);
      return { client_id: 'native', code: String(body['authorization_code']), code_verifier: verifier };
    };
    const codes = await Promise.all(Array.from({ length: 12 }, begin));
    const exchange = (code: Readonly<Record<string, string>>) =>
      server.post('/token', { grant_type: 'authorization_code', ...code });
    const early = codes.slice(0, 6).map(exchange);
    const ended = server.ask('DELETE', '/sessions', laptop.accessToken);
    const answers = await Promise.all([...early, ...codes.slice(6).map(exchange)]);
    await ended;
    const made = answers.filter(({ status }) => status === 200).map(toTokens);
    expect(await Promise.all(made.map(isAlive))).toEqual(made.map(() => false));
    expect(await isAlive(laptop)).toBe(true);
  });

  test('is answered only to pages of the client', async () => {
    const web = await server.signIn('web', account);
    const origin = 'https://app.example';
    const preflight = await server.ask('OPTIONS', `/sessions/${phone.sid}`, null, {}, { origin });
    expect(preflight).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-methods': 'PATCH, DELETE', 'access-control-allow-origin': origin },
    });
    const own = await server.ask('GET', '/sessions', web.accessToken, {}, { origin });
    expect(own.headers).toMatchObject({ 'access-control-allow-origin': origin });
    const foreign = await server.ask('GET', '/sessions', phone.accessToken, {}, { origin });
    expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
    expect(ISSUER).not.toBe(origin);
  });

  test.each([
    ['POST', '/sessions', 'GET, DELETE'],
    ['GET', '/passkeys/options', 'POST'],
    ['PUT', '/password', 'POST, DELETE'],
    ['constructor', '/password', 'POST, DELETE'],
  ])('by %s %s is answered with the allowed methods', async (method, path, allow) => {
    expect(await server.ask(method, path, phone.accessToken)).toMatchObject({ status: 405, headers: { allow } });
  });
});
