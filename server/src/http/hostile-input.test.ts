// Text that PostgreSQL rejects, through every entry point. It must not cost another request its answer, nor lose an
// event.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { CREDENTIALS, newVerifier, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { ENDPOINTS } from './doors/endpoints.ts';

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

const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ['a NUL', 'Mozilla\u0000/5.0'],
  ['half a surrogate pair', 'Mozilla\ud800/5.0'],
  ['a pair that the length limit cuts in two', `${'x'.repeat(255)}\u{1f600}`],
  ['16,000 characters', 'x'.repeat(16_000)],
  ['every control character', Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('')],
];

/** Posts a form to `handle` directly, where the host passes on headers and address unchecked. */
async function post(
  path: string,
  form: Readonly<Record<string, string>>,
  { userAgent = 'test', remoteAddress = '192.0.2.1' } = {},
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  const response = await server.holdfast.handle({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': userAgent },
    body: new URLSearchParams(form).toString(),
    remoteAddress,
  });
  return { status: response?.status ?? 0, body: JSON.parse(response?.body ?? '{}') };
}

const refreshForm = (refreshToken: string): Readonly<Record<string, string>> => ({
  client_id: 'native',
  grant_type: 'refresh_token',
  refresh_token: refreshToken,
});

describe('a request with text that PostgreSQL rejects', () => {
  test.each(HOSTILE)(
    '%s in the user agent does not prevent the answers to the eleven refreshes of its batch',
    async (_what, text) => {
      const sessions = [];
      for (let count = 0; count < 11; count++) sessions.push(await server.signIn());
      const answers = await Promise.all(
        sessions.map(({ sid, refreshToken }, index) => {
          void sid;
          return post('/token', refreshForm(refreshToken), index === 5 ? { userAgent: text } : {});
        }),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(11).fill(200));
    },
  );

  test.each(HOSTILE)(
    '%s as the address still signs in and appears in the device list and the audit log',
    async (_what, text) => {
      const { verifier, challenge } = newVerifier();
      const form = { client_id: 'native', ...CREDENTIALS, code_challenge: challenge, code_challenge_method: 'S256' };
      const from = { userAgent: text, remoteAddress: text };
      const { body } = await post('/authorize-challenge', form, from);
      const code = String(body['authorization_code']);
      const exchange = { client_id: 'native', grant_type: 'authorization_code', code, code_verifier: verifier };
      const tokens = await post('/token', exchange, from);
      expect(tokens).toMatchObject({ status: 200 });
      const sid = String(tokens.body['sid']);
      const listed = await server.ask('GET', '/sessions', String(tokens.body['access_token']));
      const device = (listed.body['sessions'] as readonly Readonly<Record<string, string>>[]).find(
        (each) => each['sid'] === sid,
      );
      for (const name of ['user_agent', 'address']) {
        expect(device?.[name]?.length).toBeLessThanOrEqual(256);
        expect(device?.[name]).not.toMatch(/[\p{Cc}\p{Cs}]/u);
      }
      expect(await server.holdfast.auditLog.list({ sid })).toMatchObject([{ type: 'session.created' }]);
    },
  );

  test('as the address of a wrong password does not keep later events from the audit log', async () => {
    const { challenge } = newVerifier();
    const form = { client_id: 'native', username: 'x', password: 'wrong', code_challenge: challenge };
    for (const [, text] of HOSTILE)
      await post('/authorize-challenge', { ...form, code_challenge_method: 'S256' }, { remoteAddress: text });
    const user = await server.holdfast.users.create({ username: 'later', password: 'correct horse', name: 'Later' });
    await vi.waitFor(async () =>
      expect(await server.holdfast.auditLog.list({ sub: user.sub })).toMatchObject([{ type: 'user.changed' }]),
    );
  });

  test('as a parameter is refused, and as a username finds no user', async () => {
    for (const text of ['a\u0000b', 'a\u0007b']) {
      const { challenge } = newVerifier();
      const form = { client_id: 'native', username: text, password: 'wrong', code_challenge: challenge };
      expect(await post('/authorize-challenge', { ...form, code_challenge_method: 'S256' })).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
      expect(await server.holdfast.users.findByUsername(text)).toBeNull();
    }
    await expect(
      server.holdfast.users.create({ username: 'half \ud800', password: 'correct horse', name: 'Half' }),
    ).rejects.toMatchObject({ code: 'invalid-username' });
    await expect(
      server.holdfast.users.create({ username: 'half', password: 'correct horse', name: 'Half \ud800' }),
    ).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('bytes in a user agent that are not text', () => {
  const AGENT = 'Mozilla\u0085\u00ff\u009f/5.0';

  async function agentOf(accessToken: string, sid: string): Promise<string | undefined> {
    const listed = await server.ask('GET', '/sessions', accessToken);
    const devices = listed.body['sessions'] as readonly Readonly<Record<string, string>>[];
    return devices.find((each) => each['sid'] === sid)?.['user_agent'];
  }

  test('through node:http still refresh, and the list of devices holds text', async () => {
    const { sid, accessToken, refreshToken } = await server.signIn();
    await server.letTimePass(sid, 60_000);
    const host = createServer(server.holdfast.listener).listen(0, '127.0.0.1');
    await once(host, 'listening');
    const body = new URLSearchParams(refreshForm(refreshToken)).toString();
    const head = [
      'POST /token HTTP/1.1',
      'host: id.example',
      'connection: close',
      'content-type: application/x-www-form-urlencoded',
      `content-length: ${body.length}`,
      `user-agent: ${AGENT}`,
    ];
    const socket = connect((host.address() as AddressInfo).port, '127.0.0.1');
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await once(socket, 'close');
    host.close();
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(await agentOf(accessToken, sid)).toBe('Mozilla\u{fffd}\u00ff\u{fffd}/5.0');
  });

  test('through fetch still refresh, and the list of devices holds text', async () => {
    const { sid, accessToken, refreshToken } = await server.signIn();
    await server.letTimePass(sid, 60_000);
    const request = new Request('https://id.example/token', {
      method: 'POST',
      headers: { 'user-agent': AGENT },
      body: new URLSearchParams(refreshForm(refreshToken)),
    });
    expect((await server.holdfast.fetch(request, { remoteAddress: '192.0.2.1\u0000' })).status).toBe(200);
    expect(await agentOf(accessToken, sid)).toBe('Mozilla\u{fffd}\u00ff\u{fffd}/5.0');
  });
});

test('any headers, address and body at any endpoint never cause an unexpected failure', async () => {
  const { accessToken, refreshToken, cookie } = await server.signIn();
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(...HOSTILE.map(([, text]) => text), `Bearer ${accessToken}`, `DPoP ${accessToken}`, cookie),
  );
  const names = [
    'user-agent',
    'authorization',
    'cookie',
    'dpop',
    'origin',
    'content-type',
    'x-forwarded-for',
    'constructor',
  ];
  const anyHeaders = fc.dictionary(fc.constantFrom(...names), anyText);
  const anyBody = fc.oneof(
    anyText,
    fc.constant(new URLSearchParams(refreshForm(refreshToken)).toString()),
    fc.uint8Array({ maxLength: 40 }),
  );
  const anyPath = fc
    .tuple(fc.constantFrom(...ENDPOINTS.map(({ path }) => path)), anyText)
    .map(([path, id]) => path.replace('{id}', () => id));
  const anyMethod = fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS');
  await fc.assert(
    fc.asyncProperty(anyMethod, anyPath, anyHeaders, anyBody, anyText, async (method, path, headers, body, address) => {
      const form = { 'content-type': 'application/x-www-form-urlencoded', ...headers };
      const request = { method, path, headers: form, body, remoteAddress: address };
      const response = await server.holdfast.handle(request);
      expect(response?.status).not.toBe(500);
    }),
    { numRuns: 600 },
  );
});
