import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { newVerifier, startTestServer, type Answer, type TestServer, type Tokens } from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const OLD = 'correct horse battery';
const NEW = 'staple battery horse';

let database: TestDatabase;
let server: TestServer;
let username: string;
let accounts = 0;
let sub: string;
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
  username = `user ${++accounts}`;
  ({ sub } = await server.holdfast.users.create({ username, password: OLD, name: 'Ada' }));
  phone = await server.signIn('native', { username, password: OLD });
  laptop = await server.signIn('native', { username, password: OLD });
});

const change = (form: Readonly<Record<string, string>>): Promise<Answer> =>
  server.ask('POST', '/password', laptop.accessToken, form);

async function challenge(password: string): Promise<Answer & { readonly verifier: string }> {
  const { challenge: codeChallenge, verifier } = newVerifier();
  const form = {
    client_id: 'native',
    username,
    password,
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
  };
  return { ...(await server.post('/authorize-challenge', form)), verifier };
}

const isAlive = async ({ refreshToken }: Tokens): Promise<boolean> =>
  (await server.refresh(refreshToken)).status === 200;

const exchange = ({ body, verifier }: Awaited<ReturnType<typeof challenge>>): Promise<Answer> =>
  server.post('/token', {
    client_id: 'native',
    grant_type: 'authorization_code',
    code: String(body['authorization_code']),
    code_verifier: verifier,
  });

describe('changing the password', () => {
  test('invalidates the old one and signs out every other device', async () => {
    expect(await change({ new_password: NEW })).toMatchObject({ status: 200, body: { ended: 1, is_complete: true } });
    expect((await challenge(OLD)).status).toBe(400);
    expect((await challenge(NEW)).status).toBe(200);
    expect([await isAlive(phone), await isAlive(laptop)]).toEqual([false, true]);
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'session.revoked', sid: phone.sid, reason: 'password_changed' }),
    );
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'credential.changed', sub, sid: laptop.sid, change: 'password_changed' }),
    );
  });

  test('leaves the other devices signed in if requested', async () => {
    expect(await change({ new_password: NEW, end_other_sessions: 'false' })).toMatchObject({
      status: 200,
      body: { ended: 0, is_complete: true },
    });
    expect([await isAlive(phone), await isAlive(laptop)]).toEqual([true, true]);
  });

  test('voids a sign-in that began with the old one, so a thief cannot complete it', async () => {
    const begun = await challenge(OLD);
    await change({ new_password: NEW, end_other_sessions: 'false' });
    expect(await exchange(begun)).toMatchObject({ status: 400, body: { reason: 'code' } });
    expect(await exchange(await challenge(NEW))).toMatchObject({ status: 200 });
  });

  test.each<[Readonly<Record<string, string>>, string | undefined]>([
    [{}, undefined],
    [{ new_password: 'short' }, 'password'],
    [{ new_password: 'x'.repeat(257) }, 'password'],
    [{ new_password: NEW, end_other_sessions: 'perhaps' }, undefined],
  ])('%j is refused and changes nothing', async (form, reason) => {
    const refused = await change(form);
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect(refused.body['reason']).toBe(reason);
    expect(JSON.stringify(refused.body)).not.toContain(NEW);
    expect((await challenge(OLD)).status).toBe(200);
    expect(await isAlive(phone)).toBe(true);
  });

  test('requires a recent authentication, so an unattended laptop is not enough to take over an account', async () => {
    await server.alter(laptop.sid, "auth_time = auth_time - interval '1 hour'");
    const stale = String((await server.refresh(laptop.refreshToken)).body['access_token']);
    for (const method of ['POST', 'DELETE']) {
      const refused = await server.ask(method, '/password', stale, { new_password: NEW });
      expect(refused).toMatchObject({ status: 401, body: { error: 'insufficient_user_authentication' } });
    }
    expect((await challenge(OLD)).status).toBe(200);
  });
});

describe('an administrator', () => {
  test('sets a password and ends every session, or none if requested', async () => {
    const { users } = server.holdfast;
    expect(await users.setPassword(sub, NEW, { endSessions: false })).toEqual({ count: 0, isComplete: true });
    expect((await challenge(NEW)).status).toBe(200);
    expect(await isAlive(phone)).toBe(true);
    expect(await users.setPassword(sub, OLD)).toEqual({ count: 2, isComplete: true });
    expect([await isAlive(phone), await isAlive(laptop)]).toEqual([false, false]);
    await expect(users.setPassword(sub, 'short')).rejects.toMatchObject({ code: 'invalid-password' });
    expect(await users.setPassword('00000000-0000-4000-8000-000000000000', NEW)).toBeNull();
    expect(await users.setPassword('nobody', NEW)).toBeNull();
  });

  test('disables a user, which ends sessions and blocks sign-ins until the user is enabled', async () => {
    const { users } = server.holdfast;
    const begun = await challenge(OLD);
    expect(await users.disable(sub)).toEqual({ count: 2, isComplete: true });
    expect(await exchange(begun)).toMatchObject({ status: 400 });
    expect([await isAlive(phone), await isAlive(laptop)]).toEqual([false, false]);
    expect((await challenge(OLD)).status).toBe(400);
    expect(await server.ask('GET', '/sessions', laptop.accessToken)).toMatchObject({ status: 401 });
    expect(await users.enable(sub)).toBe(true);
    expect(await exchange(await challenge(OLD))).toMatchObject({ status: 200 });
    expect(await isAlive(phone)).toBe(false);
  });

  test('deletes a user, which ends sessions and frees the username', async () => {
    const { users } = server.holdfast;
    const begun = await challenge(OLD);
    expect(await users.delete(sub)).toEqual({ count: 2, isComplete: true });
    expect(await exchange(begun)).toMatchObject({ status: 400 });
    expect([await isAlive(phone), await isAlive(laptop)]).toEqual([false, false]);
    expect(await users.findById(sub)).toBeNull();
    expect(await users.delete(sub)).toBeNull();
    expect(await users.disable(sub)).toBeNull();
    await expect(users.create({ username, password: NEW, name: 'Other' })).resolves.toMatchObject({ username });
  });
});
