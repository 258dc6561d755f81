import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createHoldfast } from '../../holdfast.ts';
import type { HttpRequest } from '../../kernel/http-message.ts';
import {
  ISSUER,
  newVerifier,
  serverOptions,
  startTestServer,
  type Answer,
  type TestServer,
} from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';

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

const REFRESH = { client_id: 'native', grant_type: 'refresh_token' };
const PATHS = ['/token', '/authorize-challenge', '/revoke'];

function expectError(answer: Answer, status: number, error: string): void {
  expect(answer.status).toBe(status);
  expect(answer.body['error']).toBe(error);
  expect(answer.body['error_description']).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/);
  expect(JSON.stringify(answer.body)).not.toMatch(/ at |node_modules|\.ts|\.js|select|postgres/i);
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-store',
    'content-type': 'application/json;charset=UTF-8',
  });
}

describe('bad input gets an error of RFC 6749 and changes nothing', () => {
  test.each<[string, string, number, string]>([
    ['an empty body', '', 400, 'invalid_request'],
    ['no grant type', 'client_id=native', 400, 'invalid_request'],
    ['an unknown grant type', 'client_id=native&grant_type=password', 400, 'unsupported_grant_type'],
    ['no client', 'grant_type=refresh_token', 400, 'invalid_request'],
    ['an empty client, which counts as none', 'client_id=&grant_type=refresh_token', 400, 'invalid_request'],
    ['an unknown client', 'client_id=nobody&grant_type=refresh_token', 400, 'invalid_client'],
    ['no token', 'client_id=native&grant_type=refresh_token', 400, 'invalid_request'],
    ['a parameter twice', 'client_id=native&client_id=native&grant_type=refresh_token', 400, 'invalid_request'],
    [
      'a parameter twice, once empty',
      'client_id=native&grant_type=refresh_token&scope=&scope=notes',
      400,
      'invalid_request',
    ],
    ['an unknown parameter twice', 'client_id=native&grant_type=refresh_token&x=1&x=2', 400, 'invalid_request'],
    ['a broken escape', 'client_id=native&grant_type=refresh_token&refresh_token=%zz', 400, 'invalid_request'],
    [
      'an escape that is not UTF-8',
      'client_id=native&grant_type=refresh_token&refresh_token=%ff',
      400,
      'invalid_request',
    ],
    ['a null character', 'client_id=native&grant_type=refresh_token&refresh_token=%00', 400, 'invalid_request'],
    ['JSON', '{"grant_type":"refresh_token"}', 400, 'invalid_request'],
    ['a malformed scope', 'client_id=native&grant_type=refresh_token&refresh_token=x&scope=a++b', 400, 'invalid_scope'],
    [
      'an odd user_active',
      'client_id=native&grant_type=refresh_token&refresh_token=x&user_active=yes',
      400,
      'invalid_request',
    ],
    ['an odd extend', 'client_id=native&grant_type=refresh_token&refresh_token=x&extend=1', 400, 'invalid_request'],
    ['a garbage token', 'client_id=native&grant_type=refresh_token&refresh_token=garbage', 400, 'invalid_grant'],
    ['a garbage code', 'client_id=native&grant_type=authorization_code&code=x&code_verifier=y', 400, 'invalid_grant'],
  ])('%s', async (_, body, status, error) => {
    expectError(await server.post('/token', body), status, error);
  });

  test.each(PATHS)('a body of 1 MB at %s', async (path) => {
    expectError(await server.post(path, `client_id=native&x=${'a'.repeat(1_000_000)}`), 413, 'invalid_request');
  });

  test.each([
    undefined,
    '',
    'application/json',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencodedx',
  ])('content type %s', async (contentType) => {
    const headers = contentType === undefined ? { 'content-type': '' } : { 'content-type': contentType };
    expectError(await server.post('/token', REFRESH, headers), 400, 'invalid_request');
  });

  test('a charset in the content type is accepted', async () => {
    const headers = { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=UTF-8' };
    expectError(await server.post('/token', { ...REFRESH, refresh_token: 'garbage' }, headers), 400, 'invalid_grant');
  });

  test('a client that authenticates gets invalid_client', async () => {
    const answer = await server.post('/token', REFRESH, { authorization: 'Basic bmF0aXZlOng=' });
    expectError(answer, 401, 'invalid_client');
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
  });

  test('a token under an unknown server key gets 503 and reports no database fault', async () => {
    server.events.length = 0;
    const answer = await server.post('/token', { ...REFRESH, refresh_token: `hfrt_${'A'.repeat(88)}` });
    expectError(answer, 503, 'temporarily_unavailable');
    expect(server.events.map(({ type }) => type)).toEqual(['server_key.unknown', 'request.answered']);
  });

  test('TLS early data is refused, because anyone on the path could replay it', async () => {
    expectError(await server.post('/token', REFRESH, { 'early-data': '1' }), 425, 'temporarily_unavailable');
  });

  test('bytes that are not UTF-8', async () => {
    const response = await server.holdfast.handle({ ...request('POST', '/token'), body: new Uint8Array([0x61, 0xff]) });
    expect(response).toMatchObject({ status: 400 });
  });

  test('any form at any endpoint gets an answer below 500 and never a token', async () => {
    const names = [
      'client_id',
      'grant_type',
      'refresh_token',
      'code',
      'code_verifier',
      'scope',
      'sid',
      'token',
      'replaces',
      'replaces_token',
      'device_secret',
    ];
    const anyName = fc.oneof(fc.constantFrom(...names, 'username', 'password', 'code_challenge'), fc.string());
    const anyValue = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('native', 'web', 'refresh_token', 'authorization_code', 'notes', '../..', "' OR 1=1 --"),
      fc.stringMatching(/^hfrt_[A-Za-z0-9_-]{88}$/),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PATHS), fc.array(fc.tuple(anyName, anyValue)), async (path, pairs) => {
        const body = new URLSearchParams(pairs).toString();
        const answer = await server.post(path, body);
        // Only 503 is possible above that: a well-formed token under a server key that this node does not have.
        expect(answer.status < 500 || answer.body['reason'] === 'unavailable').toBe(true);
        expect(answer.body).not.toHaveProperty('access_token');
      }),
      { numRuns: 500 },
    );
  });
});

const request = (method: string, path: string, headers: HttpRequest['headers'] = {}): HttpRequest => ({
  method,
  path,
  headers,
  body: '',
  remoteAddress: '192.0.2.1',
});

describe('routes', () => {
  test('a path that is not ours is left to the host', async () => {
    expect(await server.holdfast.handle(request('GET', '/'))).toBeNull();
    expect(await server.holdfast.handle(request('POST', '/token/'))).toBeNull();
  });

  test.each([
    ['GET', '/token', 'POST'],
    ['DELETE', '/revoke', 'POST'],
    ['POST', '/.well-known/jwks.json', 'GET, HEAD'],
  ])('%s %s is answered with the allowed methods', async (method, path, allow) => {
    expect(await server.holdfast.handle(request(method, path))).toMatchObject({ status: 405, headers: { allow } });
  });

  test('the metadata names every endpoint under the issuer', async () => {
    const response = await server.holdfast.handle(request('GET', '/.well-known/oauth-authorization-server'));
    expect(JSON.parse(response?.body ?? '')).toMatchObject({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      authorization_challenge_endpoint: `${ISSUER}/authorize-challenge`,
      revocation_endpoint: `${ISSUER}/revoke`,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      scopes_supported: ['notes', 'profile'],
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
    });
  });

  test('web-standard hosts get the same answers', async () => {
    const unknown = await server.holdfast.fetch(new Request(`${ISSUER}/nothing`));
    expect(unknown.status).toBe(404);
    const form = (body: URLSearchParams | string) =>
      new Request(`${ISSUER}/token`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    const refused = await server.holdfast.fetch(form(new URLSearchParams({ ...REFRESH, refresh_token: 'garbage' })));
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: 'invalid_grant', reason: 'malformed' });
    expect((await server.holdfast.fetch(form('a'.repeat(1_000_000)))).status).toBe(413);
  });
});

describe('cross-origin pages', () => {
  const origin = 'https://app.example';

  test('of a registered origin pass the preflight', async () => {
    const allowed = await server.holdfast.handle(request('OPTIONS', '/token', { origin }));
    expect(allowed).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'POST',
        vary: 'Origin, Sec-Fetch-Site',
      },
    });
    expect(allowed?.headers['access-control-allow-headers']).toContain('holdfast-request');
    const foreign = await server.holdfast.handle(request('OPTIONS', '/token', { origin: 'https://evil.example' }));
    expect(foreign?.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test("read only their own client's answers", async () => {
    const web = await server.post('/token', { client_id: 'web', grant_type: 'refresh_token' }, { origin });
    expect(web.headers['access-control-allow-origin']).toBe(origin);
    const native = await server.post('/token', { ...REFRESH, refresh_token: 'x' }, { origin });
    expect(native.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

// A request that needs the database gets 503 here, so any other answer proves that the database was not needed.
describe('with the database gone', () => {
  let cutOff: TestServer;
  let genuine: string;
  let cookie: string;

  beforeAll(async () => {
    const doomed = await createTestDatabase(inject('postgresAdminUrl'));
    cutOff = await startTestServer(doomed.databaseUrl);
    genuine = (await cutOff.signIn()).refreshToken;
    cookie = (await cutOff.signIn('web')).cookie;
    await doomed.drop();
  });
  afterAll(() => cutOff.holdfast.close());

  test('garbage is still refused, so an unauthenticated request cannot load the database', async () => {
    const changed = genuine.slice(0, -1) + (genuine.endsWith('A') ? 'B' : 'A');
    for (const refreshToken of ['garbage', changed, `${genuine}A`, genuine.toLowerCase()]) {
      const answer = await cutOff.refresh(refreshToken);
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'malformed' } });
    }
    const { verifier } = newVerifier();
    const exchange = { client_id: 'native', grant_type: 'authorization_code' };
    const garbageCodes = [
      { ...exchange, code: 'garbage', code_verifier: verifier },
      { ...exchange, code: 'A'.repeat(43), code_verifier: 'short' },
    ];
    for (const form of garbageCodes) {
      expect(await cutOff.post('/token', form)).toMatchObject({ status: 400, body: { reason: 'code' } });
    }
    expect(await cutOff.post('/revoke', { client_id: 'native', token: changed })).toMatchObject({ status: 200 });
    const damaged = { cookie: cookie.slice(0, -1) };
    const web = { client_id: 'web', grant_type: 'refresh_token' };
    expect(await cutOff.post('/token', web, damaged)).toMatchObject({ status: 400, body: { reason: 'unknown' } });
  });

  test('a genuine token gets 503, so an outage signs no user out', async () => {
    const { challenge, verifier } = newVerifier();
    const native = { client_id: 'native' };
    const answers = [
      await cutOff.refresh(genuine),
      await cutOff.post('/token', { client_id: 'web', grant_type: 'refresh_token' }, { cookie }),
      await cutOff.post('/revoke', { ...native, token: genuine }),
      await cutOff.post('/token', {
        ...native,
        grant_type: 'authorization_code',
        code: 'A'.repeat(43),
        code_verifier: verifier,
      }),
      await cutOff.post('/authorize-challenge', {
        ...native,
        username: 'ada@example.org',
        password: 'correct horse battery',
        code_challenge: challenge,
        code_challenge_method: 'S256',
      }),
    ];
    for (const answer of answers) {
      expectError(answer, 503, 'temporarily_unavailable');
      expect(answer).toMatchObject({ body: { reason: 'unavailable' }, headers: { 'retry-after': '1' } });
      expect(answer.cookies).toEqual([]);
    }
    expect(cutOff.events.filter(({ type }) => type === 'database.doubted')).toHaveLength(answers.length);
  });

  test('a start without a reachable database fails with a retryable code', async () => {
    const options = serverOptions('postgres://holdfast@127.0.0.1:1/nothing');
    await expect(createHoldfast(options)).rejects.toMatchObject({ code: 'unavailable', isRetryable: true });
  });
});
