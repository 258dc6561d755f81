// The steps for a stranger's input grow with its length and no faster, at every entry: 16 kB must
// stop neither a node nor a page. Steps are counted, not timed.
import type { HttpRequest } from '@holdfast/server';
import { createResourceGuard, followRevocations } from '@holdfast/server/resource';
import { foreignTokenResponses, type HttpResponse } from 'holdfast';
import { passkey, web } from 'holdfast/web';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createWorld, json } from '../client/src/testing/world.ts';
import { startTestServer, type TestServer } from '../server/src/testing/client.ts';
import { createTestIssuer, TOKEN_ISSUER } from '../server/src/testing/issuer.ts';
import { startStepCounter, type StepCounter } from './step-counter.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

/** The input of one entry, in characters: the rest of 16 kB for a header beside the others, and of the limit for a body. */
const length = 15_800;
/** A dozen passes over the input are ordinary, and the client looks up base64url in an alphabet of 64. A quadratic parser takes thousands. */
const stepsPerCharacter = 96;

/** Repeated until the input is full: what parsers split at, look for, unescape, or begin a token with. */
const pumps = [
  ...'a A 0 / % = & ; , . - _ " \\ + : [ ] { } < > @'.split(' '),
  ' ',
  '\t',
  '%41',
  '%2',
  'a=',
  'a=b&',
  'a=b;',
  '; holdfast-a=',
  'a=;',
  ' =',
  '; ',
  ' ;',
  ', ',
  ',a',
  'a"',
  '="',
  'a="b",',
  '../',
  '//',
  'é',
  '\u{a0}',
  '😀',
  'eyJ',
  '__Host-holdfast-',
  'hfrt_',
  'Bearer ',
  'DPoP ',
  'error=',
  'error="',
  '127.0.0.1,',
  '[::1]:1,',
  '::',
  'a.',
  'a b ',
  '{"a":',
  '[[',
  '\\u0041',
  '"a",',
];

const fill = (pump: string, begin = '', end = ''): string => {
  const room = length - begin.length - end.length;
  return begin + pump.repeat(Math.ceil(room / pump.length)).slice(0, room) + end;
};

let database: TestDatabase;
let server: TestServer;
let accessToken: string;
let counter: StepCounter;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startTestServer(database.databaseUrl, {
    trustedProxies: 1,
    policy: { requestsPerSecond: 0 },
    audience: 'https://api.example',
    resourceServers: [{ id: 'api', secret: 'a secret of the API, 32 bytes or more' }],
  });
  ({ accessToken } = await server.signIn('native'));
  counter = await startStepCounter((url) => /\/(?:client|server)\/src\/(?!testing\/)/.test(url));
});
afterAll(async () => {
  await counter?.stop();
  await server?.holdfast.close();
  await database?.drop();
});

/** Sends every input, one after the other, and compares the steps of all with their characters. */
async function expectFewSteps(send: (text: string) => Promise<unknown>): Promise<void> {
  const inputs = pumps.map((pump) => fill(pump));
  const steps = await counter.count(async () => {
    for (const input of inputs) await send(input);
  });
  expect(steps).toBeGreaterThan(inputs.length);
  expect(steps / (inputs.length * length)).toBeLessThan(stepsPerCharacter);
}

it('a parser that looks at the rest once more at each character is found', async () => {
  const parse = (text: string): number => {
    let found = 0;
    for (let at = 0; at < text.length; at++) if (text.includes('?', at)) found++;
    return found;
  };
  const steps = await counter.count(() => Promise.resolve(void parse(fill('a'))));
  expect(steps / length).toBeGreaterThan(100 * stepsPerCharacter);
});

const handle = ({
  path = '/token',
  query = '',
  method = 'POST',
  headers = {},
  body = '',
  remoteAddress = '192.0.2.1',
}: Partial<HttpRequest>) =>
  server.holdfast.handle({
    method,
    path,
    query,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'holdfast-request': '1', ...headers },
    body,
    remoteAddress,
  });

describe('at the server, 16 kB', () => {
  it.each(['', '/', '/sessions/', '/passkeys/', '/.well-known/'])('as a path that begins with "%s"', async (begin) => {
    await expectFewSteps((text) => handle({ path: begin + text, headers: { authorization: `Bearer ${accessToken}` } }));
  });

  it.each([
    'authorization',
    'cookie',
    'dpop',
    'content-type',
    'origin',
    'sec-fetch-site',
    'user-agent',
    'x-forwarded-for',
    'early-data',
  ])('in the header %s', async (name) => {
    await expectFewSteps((text) =>
      handle({ headers: { [name]: text }, body: 'client_id=web&grant_type=refresh_token' }),
    );
    if (name === 'authorization' || name === 'dpop') {
      await expectFewSteps((text) =>
        handle({ path: '/sessions', method: 'GET', headers: { authorization: `DPoP ${accessToken}`, [name]: text } }),
      );
      await expectFewSteps((text) => handle({ path: '/introspect', headers: { [name]: text } }));
    }
  });

  it.each(['', 'limit=', 'after=', 'limit=1&after='])(
    'as a query of the device list that begins with "%s"',
    async (begin) => {
      await expectFewSteps((text) =>
        handle({
          path: '/sessions',
          method: 'GET',
          query: begin + text,
          headers: { authorization: `Bearer ${accessToken}` },
        }),
      );
    },
  );

  it('as the address of a peer', async () => {
    await expectFewSteps((text) => handle({ remoteAddress: text }));
  });

  it.each(['/token', '/authorize-challenge', '/revoke', '/introspect', '/revocations', '/password'])(
    'as the body of %s',
    async (path) => {
      await expectFewSteps((body) => handle({ path, body, headers: { authorization: `Bearer ${accessToken}` } }));
    },
  );

  const refresh = 'client_id=native&grant_type=refresh_token&refresh_token=a';
  const exchange = 'client_id=native&grant_type=authorization_code';
  const signIn = 'client_id=native&code_challenge_method=S256';
  const challenge = `${signIn}&code_challenge=${'a'.repeat(43)}`;
  it.each([
    ['/token', '', 'client_id'],
    ['/token', 'client_id=native', 'grant_type'],
    ['/token', 'client_id=native&grant_type=refresh_token', 'refresh_token'],
    ['/token', 'client_id=web&grant_type=refresh_token', 'sid'],
    ['/token', refresh, 'scope'],
    ['/token', refresh, 'resource'],
    ['/token', exchange, 'code'],
    ['/token', `${exchange}&code=${'a'.repeat(43)}`, 'code_verifier'],
    ['/authorize-challenge', signIn, 'code_challenge'],
    ['/authorize-challenge', challenge, 'scope'],
    ['/authorize-challenge', challenge, 'acr_values'],
    ['/authorize-challenge', challenge, 'max_age'],
    ['/authorize-challenge', challenge, 'dpop_jkt'],
    ['/authorize-challenge', challenge, 'passkey_options'],
    ['/authorize-challenge', `${challenge}&passkey_options=true`, 'scope'],
    ['/authorize-challenge', `${challenge}&password=a`, 'username'],
    ['/authorize-challenge', `${challenge}&username=a`, 'password'],
    ['/authorize-challenge', `${challenge}&passkey_response=a`, 'auth_session'],
    ['/authorize-challenge', `${challenge}&auth_session=a`, 'passkey_response'],
    ['/revoke', 'client_id=native', 'token'],
    ['/introspect', 'client_id=api&client_secret=a secret of the API, 32 bytes or more', 'token'],
    ['/revocations', 'client_id=api&client_secret=a secret of the API, 32 bytes or more', 'after'],
    ['/revocations', 'client_id=api&client_secret=a secret of the API, 32 bytes or more', 'wait'],
    ['/password', '', 'new_password'],
    ['/passkeys/options', '', 'name'],
    ['/passkeys', 'passkey_response=a', 'auth_session'],
    ['/passkeys', 'auth_session=a', 'passkey_response'],
  ])('at %s, after "%s", in the parameter %s', async (path, form, name) => {
    const headers = ['/password', '/passkeys', '/passkeys/options'].includes(path)
      ? { authorization: `Bearer ${accessToken}` }
      : {};
    await expectFewSteps((text) =>
      handle({ path, headers, body: `${form}&${name}=${text.slice(0, 16_000 - form.length - name.length)}` }),
    );
  });
});

describe('at a resource server, 16 kB', () => {
  it.each(['authorization', 'dpop', 'target'])('as %s', async (name) => {
    const issuer = createTestIssuer();
    const guard = createResourceGuard({ issuer: TOKEN_ISSUER, audience: 'https://api.example', fetch: issuer.fetch });
    const authorization = `Bearer ${issuer.token()}`;
    for (const begin of ['', 'DPoP ', 'Bearer a.']) {
      await expectFewSteps((text) =>
        guard.check({ method: 'GET', target: '/', authorization, dpop: undefined, [name]: begin + text }),
      );
    }
  });
});

describe('at a resource server, 16 kB from the authorization server', () => {
  it.each<readonly [string, (text: string) => string]>([
    ['the key set', (text) => text],
    ['the id of a key', (text) => JSON.stringify({ keys: [{ kty: 'EC', kid: text }] })],
    [
      'a coordinate of a key',
      (text) => JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', kid: 'current', x: text }] }),
    ],
  ])('as %s', async (_, answerWith) => {
    const issuer = createTestIssuer();
    const authorization = `Bearer ${issuer.token()}`;
    await expectFewSteps((text) => {
      const fetch: typeof issuer.fetch = async (url, init) =>
        url.endsWith('/jwks.json') ? new Response(answerWith(text)) : issuer.fetch(url, init);
      const guard = createResourceGuard({ issuer: TOKEN_ISSUER, audience: 'https://api.example', fetch });
      return guard.check({ method: 'GET', target: '/', authorization, dpop: undefined }).catch(() => null);
    });
  });
});

describe('at a resource server, 16 kB from the revocation feed', () => {
  const news = { cursor: '1', more: false };
  /** Twenty characters of JSON for each. */
  const entriesOf = (text: string): readonly object[] =>
    Array.from({ length: length / 20 }, (_, at) => ({ sid: text.charAt(at), exp: 1 }));
  type Follower = ReturnType<typeof followRevocations>;
  type Fetch = ReturnType<typeof createTestIssuer>['fetch'];
  /** `isRead` resolves when the first answer was read, or could not be. */
  const followFeed = (fetch: Fetch): { readonly follower: Follower; readonly isRead: Promise<unknown> } => {
    let fail = (): void => {};
    const isFailed = new Promise<void>((resolve) => (fail = resolve));
    const follower = followRevocations({ issuer: TOKEN_ISSUER, id: 'api', secret: 'secret', onFailure: fail, fetch });
    return { follower, isRead: Promise.race([follower.ready, isFailed]) };
  };
  it.each<readonly [string, (text: string) => string]>([
    ['the answer', (text) => text],
    ['the cursor', (text) => JSON.stringify({ ...news, revoked: [], cursor: text })],
    ['the id of a session', (text) => JSON.stringify({ ...news, revoked: [{ sid: text, exp: 9_999_999_999 }] })],
    ['the time of an entry', (text) => JSON.stringify({ ...news, revoked: [{ sid: 'a', exp: text }] })],
    ['a list of ids', (text) => JSON.stringify({ ...news, revoked: entriesOf(text) })],
  ])('as %s', async (_, answerWith) => {
    const issuer = createTestIssuer();
    const authorization = `Bearer ${issuer.token()}`;
    await expectFewSteps(async (text) => {
      const answers = [answerWith(text)];
      const { follower, isRead } = followFeed((_url, { signal }) => {
        const answer = answers.shift();
        if (answer !== undefined) return Promise.resolve(new Response(answer));
        return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('closed'))));
      });
      await isRead;
      const options = { issuer: TOKEN_ISSUER, audience: 'https://api.example', fetch: issuer.fetch };
      const guard = createResourceGuard({ ...options, revocations: follower });
      await guard.check({ method: 'GET', target: '/', authorization, dpop: undefined }).catch(() => null);
      follower.close();
    });
  });
});

describe('at the client, 16 kB', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it.each(['', 'holdfast-a=', 'b=; holdfast-a=session-1; '])(
    'in the cookies of a page that begin with "%s"',
    async (begin) => {
      let text = '';
      const read = vi.fn(() => begin + text);
      vi.stubGlobal('document', Object.defineProperty({}, 'cookie', { get: read }));
      const { vault } = web({ name: 'a' });
      await expectFewSteps(async (pumped) => {
        text = pumped;
        await vault.read();
      });
      expect(read).toHaveBeenCalledTimes(pumps.length);
    },
  );

  it.each<readonly [string, (text: string) => object]>([
    ['passkey_options', (text) => ({ auth_session: 'a', passkey_options: text })],
    ['the challenge of passkey_options', (text) => ({ auth_session: 'a', passkey_options: { challenge: text } })],
    ['an allowed credential', (text) => ({ auth_session: 'a', passkey_options: { allowCredentials: [{ id: text }] } })],
    ['the RP ID', (text) => ({ auth_session: 'a', passkey_options: { rpId: text } })],
    ['auth_session', (text) => ({ auth_session: text, passkey_options: {} })],
  ])('as %s of a challenge', async (what, answerWith) => {
    const parse = (options: object): object => options;
    vi.stubGlobal(
      'PublicKeyCredential',
      Object.assign(function () {}, { parseRequestOptionsFromJSON: parse }),
    );
    const get = vi.fn(() => Promise.resolve({ id: 'a' }));
    vi.stubGlobal('navigator', { credentials: { get } });
    await expectFewSteps(async (text) => {
      const { openTab, time } = createWorld();
      const answers = [json(200, answerWith(text))];
      const transport = () => Promise.resolve(answers.shift() ?? json(400, { error: 'access_denied' }));
      const { auth } = openTab({}, { transport });
      const signedIn = auth.signIn(passkey()).catch(() => null);
      await time.advance(60_000);
      await signedIn;
      auth.dispose();
    });
    // Text is no object: the ceremony does not begin.
    expect(get).toHaveBeenCalledTimes(what === 'passkey_options' ? 0 : pumps.length);
  });

  it.each(['www-authenticate', 'dpop-nonce', 'retry-after', 'date'])("in an API's header %s", async (name) => {
    const { server: authorizationServer, openSignedInTab, time } = createWorld();
    const answer = { text: '' };
    const { auth } = await openSignedInTab({
      fetch: async () => {
        const headers = new Headers();
        // Fetch itself refuses what no header can hold.
        try {
          headers.set(name, answer.text);
        } catch {}
        return new Response(null, { status: name === 'date' ? 200 : 401, headers });
      },
    });
    await expectFewSteps(async (text) => {
      answer.text = text;
      authorizationServer.answers.length = 0;
      const asked = auth.fetch('https://api.example.com/notes').catch(() => null);
      await time.advance(60_000);
      return asked;
    });
  });

  const token = { access_token: 'a', token_type: 'Bearer', expires_in: 900, sid: 'session-1', sub: 'user-1' };
  it.each<readonly [string, (text: string) => HttpResponse]>([
    ['the body', (text) => ({ status: 200, headers: {}, body: text })],
    ['the access token', (text) => json(200, { ...token, access_token: `a.${text}.a`, expires_in: undefined })],
    ['expires_in', (text) => json(200, { ...token, expires_in: text })],
    ['sid', (text) => json(200, { ...token, sid: text })],
    ['the error', (text) => json(400, { error: `invalid_${text}` })],
    ['the reason', (text) => json(400, { error: 'invalid_request', reason: text, error_description: text })],
    ['Retry-After', (text) => json(503, {}, { 'retry-after': text, date: text })],
    ['DPoP-Nonce', (text) => json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': text })],
  ])('as %s of a token answer', async (_, answerWith) => {
    await expectFewSteps(async (text) => {
      const { server: authorizationServer, openSignedInTab, time } = createWorld();
      const { auth } = await openSignedInTab({ readTokenResponse: foreignTokenResponses() });
      authorizationServer.answers.push(answerWith(text));
      await time.advance(700_000);
      auth.dispose();
    });
  });
});
