// Changes require a POST with a form, or a method that no link and no form can send. Loading an image must not change
// anything.
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { CREDENTIALS, newVerifier, startTestServer, type TestServer } from '../testing/client.ts';
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

const countSessions = async (): Promise<readonly unknown[]> =>
  (await server.holdfast.database.query('SELECT id, generation, revoked_at FROM holdfast.sessions ORDER BY id')).rows;

/** Every form that changes something, with valid values. */
async function rightForms(): Promise<readonly (readonly [path: string, form: Readonly<Record<string, string>>])[]> {
  const { refreshToken } = await server.signIn();
  const { challenge } = newVerifier();
  return [
    ['/token', { client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken }],
    ['/revoke', { client_id: 'native', token: refreshToken }],
    [
      '/authorize-challenge',
      { client_id: 'native', ...CREDENTIALS, code_challenge: challenge, code_challenge_method: 'S256' },
    ],
  ];
}

test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'get', 'POST '])(
  '%s changes nothing, even with valid parameters in query and body',
  async (method) => {
    for (const [path, form] of await rightForms()) {
      const before = await countSessions();
      const body = new URLSearchParams(form).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const request = { method, path, query: body, headers, body, remoteAddress: '192.0.2.1' };
      expect(await server.holdfast.handle(request)).toMatchObject({ status: 405 });
      expect(await countSessions()).toEqual(before);
    }
  },
);

test.each([
  ['text/plain', (form: Readonly<Record<string, string>>) => new URLSearchParams(form).toString()],
  ['application/json', (form: Readonly<Record<string, string>>) => JSON.stringify(form)],
  ['multipart/form-data; boundary=x', (form: Readonly<Record<string, string>>) => new URLSearchParams(form).toString()],
  [
    'application/x-www-form-urlencoded-not',
    (form: Readonly<Record<string, string>>) => new URLSearchParams(form).toString(),
  ],
  ['', (form: Readonly<Record<string, string>>) => new URLSearchParams(form).toString()],
])('a body of type "%s" is refused and changes nothing', async (type, encode) => {
  for (const [path, form] of await rightForms()) {
    const before = await countSessions();
    const request = { method: 'POST', path, headers: { 'content-type': type }, body: encode(form), remoteAddress: '' };
    expect(await server.holdfast.handle(request)).toMatchObject({ status: 400 });
    expect(await countSessions()).toEqual(before);
  }
});

test('parameters in the URL of a POST are ignored, because URLs end up in logs', async () => {
  for (const [path, form] of await rightForms()) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const query = new URLSearchParams(form).toString();
    const request = { method: 'POST', path, query, headers, body: '', remoteAddress: '192.0.2.1' };
    expect(await server.holdfast.handle(request)).toMatchObject({ status: 400 });
  }
});
