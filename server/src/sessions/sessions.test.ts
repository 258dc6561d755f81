import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { SECRET, startTestServer, toTokens, type TestServer, type Tokens } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { formatRefreshToken, newNonce, parseRefreshToken } from '../tokens/refresh-token.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INTERVAL_MS = 60_000;
const ring = createKeyRing(SECRET);

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
beforeEach(() => {
  server.events.length = 0;
});

/** Signs in and advances one interval, so that the next refresh rotates. */
async function signInEarlier(): Promise<Tokens> {
  const tokens = await server.signIn();
  await server.letTimePass(tokens.sid, INTERVAL_MS);
  return tokens;
}

async function refreshToken(token: string): Promise<string> {
  const answer = await server.refresh(token);
  expect(answer).toMatchObject({ status: 200, body: { refresh_token: expect.stringMatching(/^hfrt_/) } });
  return toTokens(answer).refreshToken;
}

const outcomes = (): readonly string[] =>
  server.events.flatMap((event) => (event.type === 'refresh.answered' ? [event.outcome] : []));

describe('one holder', () => {
  test('gets no refresh token right after sign-in and keeps its copy', async () => {
    const { refreshToken: first, sid } = await server.signIn();
    const { status, body } = await server.refresh(first);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'notes profile', sid });
    expect(body).not.toHaveProperty('refresh_token');
    expect(outcomes()).toEqual(['access_token_only']);
  });

  test('goes on through many rotations', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    let token = first;
    for (let generation = 1; generation <= 3; generation++) {
      token = await refreshToken(token);
      expect(parseRefreshToken(token, ring)).toMatchObject({ kind: 'genuine', token: { sid, generation } });
      await server.letTimePass(sid, INTERVAL_MS);
    }
    expect(outcomes()).toEqual(['rotated', 'rotated', 'rotated']);
  });

  test('whose answer was lost gets another copy, even an hour later', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    const lost = await refreshToken(first);
    await server.letTimePass(sid, 3_600_000);
    const again = await refreshToken(first);
    expect(again).not.toBe(lost);
    await server.letTimePass(sid, INTERVAL_MS);
    await refreshToken(again);
    expect(outcomes()).toEqual(['rotated', 'redelivered', 'rotated']);
  });

  test('goes on after the database lost the last rotation', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    const newest = await refreshToken(first);
    await server.alter(sid, 'generation = 0, rotated_by = NULL');
    expect(await server.refresh(newest)).toMatchObject({ status: 200 });
    await server.letTimePass(sid, INTERVAL_MS);
    await refreshToken(newest);
    expect(outcomes()).toEqual(['rotated', 'healed', 'rotated']);
  });

  test('may ask for less scope than the grant, and keeps the grant', async () => {
    const { refreshToken: first } = await signInEarlier();
    const { body } = await server.refresh(first, { scope: 'notes' });
    expect(body).toMatchObject({ scope: 'notes' });
    expect(await server.refresh(String(body['refresh_token']))).toMatchObject({ body: { scope: 'notes profile' } });
  });

  test('who asks for more scope than the grant is refused and keeps the session', async () => {
    const { refreshToken: first } = await signInEarlier();
    expect(await server.refresh(first, { scope: 'notes admin' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope' },
    });
    await refreshToken(first);
  });
});

describe('two holders', () => {
  test('of one session end that session and no other', async () => {
    const owner = await signInEarlier();
    const bystander = await signInEarlier();
    const thiefs = await refreshToken(owner.refreshToken);
    await server.letTimePass(owner.sid, INTERVAL_MS);
    // The owner's answer was lost, so its copy of generation 1 differs from the thief's.
    const owners = await refreshToken(owner.refreshToken);
    await server.letTimePass(owner.sid, INTERVAL_MS);
    await refreshToken(thiefs);
    await server.letTimePass(owner.sid, INTERVAL_MS);
    expect(await server.refresh(owners)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'reuse' },
    });
    expect(await server.refresh(thiefs)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'reuse' },
    });
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'session.revoked', sid: owner.sid, reason: 'reuse' }),
    );
    await refreshToken(bystander.refreshToken);
  });

  test('that meet while a rotation may be under way: the second waits, and the session goes on', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    const a = await refreshToken(first);
    await server.letTimePass(sid, INTERVAL_MS);
    const b = await refreshToken(first);
    await server.letTimePass(sid, INTERVAL_MS);
    await refreshToken(a);
    const answer = await server.refresh(b);
    expect(answer).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable', reason: 'wait' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50);
    expect(await server.refresh(a)).toMatchObject({ status: 200 });
  });

  test('an old copy ends the session even within the interval', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    let token = first;
    for (let generation = 1; generation <= 3; generation++) {
      token = await refreshToken(token);
      await server.letTimePass(sid, INTERVAL_MS);
    }
    await server.alter(sid, 'delivered_at = now()');
    expect(await server.refresh(first)).toMatchObject({ status: 400, body: { reason: 'reuse' } });
    expect(await server.refresh(token)).toMatchObject({ status: 400, body: { reason: 'reuse' } });
  });
});

describe('refusals', () => {
  test.each([
    ['revoked', "revoked_at = now(), revoked_reason = 'signed_out'"],
    ['expired', 'expires_at = now()'],
    ['idle_expired', 'idle_expires_at = now()'],
  ])('a client learns that its session is %s', async (reason, assignment) => {
    const { refreshToken: first, sid } = await server.signIn();
    await server.alter(sid, assignment);
    expect(await server.refresh(first)).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason } });
  });

  test("another client's use of a token changes nothing", async () => {
    const { refreshToken: first } = await signInEarlier();
    expect(await server.refresh(first, { client_id: 'other' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', reason: 'wrong_client' },
    });
    await refreshToken(first);
  });

  test('a genuine token of a deleted session', async () => {
    const { refreshToken: first, sid } = await server.signIn();
    await server.holdfast.database.query('DELETE FROM holdfast.sessions WHERE id = $1', [sid]);
    expect(await server.refresh(first)).toMatchObject({ status: 400, body: { reason: 'unknown' } });
  });

  test('a token forged with the server key alone changes no row, and causes an event', async () => {
    const { refreshToken: first, sid } = await signInEarlier();
    const forged = (generation: number) =>
      formatRefreshToken({ sid, generation, nonce: newNonce(), secret: Buffer.alloc(16, 7) }, ring);
    for (const generation of [0, 1, 5]) {
      expect(await server.refresh(forged(generation))).toMatchObject({ status: 400, body: { reason: 'malformed' } });
    }
    expect(server.events.filter(({ type }) => type === 'refresh.secret_mismatched')).toHaveLength(3);
    await refreshToken(first);
  });
});

describe('inactivity timeout', () => {
  const idleSeconds = async (token: string, form: Readonly<Record<string, string>>): Promise<number> =>
    Number((await server.refresh(token, form)).body['refresh_token_timeout']);

  test('slides with the user, not with a background refresh, and never beyond the absolute lifetime', async () => {
    const { refreshToken: first, sid } = await server.signIn();
    await server.letTimePass(sid, 86_400_000);
    const token = await server.refresh(first, { user_active: 'false' });
    expect(token.body['refresh_token_timeout']).toBeLessThan(14 * 86_400 - 86_000);
    const next = String(token.body['refresh_token']);
    expect(await idleSeconds(next, { user_active: 'true' })).toBeGreaterThan(14 * 86_400 - 60);
    await server.alter(sid, "expires_at = now() + interval '1 hour'");
    await server.letTimePass(sid, INTERVAL_MS);
    const last = await server.refresh(next);
    expect(last.body['refresh_token_timeout']).toBe(last.body['authorization_expires_in']);
  });

  test('starts again each time the user presses "Extend"', async () => {
    const { refreshToken: token, sid } = await server.signIn();
    await server.refresh(token);
    for (let press = 0; press < 3; press++) {
      await server.alter(sid, "idle_expires_at = now() + interval '14 days' - interval '30 s'");
      expect(await idleSeconds(token, {})).toBeLessThan(14 * 86_400 - 20);
      expect(await idleSeconds(token, { extend: 'true' })).toBe(14 * 86_400);
    }
  });

  test('an extension ends with the absolute lifetime, and counts as activity', async () => {
    const { refreshToken: token, sid } = await server.signIn();
    await server.alter(
      sid,
      "idle_expires_at = now() + interval '30 s', expires_at = now() + interval '50 s', last_used_at = now()",
    );
    const { body } = await server.refresh(token, { extend: 'true', user_active: 'false' });
    expect(body['refresh_token_timeout']).toBe(body['authorization_expires_in']);
    expect(body['refresh_token_timeout']).toBeGreaterThan(40);
  });
});

describe('a session that replaces another', () => {
  test('ends it when its own token is first used, not before: a lost answer loses nothing', async () => {
    const old = await signInEarlier();
    const replacement = await server.signIn('native', { replaces: old.sid, replaces_token: old.refreshToken });
    const oldNext = await refreshToken(old.refreshToken);
    await server.refresh(replacement.refreshToken);
    expect(await server.refresh(oldNext)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
    expect(server.events).toContainEqual(expect.objectContaining({ sid: old.sid, reason: 'replaced' }));
  });

  test('stays in its device chain, with the old one live or ended', async () => {
    for (const ending of [null, "revoked_at = now(), revoked_reason = 'reuse'", 'idle_expires_at = now()']) {
      const old = await signInEarlier();
      await server.alter(old.sid, "device_label = 'Phone'");
      if (ending !== null) await server.alter(old.sid, ending);
      const { sid } = await server.signIn('native', { replaces: old.sid, replaces_token: old.refreshToken });
      const { rows } = await server.holdfast.database.query(
        'SELECT replaces, device_label FROM holdfast.sessions WHERE id = $1',
        [sid],
      );
      expect(rows).toEqual([{ replaces: old.sid, device_label: 'Phone' }]);
    }
  });

  test('brings no ended session back', async () => {
    const old = await signInEarlier();
    await server.holdfast.sessions.revoke(old.sid);
    const replacement = await server.signIn('native', { replaces: old.sid, replaces_token: old.refreshToken });
    await server.refresh(replacement.refreshToken);
    expect(await server.refresh(old.refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  });

  test('ends the old one too if it is signed out before its first use', async () => {
    const old = await signInEarlier();
    const replacement = await server.signIn('native', { replaces: old.sid, replaces_token: old.refreshToken });
    expect(await server.post('/revoke', { client_id: 'native', token: replacement.refreshToken })).toMatchObject({
      status: 200,
    });
    expect(await server.refresh(old.refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  });

  test('whose answer never arrived leaves the old one live', async () => {
    const old = await signInEarlier();
    await server.signIn('native', { replaces: old.sid, replaces_token: old.refreshToken });
    await refreshToken(old.refreshToken);
  });

  test('does not end one of another user, although it names its id', async () => {
    await server.holdfast.users.create({ username: 'eve@example.org', password: 'correct horse', name: 'Eve' });
    const victim = await signInEarlier();
    const eves = await server.signIn('native', {
      username: 'eve@example.org',
      password: 'correct horse',
      replaces: victim.sid,
      replaces_token: victim.refreshToken,
    });
    await server.refresh(eves.refreshToken);
    await refreshToken(victim.refreshToken);
  });
});

describe('administration', () => {
  test('revoking a session ends it once', async () => {
    const { refreshToken: first, sid } = await server.signIn();
    expect(await server.holdfast.sessions.revoke(sid)).toBe(true);
    expect(await server.holdfast.sessions.revoke(sid)).toBe(false);
    expect(await server.holdfast.sessions.revoke('no session id')).toBe(false);
    expect(await server.refresh(first)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  });

  test("revoking all of a user's sessions ends no other user's session", async () => {
    const mallory = { username: 'mallory@example.org', password: 'correct horse' };
    const { sub } = await server.holdfast.users.create({ ...mallory, name: 'Mallory' });
    const hers = [await server.signIn('native', mallory), await server.signIn('native', mallory)];
    const bystander = await signInEarlier();
    expect(await server.holdfast.sessions.revokeAllOfUser(sub)).toEqual({ count: 2, isComplete: true });
    for (const { refreshToken: token } of hers) expect(await server.refresh(token)).toMatchObject({ status: 400 });
    await refreshToken(bystander.refreshToken);
  });
});
