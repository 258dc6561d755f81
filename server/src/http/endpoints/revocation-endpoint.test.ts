import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import {
  newVerifier,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
  type Tokens,
} from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const INTERVAL_MS = 60_000;

let database: TestDatabase;
let server: TestServer;
let account: { readonly username: string; readonly password: string };
let accounts = 0;
let phone: Tokens;
let laptop: Tokens;
let tablet: Tokens;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
// A new user with three devices for each test.
beforeEach(async () => {
  account = { username: `user ${++accounts}`, password: 'correct horse battery' };
  await server.holdfast.users.create({ ...account, name: 'Ada' });
  phone = await server.signIn('native', account);
  laptop = await server.signIn('native', account);
  tablet = await server.signIn('web', account);
});

const revoke = (token: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.post('/revoke', { client_id: 'native', token, everywhere: 'true', ...form });

/** Returns why each device's session has ended; null for a live one. */
async function endings(...devices: readonly Tokens[]): Promise<readonly (string | null)[]> {
  const { rows } = await server.holdfast.database.query<{ id: string; revoked_reason: string | null }>(
    'SELECT id, revoked_reason FROM holdfast.sessions WHERE id = ANY($1)',
    [devices.map(({ sid }) => sid)],
  );
  return devices.map(({ sid }) => rows.find(({ id }) => id === sid)?.revoked_reason ?? null);
}
const everybody = (): Promise<readonly (string | null)[]> => endings(phone, laptop, tablet);

const NOBODY = [null, null, null];
const REFUSED = { status: 400, body: { error: 'invalid_grant', reason: 'not_everywhere' } };

describe('a revocation with `everywhere`', () => {
  test('ends every session of the user and no other user’s', async () => {
    const stranger = await server.signIn();
    expect(await revoke(phone.refreshToken)).toMatchObject({ status: 200, body: {} });
    expect(await everybody()).toEqual(['signed_out', 'user', 'user']);
    for (const { refreshToken } of [phone, laptop])
      expect(await server.refresh(refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
    expect(await endings(stranger)).toEqual([null]);
  });

  test('is in the audit log once per session, with the address of the request', async () => {
    await revoke(phone.refreshToken);
    for (const [{ sid }, reason] of [
      [phone, 'signed_out'],
      [laptop, 'user'],
      [tablet, 'user'],
    ] as const) {
      const listed = await server.holdfast.auditLog.list({ sid, type: 'session.revoked' });
      expect(listed).toMatchObject([{ reason, address: '192.0.2.1' }]);
      expect(server.events).toContainEqual(expect.objectContaining({ type: 'session.revoked', sid, reason }));
    }
  });

  test('works by cookie, and only with the header that a form of another site cannot send', async () => {
    const form = { client_id: 'web', sid: tablet.sid, everywhere: 'true' };
    const forged = await server.post('/revoke', form, { cookie: tablet.cookie, 'holdfast-request': '' });
    expect(forged).toMatchObject({ status: 403, body: { reason: 'csrf' } });
    expect(await everybody()).toEqual(NOBODY);
    expect(await server.post('/revoke', form)).toMatchObject(REFUSED);
    expect(await everybody()).toEqual(NOBODY);
    expect(await server.post('/revoke', form, { cookie: tablet.cookie })).toMatchObject({ status: 200 });
    expect(await everybody()).toEqual(['user', 'user', 'signed_out']);
  });

  test('voids sign-ins under way, so a thief cannot complete one', async () => {
    const { challenge, verifier } = newVerifier();
    const begun = { client_id: 'native', ...account, code_challenge: challenge, code_challenge_method: 'S256' };
    const { body } = await server.post('/authorize-challenge', begun);
    await revoke(phone.refreshToken);
    const code = { client_id: 'native', code: String(body['authorization_code']), code_verifier: verifier };
    const exchange = await server.post('/token', { grant_type: 'authorization_code', ...code });
    expect(exchange).toMatchObject({ status: 400, body: { reason: 'code' } });
  });

  test('leaves sessions alive that began after it when it is repeated', async () => {
    await revoke(phone.refreshToken);
    const since = await server.signIn('native', account);
    expect(await revoke(phone.refreshToken)).toMatchObject(REFUSED);
    expect(await endings(since)).toEqual([null]);
  });

  test('ends a locked session as soon as the lock is released', async () => {
    const holder = await server.holdfast.database.connect();
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query('SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR UPDATE', [laptop.sid]);
    expect(await revoke(phone.refreshToken)).toMatchObject({ status: 200 });
    await holder.query('ROLLBACK');
    holder.release();
    await vi.waitFor(async () => expect(await everybody()).toEqual(['signed_out', 'user', 'user']), 50_000);
  });
});

describe('a request without proof of a live session ends no other device and says so', () => {
  test.each([
    ['ended', "revoked_at = now(), revoked_reason = 'signed_out'"],
    ['been replaced', "revoked_at = now(), revoked_reason = 'replaced'"],
    ['ended as reuse', "revoked_at = now(), revoked_reason = 'reuse'"],
    ['expired', 'expires_at = now()'],
    ['idle for too long', 'idle_expires_at = now()'],
  ])('with a token of a session that has %s', async (_case, assignment) => {
    await server.alter(phone.sid, assignment);
    expect(await revoke(phone.refreshToken)).toMatchObject(REFUSED);
    expect(await endings(laptop, tablet)).toEqual([null, null]);
    // Without `everywhere` it repeats an earlier sign-out, which succeeds (RFC 7009 §2.2).
    expect(await revoke(phone.refreshToken, { everywhere: 'false' })).toMatchObject({ status: 200, body: {} });
  });

  test('with a token that was never issued, or a changed one', async () => {
    for (const token of [
      'garbage',
      `${phone.refreshToken.slice(0, -1)}${phone.refreshToken.endsWith('A') ? 'B' : 'A'}`,
    ])
      expect(await revoke(token)).toMatchObject(REFUSED);
    expect(await everybody()).toEqual(NOBODY);
  });

  test('with the secret of a device whose cookie is gone, which ends only that device’s sessions', async () => {
    const secret = randomBytes(32).toString('base64url');
    const browser = await server.signIn('web', { ...account, device_secret: secret });
    const form = { client_id: 'web', sid: browser.sid, device_secret: secret };
    expect(await server.post('/revoke', { ...form, everywhere: 'true' })).toMatchObject({
      ...REFUSED,
      cookies: [expect.stringMatching(/; Max-Age=0;/)],
    });
    expect(await endings(browser)).toEqual(['signed_out']);
    expect(await everybody()).toEqual(NOBODY);
  });

  test('with a device’s secret and `discard`, which ends only the sign-in that lost to another tab', async () => {
    const secret = randomBytes(32).toString('base64url');
    const winner = await server.signIn('web', { ...account, device_secret: secret });
    const loser = await server.signIn('web', { ...account, device_secret: secret });
    const form = { client_id: 'web', sid: loser.sid, device_secret: secret, discard: 'true' };
    expect(await server.post('/revoke', form)).toMatchObject({ status: 200, body: {} });
    expect(await endings(winner, loser)).toEqual([null, 'discarded']);
  });

  test('by another client, which is refused as in any revocation', async () => {
    const answer = await revoke(phone.refreshToken, { client_id: 'other' });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'wrong_client' } });
    expect(await everybody()).toEqual(NOBODY);
  });

  test('with an access token', async () => {
    expect(await revoke(phone.accessToken)).toMatchObject({ status: 400, body: { error: 'unsupported_token_type' } });
    expect(await everybody()).toEqual(NOBODY);
  });
});

describe('among the refresh tokens of a session', () => {
  test('the last one suffices if its successor was lost, because an offline device has no other', async () => {
    await server.letTimePass(phone.sid, INTERVAL_MS);
    await server.refresh(phone.refreshToken);
    expect(await revoke(phone.refreshToken)).toMatchObject({ status: 200 });
    expect(await everybody()).toEqual(['signed_out', 'user', 'user']);
  });

  test('a second holder’s token is theft and ends this one session, never the user’s others', async () => {
    await server.letTimePass(phone.sid, INTERVAL_MS);
    const a = toTokens(await server.refresh(phone.refreshToken)).refreshToken;
    await server.letTimePass(phone.sid, INTERVAL_MS);
    const b = toTokens(await server.refresh(phone.refreshToken)).refreshToken;
    await server.letTimePass(phone.sid, INTERVAL_MS);
    await server.refresh(a);
    expect(await revoke(b)).toMatchObject({ status: 429, body: { reason: 'wait' } });
    expect(await everybody()).toEqual(NOBODY);
    await server.letTimePass(phone.sid, INTERVAL_MS);
    expect(await revoke(b)).toMatchObject(REFUSED);
    expect(await everybody()).toEqual(['reuse', null, null]);
  });
});

describe('the parameter `everywhere` is read strictly, so a client never gets 200 for less than it requested', () => {
  test.each(['false', ''])('%j ends only the one session', async (everywhere) => {
    expect(await revoke(phone.refreshToken, { everywhere })).toMatchObject({ status: 200 });
    expect(await everybody()).toEqual(['signed_out', null, null]);
  });

  test.each(['TRUE', '1', 'yes', 'all', 'true '])('%j is refused and changes nothing', async (everywhere) => {
    const answer = await revoke(phone.refreshToken, { everywhere });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect(await everybody()).toEqual(NOBODY);
  });

  test('sent twice is refused', async () => {
    const form = `client_id=native&token=${phone.refreshToken}&everywhere=true&everywhere=false`;
    expect(await server.post('/revoke', form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect(await everybody()).toEqual(NOBODY);
  });
});
