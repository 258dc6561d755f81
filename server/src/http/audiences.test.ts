import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createHoldfast } from '../holdfast.ts';
import { createResourceGuard } from '../resource/guard.ts';
import {
  CREDENTIALS,
  ISSUER,
  newVerifier,
  serverOptions,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { athOf, createProver } from '../testing/proof.ts';
import { ENDPOINTS } from './doors/endpoints.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const API = 'https://api.example';
const FILES = 'https://files.example/v1';
const NOTES_SERVER = { id: 'notes', secret: 'a secret of the notes API, of 32 bytes or more' };
const FILES_SERVER = { id: 'files', secret: 'a secret of the files API, of 32 bytes or more', audiences: [FILES] };

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  const { clients } = serverOptions(database.databaseUrl);
  server = await startTestServer(database.databaseUrl, {
    audience: API,
    resourceServers: [NOTES_SERVER, FILES_SERVER],
    clients: clients.map((client) => (client.clientId === 'native' ? { ...client, audiences: [FILES] } : client)),
  });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

/** Signs in and returns an access token for an audience. */
async function tokenFor(resource?: string): Promise<{ readonly accessToken: string; readonly sid: string }> {
  const { refreshToken } = await server.signIn();
  return toTokens(await server.refresh(refreshToken, resource === undefined ? {} : { resource }));
}
const audienceOf = ({ body }: Answer): unknown =>
  (
    JSON.parse(Buffer.from(String(body['access_token']).split('.')[1] ?? '', 'base64url').toString()) as {
      aud: unknown;
    }
  ).aud;
const rowOf = async (sid: string): Promise<unknown> =>
  (await server.holdfast.database.query('SELECT to_jsonb(s) AS row FROM holdfast.sessions s WHERE id = $1', [sid]))
    .rows[0];

async function startExchange(): Promise<(form?: Readonly<Record<string, string>> | string) => Promise<Answer>> {
  const { verifier, challenge } = newVerifier();
  const form = { client_id: 'native', ...CREDENTIALS, code_challenge: challenge, code_challenge_method: 'S256' };
  const { body } = await server.post('/authorize-challenge', form);
  const exchange = {
    client_id: 'native',
    grant_type: 'authorization_code',
    code: String(body['authorization_code']),
    code_verifier: verifier,
  };
  return (more = {}) =>
    typeof more === 'string'
      ? server.post('/token', `${new URLSearchParams(exchange).toString()}&${more}`)
      : server.post('/token', { ...exchange, ...more });
}

const ACCOUNT_ENDPOINTS = ENDPOINTS.flatMap((endpoint) =>
  endpoint.kind === 'resource'
    ? Object.keys(endpoint.methods).map((method): [string, string] => [method, endpoint.path])
    : [],
);

describe('an API that receives a token cannot act on the account with it', () => {
  test.each(ACCOUNT_ENDPOINTS)('%s %s', async (method, path) => {
    for (const resource of [undefined, API, FILES]) {
      const { accessToken, sid } = await tokenFor(resource);
      const before = await rowOf(sid);
      const answer = await server.ask(method, path.replace('{id}', sid), accessToken, {
        new_password: 'stolen account',
      });
      expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_token', reason: 'audience' } });
      expect(answer.headers['www-authenticate']).toMatch(
        /^Bearer error="invalid_token", .*reason="audience", resource_metadata="https:\/\/id\.example\/\.well-known\/oauth-protected-resource"$/,
      );
      expect(await rowOf(sid)).toEqual(before);
    }
    // The password is unchanged.
    await server.signIn();
  });

  test('nor with a bound token and its proof', async () => {
    const prover = createProver();
    const { refreshToken } = await server.signIn();
    const refresh = (nonce?: string) =>
      server.post(
        '/token',
        { client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken },
        { dpop: prover.prove({ htu: `${ISSUER}/token`, nonce }) },
      );
    const { accessToken } = toTokens(await refresh(String((await refresh()).headers['dpop-nonce'])));
    const dpop = prover.prove({ htu: `${ISSUER}/password`, ath: athOf(accessToken) });
    const form = { new_password: 'stolen account' };
    const answer = await server.ask('POST', '/password', null, form, { authorization: `DPoP ${accessToken}`, dpop });
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_token', reason: 'audience' } });
  });
});

describe("a token for the issuer's audience", () => {
  test('opens the account endpoints and no API', async () => {
    const { accessToken } = await tokenFor(ISSUER);
    expect(await server.ask('GET', '/sessions', accessToken)).toMatchObject({ status: 200 });
    expect(await server.ask('POST', '/passkeys/options', accessToken)).toMatchObject({ status: 200 });
    expect(await server.holdfast.verifyAccessToken(`Bearer ${accessToken}`)).toMatchObject({
      ok: false,
      error: 'invalid_token',
      reason: 'audience',
    });
    const guard = createResourceGuard({
      issuer: ISSUER,
      audience: API,
      fetch: (url, init) => server.holdfast.fetch(new Request(url, init)),
    });
    const check = (token: string) =>
      guard.check({ method: 'GET', target: '/', authorization: `Bearer ${token}`, dpop: undefined });
    expect(await check(accessToken)).toMatchObject({ ok: false, status: 401, error: 'invalid_token' });
    expect(await check((await tokenFor()).accessToken)).toMatchObject({ ok: true });
  });

  test('is also issued at the sign-in', async () => {
    const exchange = await startExchange();
    const answer = await exchange({ resource: ISSUER });
    expect(answer).toMatchObject({ status: 200, body: { resource: ISSUER } });
    expect(await server.ask('GET', '/sessions', toTokens(answer).accessToken)).toMatchObject({ status: 200 });
  });

  test('is named by the metadata of the account endpoints', async () => {
    const read = async (path: string): Promise<unknown> =>
      (await server.holdfast.fetch(new Request(`${ISSUER}${path}`))).json();
    expect(await read('/.well-known/oauth-protected-resource')).toMatchObject({
      resource: ISSUER,
      authorization_servers: [ISSUER],
    });
    expect(await read('/.well-known/oauth-authorization-server')).toMatchObject({ protected_resources: [ISSUER] });
  });
});

describe('the resource that a client requests', () => {
  test.each([
    [undefined, API],
    ['', API],
    [API, API],
    [`${API}/`, API],
    ['HTTPS://API.EXAMPLE:443', API],
    [FILES, FILES],
    ['https://files.example/x/../v1', FILES],
    [ISSUER, ISSUER],
    [`${ISSUER}/`, ISSUER],
  ])('%s: the token is for %s, and the answer says so', async (resource, audience) => {
    const { refreshToken } = await server.signIn();
    const answer = await server.refresh(refreshToken, resource === undefined ? {} : { resource });
    expect(answer).toMatchObject({ status: 200, body: { resource: audience } });
    expect(audienceOf(answer)).toBe(audience);
  });

  test.each([
    'https://other.example',
    'https://api.example/notes',
    'https://api.example.evil.example',
    'https://api.example@evil.example',
    'http://api.example',
    'https://files.example/v1/',
    'https://files.example/V1',
    'https://files.example/v1#x',
    'files',
    '*',
    '__proto__',
  ])('%s is refused before the row is touched', async (resource) => {
    const { refreshToken, sid } = await server.signIn();
    await server.letTimePass(sid, 60_000);
    const before = await rowOf(sid);
    expect(await server.refresh(refreshToken, { resource })).toMatchObject({
      status: 400,
      body: { error: 'invalid_target' },
    });
    expect(await rowOf(sid)).toEqual(before);
    const exchange = await startExchange();
    expect(await exchange({ resource })).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
    // The code is still valid.
    expect(await exchange()).toMatchObject({ status: 200, body: { resource: API } });
  });

  test('of another client is refused', async () => {
    const { refreshToken } = await server.signIn('other');
    expect(await server.refresh(refreshToken, { client_id: 'other', resource: FILES })).toMatchObject({
      status: 400,
      body: { error: 'invalid_target' },
    });
  });

  test('must be one, so two of them are refused, even if equal', async () => {
    const { refreshToken, sid } = await server.signIn();
    const before = await rowOf(sid);
    const exchange = await startExchange();
    for (const resources of [`resource=${API}&resource=${ISSUER}`, `resource=${API}&resource=${API}`]) {
      const form = `client_id=native&grant_type=refresh_token&refresh_token=${refreshToken}&${resources}`;
      expect(await server.post('/token', form)).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
      expect(await exchange(resources)).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
    }
    expect(await rowOf(sid)).toEqual(before);
    expect(await exchange()).toMatchObject({ status: 200 });
  });

  test('changes nothing in the decision: the refresh token rotates once and is paced as usual', async () => {
    const { refreshToken, sid } = await server.signIn();
    await server.letTimePass(sid, 60_000);
    const rotated = await server.refresh(refreshToken, { resource: ISSUER });
    expect(rotated.body).toMatchObject({ resource: ISSUER, refresh_token: expect.any(String) });
    const alone = await server.refresh(String(rotated.body['refresh_token']), { resource: API });
    expect(alone.body).not.toHaveProperty('refresh_token');
    expect(alone).toMatchObject({ status: 200, body: { resource: API } });
  });
});

describe('introspection tells a resource server only about its own audiences', () => {
  const ask = async (token: string, { id, secret }: { id: string; secret: string }): Promise<unknown> => {
    const authorization = `Basic ${Buffer.from(`${id}:${encodeURIComponent(secret)}`).toString('base64')}`;
    const { status, body } = await server.post('/introspect', { token }, { authorization });
    expect(status).toBe(200);
    return body['active'];
  };

  test('of access tokens', async () => {
    const told = async (resource: string): Promise<unknown> => {
      const { accessToken } = await tokenFor(resource);
      return [await ask(accessToken, NOTES_SERVER), await ask(accessToken, FILES_SERVER)];
    };
    expect(await told(API)).toEqual([true, false]);
    expect(await told(FILES)).toEqual([false, true]);
    expect(await told(ISSUER)).toEqual([false, false]);
  });

  test('of refresh tokens, by the resources that their client may request', async () => {
    const { refreshToken } = await server.signIn('native');
    expect([await ask(refreshToken, NOTES_SERVER), await ask(refreshToken, FILES_SERVER)]).toEqual([true, true]);
    const { refreshToken: other } = await server.signIn('other');
    expect([await ask(other, NOTES_SERVER), await ask(other, FILES_SERVER)]).toEqual([true, false]);
  });
});

describe('a configuration that would give an API tokens for the account is refused at the start', () => {
  const start = (overrides: Readonly<Record<string, unknown>>) =>
    createHoldfast({ ...serverOptions(database.databaseUrl), ...overrides });

  test.each([undefined, ISSUER, `${ISSUER}/`, 'https://ID.example'])(
    'resource servers, and %s by default',
    (audience) => expect(start({ audience, resourceServers: [NOTES_SERVER] })).rejects.toThrow(/options\.audience/),
  );

  test('a resource server with the issuer as an audience', () =>
    expect(
      start({ audience: API, resourceServers: [{ ...NOTES_SERVER, audiences: [API, `${ISSUER}/`] }] }),
    ).rejects.toThrow(/resourceServers\[notes\]\.audiences/));

  test.each([['https://api.example#x'], [''], ['two words'], [7]])('%s as an audience', async (audience) => {
    await expect(start({ audience })).rejects.toThrow(/options\.audience/);
    const clients = [{ clientId: 'app', refreshTokenTransport: 'body', scopes: ['notes'], audiences: [audience] }];
    await expect(start({ clients })).rejects.toThrow(/clients\[app\]\.audiences/);
  });

  test.each([ISSUER, `${ISSUER}/`, 'HTTPS://id.example'])('a guard for %s', (audience) => {
    expect(() => createResourceGuard({ issuer: ISSUER, audience })).toThrow(/options\.audience is the issuer/);
  });
});

test("an API in the server's own process may share the issuer's audience", async () => {
  const alone = await startTestServer(database.databaseUrl);
  const answer = await alone.refresh((await alone.signIn()).refreshToken);
  expect(answer.body).toMatchObject({ resource: ISSUER });
  const { accessToken } = toTokens(answer);
  expect(await alone.holdfast.verifyAccessToken(`Bearer ${accessToken}`)).toMatchObject({ ok: true });
  expect(await alone.ask('GET', '/sessions', accessToken)).toMatchObject({ status: 200 });
  await alone.holdfast.close();
});
