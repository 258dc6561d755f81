import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import {
  CREDENTIALS,
  newVerifier,
  serverOptions,
  startTestServer,
  type Answer,
  type TestServer,
  type Tokens,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const ATTEMPTS = 5;
const CSRF = { status: 403, body: { error: 'access_denied', reason: 'csrf' }, cookies: [] };

let database: TestDatabase;
let server: TestServer;
let native: Tokens;
let web: Tokens;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  const [first, second, third] = serverOptions(database.databaseUrl).clients;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three clients');
  server = await startTestServer(database.databaseUrl, {
    clients: [{ ...first, origins: ['https://native.example'] }, second, third],
    audience: 'https://api.example',
    resourceServers: [{ id: 'api', secret: 'a secret of the API, 32 bytes or more' }],
    policy: { passwordAttemptsPerAccount: ATTEMPTS, passwordAttemptsPerAddress: ATTEMPTS },
  });
  native = await server.signIn('native');
  // The account endpoints accept only tokens for the issuer.
  const { issuer } = serverOptions(database.databaseUrl);
  const { body } = await server.refresh(native.refreshToken, { resource: issuer });
  native = { ...native, accessToken: String(body['access_token']) };
  web = await server.signIn('web');
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

type Headers = Readonly<Record<string, string>>;

const signIn = (clientId: string, headers: Headers, password = CREDENTIALS.password): Promise<Answer> =>
  server.post(
    '/authorize-challenge',
    {
      client_id: clientId,
      username: CREDENTIALS.username,
      password,
      code_challenge: newVerifier().challenge,
      code_challenge_method: 'S256',
    },
    headers,
  );

/** Headers that a browser adds to a request, and the expected verdict for a client with cookies and one without. */
const MATRIX: readonly (readonly [string, Headers, { readonly web: boolean; readonly native: boolean }])[] = [
  ['no browser', {}, { web: true, native: true }],
  [
    "the issuer's own page",
    { origin: 'https://id.example', 'sec-fetch-site': 'same-origin' },
    { web: true, native: true },
  ],
  [
    "the client's page, same site",
    { origin: 'https://app.example', 'sec-fetch-site': 'same-site' },
    { web: true, native: false },
  ],
  ["the client's page in an old browser", { origin: 'https://app.example' }, { web: true, native: false }],
  [
    "the client's page, framed by another site",
    { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' },
    { web: false, native: false },
  ],
  [
    'a page of another site that is registered',
    { origin: 'https://native.example', 'sec-fetch-site': 'cross-site' },
    { web: false, native: true },
  ],
  [
    'a page of nobody',
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { web: false, native: false },
  ],
  ['a page of nobody in an old browser', { origin: 'https://evil.example' }, { web: false, native: false }],
  [
    'a page of a sibling domain',
    { origin: 'https://evil.id.example', 'sec-fetch-site': 'same-site' },
    { web: false, native: false },
  ],
  ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }, { web: false, native: false }],
  [
    'the same host on another port',
    { origin: 'https://app.example:8443', 'sec-fetch-site': 'same-site' },
    { web: false, native: false },
  ],
  [
    'the same host without TLS',
    { origin: 'http://app.example', 'sec-fetch-site': 'cross-site' },
    { web: false, native: false },
  ],
  ['a link or an image of another site', { 'sec-fetch-site': 'cross-site' }, { web: false, native: false }],
  ['an address that the user typed', { 'sec-fetch-site': 'none' }, { web: true, native: true }],
];

describe.each(MATRIX)('a request by %s', (_, headers, may) => {
  test('signs in, refreshes and signs out only if it is allowed to', async () => {
    expect(await signIn('web', headers)).toMatchObject(may.web ? { status: 200 } : CSRF);
    expect(await signIn('native', headers)).toMatchObject(may.native ? { status: 200 } : CSRF);
    const refresh = { grant_type: 'refresh_token' };
    const byCookie = { cookie: web.cookie, ...headers };
    const answer = await server.post('/token', { client_id: 'web', sid: web.sid, ...refresh }, byCookie);
    expect(answer).toMatchObject(may.web ? { status: 200 } : CSRF);
    const body = { client_id: 'native', refresh_token: native.refreshToken, ...refresh };
    expect(await server.post('/token', body, headers)).toMatchObject(may.native ? { status: 200 } : CSRF);
    const nothing = { client_id: 'native', token: 'nothing' };
    expect(await server.post('/revoke', nothing, headers)).toMatchObject(may.native ? { status: 200 } : CSRF);
    const named = { client_id: 'web', sid: '00000000-0000-0000-0000-000000000000' };
    expect(await server.post('/revoke', named, headers)).toMatchObject(may.web ? { status: 200 } : CSRF);
  });

  test("reaches a user's account only as the client of its token", async () => {
    const isAllowed = may.native;
    expect(await server.ask('GET', '/sessions', native.accessToken, {}, headers)).toMatchObject(
      isAllowed ? { status: 200 } : CSRF,
    );
    expect(await server.ask('POST', '/passkeys/options', native.accessToken, {}, headers)).toMatchObject(
      isAllowed ? { status: 200 } : CSRF,
    );
  });

  test.each([
    ['POST', '/authorize-challenge'],
    ['POST', '/token'],
    ['POST', '/revoke'],
    ['GET', '/sessions'],
    ['DELETE', '/sessions'],
    ['POST', '/password'],
    ['GET', '/passkeys'],
    ['POST', '/passkeys'],
    ['POST', '/passkeys/options'],
  ])('gets a Vary header from %s %s, so that no cache serves the response to others', async (method, path) => {
    const { headers: answered } = await server.ask(method, path, null, { client_id: 'web' }, headers);
    expect(answered['vary']).toBe('Origin, Sec-Fetch-Site');
  });

  test('cannot guess the secret of a resource server from an unregistered page', async () => {
    const { origin = '' } = headers;
    const isForeign = may.web || may.native ? false : !origin.endsWith('//app.example') || origin.startsWith('http:');
    const answer = await server.post('/introspect', { client_id: 'api', client_secret: 'guess', token: 'a' }, headers);
    expect(answer).toMatchObject(isForeign ? CSRF : { status: 401 });
  });

  test('reads the public documents', async () => {
    for (const path of ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server']) {
      expect(await server.ask('GET', path, null, {}, headers)).toMatchObject({ status: 200 });
    }
  });
});

describe("an unregistered page that guesses passwords from the owner's address", () => {
  const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

  test('has no guess checked or counted, and the owner can sign in', async () => {
    const events = server.events.length;
    await server.holdfast.database.query('TRUNCATE holdfast.password_attempts');
    for (let attempt = 0; attempt < 3 * ATTEMPTS; attempt++) {
      expect(await signIn(attempt % 2 === 0 ? 'web' : 'native', evil, `guess ${attempt}`)).toMatchObject(CSRF);
    }
    expect(new Set(server.events.slice(events).map(({ type }) => type))).toEqual(new Set(['request.answered']));
    const { rows } = await server.holdfast.database.query(
      'SELECT level FROM holdfast.password_attempts WHERE level > 0',
    );
    expect(rows).toEqual([]);
    expect(await signIn('web', {})).toMatchObject({ status: 200 });
  });

  test('learns nothing, because right and wrong passwords get one answer', async () => {
    const answers = [await signIn('web', evil), await signIn('web', evil, 'wrong')];
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.headers).not.toHaveProperty('access-control-allow-origin');
  });
});
