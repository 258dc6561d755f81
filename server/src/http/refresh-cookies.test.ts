import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { startTestServer, toTokens, type Answer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

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

const refresh = (cookie: string, form: Readonly<Record<string, string>> = {}, headers = {}): Promise<Answer> =>
  server.post('/token', { client_id: 'web', grant_type: 'refresh_token', ...form }, { cookie, ...headers });

describe('a cookie', () => {
  test('is out of reach of page scripts and other sites, and lives as long as the session', async () => {
    const { sid, cookie, refreshToken } = await server.signIn('web');
    expect(refreshToken).toBe('undefined');
    expect(cookie).toMatch(new RegExp(`^__Host-holdfast-[0-9a-f]{8}-${sid.replaceAll('-', '').slice(0, 12)}=hfrt_`));
    await server.letTimePass(sid, 60_000);
    const { cookies } = await refresh(cookie, { sid });
    expect(cookies).toEqual([
      expect.stringMatching(
        /^__Host-holdfast-[0-9a-f]{8}-[0-9a-f]{12}=hfrt_[A-Za-z0-9_-]{88}; Max-Age=25919[0-9]{2}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
      ),
    ]);
  });

  test('is set only if a refresh token is handed out', async () => {
    const { sid, cookie } = await server.signIn('web');
    expect(await refresh(cookie, { sid })).toMatchObject({ status: 200, cookies: [] });
  });

  test('of one session is never changed by a response about another', async () => {
    const ada = await server.signIn('web');
    const again = await server.signIn('web');
    const jar = `${ada.cookie}; theme=dark; ${again.cookie}`;
    await server.holdfast.sessions.revoke(ada.sid);
    const answer = await refresh(jar, { sid: ada.sid });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'revoked' } });
    expect(answer.cookies).toEqual([expect.stringContaining(`${ada.cookie.split('=')[0]}=; Max-Age=0;`)]);
    expect(await refresh(jar, { sid: again.sid })).toMatchObject({ status: 200, body: { sid: again.sid } });
  });

  test('is kept if the scope is wrong', async () => {
    const { sid, cookie } = await server.signIn('web');
    expect(await refresh(cookie, { sid, scope: 'admin' })).toMatchObject({ status: 400, cookies: [] });
  });
});

describe('several sessions in one browser', () => {
  test('a request without a cookie has no session', async () => {
    expect(await refresh('')).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'unknown' } });
    expect(await refresh('theme=dark')).toMatchObject({ status: 400, body: { reason: 'unknown' } });
  });

  test('the only session needs no name', async () => {
    const { sid, cookie } = await server.signIn('web');
    expect(await refresh(cookie)).toMatchObject({ status: 200, body: { sid } });
  });

  test('with several live ones the client gets the list, and with one live one that session', async () => {
    const a = await server.signIn('web');
    const b = await server.signIn('web');
    const jar = `${a.cookie}; ${b.cookie}`;
    expect(await refresh(jar)).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', sessions: [a.sid, b.sid].toSorted() },
      cookies: [],
    });
    await server.holdfast.sessions.revoke(a.sid);
    expect(await refresh(jar)).toMatchObject({ status: 200, body: { sid: b.sid } });
    await server.holdfast.sessions.revoke(b.sid);
    expect(await refresh(jar)).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'revoked' } });
  });

  test('no other cookie replaces that of a named session', async () => {
    const { cookie, sid } = await server.signIn('web');
    const other = `${sid.slice(0, -1)}${sid.endsWith('0') ? '1' : '0'}`;
    // Same cookie name, different session.
    expect(await refresh(cookie, { sid: other })).toMatchObject({
      status: 400,
      body: { reason: 'unknown' },
      cookies: [],
    });
    expect(await refresh(cookie, { sid: 'ffffffff-0000-0000-0000-000000000000' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'unknown' },
      cookies: [],
    });
    expect(await refresh(cookie, { sid: 'not-a-uuid' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });

  test('a damaged cookie is ignored and clears nothing', async () => {
    const { cookie, sid } = await server.signIn('web');
    for (const named of [{ sid }, {}]) {
      expect(await refresh(cookie.slice(0, -3), named)).toMatchObject({
        status: 400,
        body: { error: 'invalid_grant', reason: 'unknown' },
        cookies: [],
      });
    }
  });

  test('a client with cookies cannot send its token in the body', async () => {
    const { refreshToken } = await server.signIn('native');
    expect(await refresh('', { refresh_token: refreshToken })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });
});

describe('forgery from another site', () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ['without the header that a form cannot send', { 'holdfast-request': '' }],
    ['from a foreign origin', { origin: 'https://evil.example' }],
    ['from an opaque origin', { origin: 'null' }],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
  ])('%s changes nothing', async (_, headers) => {
    const { cookie, sid } = await server.signIn('web');
    const csrf = { status: 403, body: { error: 'access_denied', reason: 'csrf' }, cookies: [] };
    expect(await refresh(cookie, { sid }, headers)).toMatchObject(csrf);
    expect(await server.post('/revoke', { client_id: 'web', sid }, { cookie, ...headers })).toMatchObject(csrf);
    expect(await refresh(cookie, { sid })).toMatchObject({ status: 200 });
  });

  test.each<Readonly<Record<string, string>>>([
    { origin: 'https://app.example', 'sec-fetch-site': 'same-site' },
    { origin: 'https://id.example', 'sec-fetch-site': 'same-origin' },
  ])("a page of the client's own gets through: %j", async (headers) => {
    const { cookie, sid } = await server.signIn('web');
    expect(await refresh(cookie, { sid }, headers)).toMatchObject({ status: 200 });
  });
});

describe('sign-out', () => {
  test('by cookie ends the named session and removes its cookie', async () => {
    const { cookie, sid } = await server.signIn('web');
    const answer = await server.post('/revoke', { client_id: 'web', sid }, { cookie });
    expect(answer).toMatchObject({ status: 200, body: {} });
    expect(answer.cookies).toEqual([expect.stringContaining('=; Max-Age=0;')]);
    expect(await refresh(cookie, { sid })).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  });

  test('succeeds without a cookie or with a damaged one, because the browser is signed out in any case', async () => {
    const { cookie, sid } = await server.signIn('web');
    for (const jar of ['', cookie.slice(0, -2)]) {
      const answer = await server.post('/revoke', { client_id: 'web', sid }, { cookie: jar });
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.cookies).toHaveLength(1);
    }
    expect(await server.post('/revoke', { client_id: 'web' })).toMatchObject({ status: 400 });
  });

  test('by token works with the newest refresh token and with the last one if its successor was lost', async () => {
    const first = await server.signIn();
    await server.letTimePass(first.sid, 60_000);
    expect(await server.refresh(first.refreshToken)).toMatchObject({ status: 200 });
    const revoke = (token: string) => server.post('/revoke', { client_id: 'native', token });
    expect(await revoke(first.refreshToken)).toMatchObject({ status: 200, body: {} });
    expect(await server.refresh(first.refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
    expect(await revoke(first.refreshToken)).toMatchObject({ status: 200 });
    const second = await server.signIn();
    await revoke(second.refreshToken);
    expect(await server.refresh(second.refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  });

  test('by a forked token is reuse, and waits while a rotation may be under way', async () => {
    const first = await server.signIn();
    await server.letTimePass(first.sid, 60_000);
    const a = toTokens(await server.refresh(first.refreshToken)).refreshToken;
    await server.letTimePass(first.sid, 60_000);
    const b = toTokens(await server.refresh(first.refreshToken)).refreshToken;
    await server.letTimePass(first.sid, 60_000);
    await server.refresh(a);
    const revoke = () => server.post('/revoke', { client_id: 'native', token: b });
    expect(await revoke()).toMatchObject({ status: 429, body: { reason: 'wait' } });
    await server.letTimePass(first.sid, 60_000);
    expect(await revoke()).toMatchObject({ status: 200 });
    expect(await server.refresh(a)).toMatchObject({ status: 400, body: { reason: 'reuse' } });
  });

  test('by another client is refused', async () => {
    const { refreshToken } = await server.signIn();
    const answer = await server.post('/revoke', { client_id: 'other', token: refreshToken });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'wrong_client' } });
    expect(await server.refresh(refreshToken)).toMatchObject({ status: 200 });
  });
});
