// A `sub` is text: hosts have their own user ids, and no code from sign-in to sign-out may expect UUIDs.
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { startTestServer, type TestServer, type Tokens } from '../testing/client.ts';
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

const claimsOf = (accessToken: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString());

describe.each([
  ['of an identity provider', 'auth0|5f7c8ec7c33c6c004bbafe82'],
  ['that is an e-mail address', "o'brien+test@mail.example"],
  ['that is a number', '42'],
  ['of every printable character', String.fromCharCode(...Array.from({ length: 94 }, (_, at) => 0x21 + at))],
  ['of 255 characters', 'u'.repeat(255)],
])('a user id %s', (_, sub) => {
  test('signs in, is refreshed, lists its devices, and signs out of one and of all', async () => {
    const account = { username: `text ${sub.slice(0, 200)}`, password: 'correct horse battery' };
    const { sub: made } = await server.holdfast.users.create({ ...account, name: 'Text' });
    await server.holdfast.database.query('UPDATE holdfast.users SET id = $1 WHERE id = $2', [sub, made]);
    const signIn = (): Promise<Tokens> => server.signIn('native', account);
    const [phone, laptop, tablet] = [await signIn(), await signIn(), await signIn()];
    expect(claimsOf(phone.accessToken)['sub']).toBe(sub);
    const refreshed = await server.refresh(phone.refreshToken);
    expect(refreshed).toMatchObject({ status: 200, body: { sub, sid: phone.sid } });
    const { body } = await server.ask('GET', '/sessions', phone.accessToken);
    const listed = (body['sessions'] as readonly { readonly sid: string }[]).map(({ sid }) => sid);
    expect(new Set(listed)).toEqual(new Set([phone.sid, laptop.sid, tablet.sid]));
    expect(await server.ask('DELETE', `/sessions/${tablet.sid}`, phone.accessToken)).toMatchObject({ status: 204 });
    expect(await server.refresh(tablet.refreshToken)).toMatchObject({ status: 400 });
    expect(await server.post('/revoke', { client_id: 'native', token: laptop.refreshToken })).toMatchObject({
      status: 200,
    });
    expect(await server.refresh(laptop.refreshToken)).toMatchObject({ status: 400 });
    const another = await signIn();
    expect(await server.holdfast.sessions.revokeAllOfUser(sub)).toEqual({ count: 2, isComplete: true });
    for (const { refreshToken } of [phone, another]) {
      expect(await server.refresh(refreshToken)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    }
    expect(await server.holdfast.auditLog.list({ sub, type: 'session.created' })).toHaveLength(4);
  });
});

test.each(['', 'ann smith', 'ünïcödé', '用户', 'a\u0000b', 'u'.repeat(256)])(
  '%j is an invalid user id, and the host that uses it gets an error',
  async (sub) => {
    await expect(server.holdfast.auditLog.list({ sub })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await server.holdfast.sessions.revokeAllOfUser(sub)).toEqual({ count: 0, isComplete: true });
  },
);
