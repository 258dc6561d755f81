import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { openBrowser, type TestBrowser } from '../testing/browser.ts';
import { startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
  await server.holdfast.users.create({ username: 'bob', password: 'a battery of horses', name: 'Bob' });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

/** Returns why each session ended; null for a live one. */
async function endings(sids: readonly string[]): Promise<readonly (string | null)[]> {
  const { rows } = await server.holdfast.database.query<{ id: string; revoked_reason: string | null }>(
    'SELECT id, revoked_reason FROM holdfast.sessions WHERE id = ANY($1)',
    [sids],
  );
  return sids.map((sid) => rows.find(({ id }) => id === sid)?.revoked_reason ?? null);
}

/** Signs in the given number of times, each time as a page that knows no earlier session. */
async function signInAnew(browser: TestBrowser, times: number): Promise<readonly string[]> {
  const sids: string[] = [];
  for (let time = 0; time < times; time++) sids.push((await browser.signIn({}, null)).sid);
  return sids;
}

/** Opens a browser with the given number of cookies of ended sessions. */
async function openBrowserWithDead(count: number): Promise<TestBrowser> {
  const browser = openBrowser(server);
  for (let time = 0; time < count; time++) {
    const { sid, cookie } = await server.signIn('web');
    browser.jar.set(...(cookie.split('=') as [string, string]));
    await server.holdfast.sessions.revoke(sid);
  }
  return browser;
}

describe('one tab that authenticates repeatedly', () => {
  test('has two cookies at most, with and without a refresh in between', async () => {
    const browser = openBrowser(server);
    let { sid } = await browser.signIn();
    for (let time = 0; time < 20; time++) {
      const used = time % 4 === 3 ? await browser.refresh({ sid }) : null;
      expect(used?.status ?? 200).toBe(200);
      ({ sid } = await browser.signIn({ replaces: sid }));
      expect(browser.jar.size).toBeLessThanOrEqual(2);
    }
    expect(await browser.refresh({ sid })).toMatchObject({ status: 200, body: { sid } });
    expect(browser.jar.size).toBe(1);
    expect(await browser.post('/revoke', { sid })).toMatchObject({ status: 200 });
    expect(browser.jar.size).toBe(0);
  });

  test('has two cookies at most even if its storage is lost each time and the cookie alone proves the device', async () => {
    const browser = openBrowser(server);
    let { sid } = await browser.signIn({}, null);
    for (let time = 0; time < 5; time++) ({ sid } = await browser.signIn({ replaces: sid }, null));
    expect(browser.jar.size).toBeLessThanOrEqual(2);
    expect(await browser.refresh()).toMatchObject({ status: 200, body: { sid } });
  });
});

describe('a browser that lost its storage before each sign-in', () => {
  test('keeps at most eight cookies, the most recently used ones', async () => {
    const browser = openBrowser(server);
    const early = await signInAnew(browser, 3);
    // Refresh one of the early sessions after these were made.
    const late = await signInAnew(browser, 4);
    await server.letTimePass(late[0] ?? '', 0);
    expect(await browser.refresh({ sid: early[1] ?? '' })).toMatchObject({ status: 200 });
    for (let time = 0; time < 5; time++) {
      await signInAnew(browser, 1);
      expect(browser.jar.size).toBeLessThanOrEqual(8);
    }
    expect(await endings(early)).toEqual(['limit', null, 'limit']);
    expect((await endings(late)).filter((reason) => reason === 'limit')).toHaveLength(2);
  });

  test('keeps a session with a higher `acr` although it is the least recently used', async () => {
    const browser = openBrowser(server);
    const [strong = ''] = await signInAnew(browser, 1);
    await server.alter(strong, "acr = 'aal2'");
    const weak = await signInAnew(browser, 8);
    expect(await endings([strong])).toEqual([null]);
    expect((await endings(weak)).filter((reason) => reason === 'limit')).toHaveLength(1);
    expect(browser.jar.size).toBe(8);
  });

  test('ends no session that the exchange names, and none of another user or browser', async () => {
    const elsewhere = await server.signIn('web');
    const browser = openBrowser(server);
    const bob = await browser.signIn({ username: 'bob', password: 'a battery of horses' });
    const [first = '', ...others] = await signInAnew(browser, 8);
    await browser.signIn({ replaces: first }, null);
    expect(await endings([elsewhere.sid, bob.sid, first])).toEqual([null, null, null]);
    expect((await endings(others)).filter((reason) => reason === 'limit')).toHaveLength(1);
    expect(browser.jar.size).toBe(9);
  });
});

describe('a browser with 100 cookies of ended sessions', () => {
  test('signs in, refreshes and signs out, and each response clears 20 of them', async () => {
    const browser = await openBrowserWithDead(100);
    const { sid } = await browser.signIn();
    expect(browser.jar.size).toBe(81);
    expect(await browser.refresh({ sid })).toMatchObject({ status: 200, body: { sid } });
    expect(browser.jar.size).toBe(61);
    // A request that names no session gets the only live one.
    expect(await browser.refresh()).toMatchObject({ status: 200, body: { sid } });
    expect(browser.jar.size).toBe(41);
    const dead = { sid: '00000000-0000-0000-0000-000000000000' };
    expect(await browser.refresh(dead)).toMatchObject({ status: 400, body: { reason: 'unknown' } });
    expect(browser.jar.size).toBe(21);
    expect(await browser.post('/revoke', { sid })).toMatchObject({ status: 200 });
    // The session's own cookie is one of the 20.
    expect(browser.jar.size).toBe(1);
  });

  test('loses no cookie of a live session, whichever user owns it', async () => {
    const browser = await openBrowserWithDead(3);
    const bob = await browser.signIn({ username: 'bob', password: 'a battery of horses' });
    const ada = await browser.signIn();
    await browser.refresh({ sid: ada.sid });
    expect(browser.jar.size).toBe(2);
    expect(await browser.refresh({ sid: bob.sid })).toMatchObject({ status: 200 });
    expect(await browser.refresh()).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', sessions: [ada.sid, bob.sid].toSorted() },
    });
  });
});

describe('several live sessions of one chain in one browser', () => {
  test('count as one, the newest', async () => {
    const browser = openBrowser(server);
    const first = await browser.signIn();
    const second = await browser.signIn({ replaces: first.sid });
    expect(second.deviceId).toBe(first.deviceId);
    expect(browser.jar.size).toBe(2);
    expect(await browser.refresh()).toMatchObject({ status: 200, body: { sid: second.sid } });
    expect(await endings([first.sid])).toEqual(['replaced']);
    expect(browser.jar.size).toBe(1);
  });

  test('a page that names an ended one learns its successor, and its cookie is cleared', async () => {
    const browser = openBrowser(server);
    const first = await browser.signIn();
    const second = await browser.signIn({ replaces: first.sid });
    await server.holdfast.database.query(
      "UPDATE holdfast.sessions SET revoked_at = now(), revoked_reason = 'replaced' WHERE id = $1",
      [first.sid],
    );
    const answer = await browser.refresh({ sid: first.sid });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'replaced', successor: second.sid },
    });
    expect(browser.jar.size).toBe(1);
    // The same answer without that cookie.
    const again = {
      status: 400,
      body: { error: 'invalid_grant', reason: 'replaced', successor: second.sid },
      cookies: [],
    };
    expect(await browser.refresh({ sid: first.sid })).toMatchObject(again);
    expect(await browser.refresh({ sid: second.sid })).toMatchObject({ status: 200, body: { sid: second.sid } });
  });

  test('a successor is named only if its cookie is in the request and it is of the same device', async () => {
    const browser = openBrowser(server);
    const first = await browser.signIn();
    await browser.signIn({ replaces: first.sid });
    const stranger = openBrowser(server);
    expect(await stranger.refresh({ sid: first.sid })).toMatchObject({ status: 400, body: { reason: 'unknown' } });
    await stranger.signIn();
    const answer = await stranger.refresh({ sid: first.sid });
    expect(answer).toMatchObject({ status: 400, body: { reason: 'unknown' } });
    expect(answer.body).not.toHaveProperty('successor');
  });
});

describe('a discarded sign-in', () => {
  test('ends alone, and the winning session and its cookie stay', async () => {
    const browser = openBrowser(server);
    const lost = await browser.signIn();
    const won = await browser.signIn({ replaces: lost.sid });
    expect(await browser.post('/revoke', { sid: lost.sid, discard: 'true' })).toMatchObject({ status: 200 });
    expect(await endings([lost.sid, won.sid])).toEqual(['discarded', null]);
    expect(await browser.refresh({ sid: won.sid })).toMatchObject({ status: 200 });
    expect(browser.jar.size).toBe(1);
  });

  test('ends alone if it is the later one, where a sign-out would also end the earlier ones', async () => {
    const browser = openBrowser(server);
    const first = await browser.signIn();
    const second = await browser.signIn({ replaces: first.sid });
    expect(await browser.post('/revoke', { sid: second.sid, discard: 'true' })).toMatchObject({ status: 200 });
    expect(await endings([first.sid, second.sid])).toEqual([null, 'discarded']);
    const third = await browser.signIn({ replaces: first.sid });
    expect(await browser.post('/revoke', { sid: third.sid })).toMatchObject({ status: 200 });
    expect(await endings([first.sid, third.sid])).toEqual(['signed_out', 'signed_out']);
    expect(browser.jar.size).toBe(0);
  });

  test.each([
    ['a value that is neither', { discard: '1' }],
    ['together with everywhere', { discard: 'true', everywhere: 'true' }],
  ])('%s is refused, and nothing ends', async (_, form) => {
    const browser = openBrowser(server);
    const { sid } = await browser.signIn();
    expect(await browser.post('/revoke', { sid, ...form })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
    expect(await endings([sid])).toEqual([null]);
  });
});
