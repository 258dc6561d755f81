// Authorization servers of other vendors, with the whole AuthService: a user keeps the session whatever the server's
// habits are.
import { describe, expect, it } from 'vitest';
import type { AuthServiceOptions } from './auth-service.ts';
import type { HttpResponse } from './core/ports.ts';
import type { TokenResult, Tokens } from './core/token-result.ts';
import { parseObject } from './core/wire.ts';
import { adopt } from './optional/adopt.ts';
import { signOutEverywhere } from './optional/everywhere.ts';
import { foreignTokenResponses } from './optional/foreign-token-responses.ts';
import { FIRST_REFRESH_TOKEN, playForeignServer, type ForeignServer, type Habits } from './testing/foreign-server.ts';
import { MINUTE } from './testing/trouble.ts';
import { createWorld, json, type Tab, type World } from './testing/world.ts';

const issuer = 'https://id.example/realms/notes';
const tokenEndpoint = `${issuer}/token`;

const plain: Habits = {
  tokenEndpoint,
  rotates: () => true,
  livesMs: 15 * MINUTE,
  nameAccess: (serial) => `foreign-access-${serial}`,
  says: (access, refresh) => ({
    access_token: access,
    token_type: 'Bearer',
    expires_in: 900,
    ...(refresh === null ? {} : { refresh_token: refresh }),
  }),
};

/** The token response at the end of another library's sign-in. */
const begun = { access_token: 'used up', token_type: 'Bearer', expires_in: 0, refresh_token: FIRST_REFRESH_TOKEN };

type Foreign = { readonly world: World; readonly server: ForeignServer; readonly openTab: () => Tab };

function foreign(habits: Partial<Habits> = {}, options: Partial<AuthServiceOptions> = {}): Foreign {
  const world = createWorld();
  const server = playForeignServer(world, { ...plain, ...habits });
  const openTab = (): Tab =>
    world.openTab({ issuer, fetch: server.fetch, ...options }, { transport: server.transport });
  return { world, server, openTab };
}

async function openAdoptedTab({ openTab }: Foreign): Promise<Tab> {
  const tab = openTab();
  await tab.auth.ready();
  await adopt(tab.auth, begun);
  return tab;
}

const opaque = (serial: number): string => `ya29.~${'-._~+/'.repeat(500)}${serial}==`;
const isEven = (refresh: number): boolean => refresh % 2 === 0;

describe('a working day in two tabs: every request is answered, the user stays signed in, no refresh token is sent twice', () => {
  type Row = Partial<Habits> & Pick<AuthServiceOptions, 'endpoints'>;
  const servers: readonly (readonly [name: string, server: Row])[] = [
    ['rotates without grace', {}],
    ['never rotates, and says nothing of the refresh token', { rotates: () => false }],
    [
      'never rotates, and hands the same refresh token out again',
      { rotates: () => false, says: (access) => plain.says(access, FIRST_REFRESH_TOKEN) },
    ],
    ['rotates at some refreshes only', { rotates: isEven }],
    [
      'names no expires_in, and an access token lives for less than one would think',
      { says: (access, refresh) => ({ access_token: access, token_type: 'Bearer', refresh_token: refresh }) },
    ],
    [
      'writes expires_in as a string',
      { says: (access, refresh) => ({ access_token: access, refresh_token: refresh, expires_in: '900' }) },
    ],
    [
      'promises an hour and lets an access token live for a quarter',
      { says: (access, refresh) => ({ access_token: access, refresh_token: refresh, expires_in: 3_600 }) },
    ],
    ['has opaque access tokens of 3,000 characters', { nameAccess: opaque }],
    [
      'has access tokens that look like a JWT and are none',
      { nameAccess: (serial) => `eyJhbGciOiJub25lIn0.e30.${serial}` },
    ],
    [
      'writes members that nobody knows',
      {
        says: (access, refresh) => ({
          ...Object(plain.says(access, refresh)),
          sid: 7,
          session_state: [],
          id_token: {},
        }),
      },
    ],
    [
      'keeps its token endpoint elsewhere below the issuer',
      {
        tokenEndpoint: `${issuer}/protocol/openid-connect/token`,
        endpoints: { token: 'protocol/openid-connect/token' },
      },
    ],
    [
      'keeps its token endpoint elsewhere on the origin',
      { tokenEndpoint: 'https://id.example/oauth2/v1/token', endpoints: { token: '/oauth2/v1/token' } },
    ],
    [
      'keeps its token endpoint on another origin',
      {
        tokenEndpoint: 'https://tokens.example/exchange?v=2',
        endpoints: { token: 'https://tokens.example/exchange?v=2' },
      },
    ],
  ];

  it.each(servers)('%s', async (_name, { endpoints = {}, ...habits }) => {
    const here = foreign(habits, { endpoints });
    const { world, server, openTab } = here;
    const tabs = [await openAdoptedTab(here), openTab()];
    for (let minute = 0; minute < 8 * 60; minute += 5) {
      for (const { auth } of tabs) {
        const response = await auth.fetch('https://id.example/me');
        expect([minute, response.status]).toEqual([minute, 200]);
        expect(await response.json()).toEqual({ sub: 'ada' });
      }
      await world.time.advance(5 * MINUTE);
    }
    for (const { auth } of tabs) expect(auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    expect(server.isGrantOver()).toBe(false);
    // The token expires after a quarter of an hour, and is refreshed in its last third if the server has named its
    // lifetime.
    expect(server.sent.length).toBeGreaterThanOrEqual(32);
    expect(server.sent.length).toBeLessThanOrEqual(49);
    const { rotates } = { ...plain, ...habits };
    const made = server.sent.filter((_token, refreshes) => refreshes === 0 || rotates(refreshes));
    expect(new Set(server.sent).size).toBe(made.length);
  });
});

describe('a server that', () => {
  it('hands out no refresh token: the session ends with its access token, and parked requests are sent after the next sign-in', async () => {
    const { world, server, openTab } = foreign();
    const { auth } = openTab();
    await auth.ready();
    const answer = { access_token: 'no-refresh', token_type: 'Bearer', expires_in: 900, sub: 'ada' };
    await adopt(auth, answer);
    await world.time.advance(14 * MINUTE);
    expect(await auth.getAccessToken()).toBe('no-refresh');
    await world.time.advance(2 * MINUTE);
    expect(auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'expired' });
    const parked = auth.getAccessToken();
    await adopt(auth, { ...answer, access_token: 'the-next' });
    expect(await parked).toBe('the-next');
    expect(server.requests).toEqual([]);
  });

  it('never rotates: a lost answer costs nothing', async () => {
    const here = foreign({ rotates: () => false });
    const tab = await openAdoptedTab(here);
    here.server.losses = 3;
    const parked = tab.auth.getAccessToken();
    await here.world.time.advance(MINUTE);
    expect(await parked).toBe('foreign-access-4');
    expect(tab.seen('refresh.failed')).toHaveLength(3);
    expect(tab.auth.getSnapshot().status).toBe('active');
  });

  it('forgives no lost answer: the user signs in once, and parked requests are sent', async () => {
    const here = foreign();
    const { auth } = here.openTab();
    await auth.ready();
    await adopt(auth, { ...begun, sub: 'ada' });
    here.server.losses = 1;
    const parked = auth.getAccessToken();
    await here.world.time.advance(MINUTE);
    expect(here.server.sent).toEqual([FIRST_REFRESH_TOKEN, FIRST_REFRESH_TOKEN]);
    expect(auth.getSnapshot()).toMatchObject({
      status: 'reauthentication-required',
      reason: 'revoked',
      parkedRequests: 1,
    });
    await adopt(auth, { access_token: 'after sign-in', expires_in: 900, refresh_token: 'another', sub: 'ada' });
    expect(await parked).toBe('after sign-in');
  });

  it.each([
    ['below the issuer', {}, `${issuer}/revoke`],
    ['elsewhere on the origin', { revocation: '/oauth2/v1/revoke' }, 'https://id.example/oauth2/v1/revoke'],
    ['on another origin', { revocation: 'https://tokens.example/end' }, 'https://tokens.example/end'],
  ])('has its revocation endpoint %s: a sign-out reaches it', async (_name, endpoints, url) => {
    const here = foreign({}, { endpoints });
    const { auth } = await openAdoptedTab(here);
    await auth.getAccessToken();
    await auth.signOut();
    await here.world.time.advance(0);
    const { form } = here.server.requests.findLast((request) => request.url === url) ?? {};
    expect(form?.get('token')).toBe('foreign-refresh-1');
    expect(form?.get('client_id')).toBe('app');
  });

  it('has no revocation endpoint: the user is signed out all the same, at once and for good', async () => {
    const here = foreign();
    const { auth } = await openAdoptedTab(here);
    await auth.signOut();
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect(await here.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('has its own endpoints for signing in and for ending all sessions', async () => {
    const world = createWorld();
    const paths: string[] = [];
    const transport: World['transport'] = async ({ url }) => {
      paths.push(url);
      return url.endsWith('/login') ? json(200, { authorization_code: 'code' }) : json(200, { access_token: 'a' });
    };
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const { method, url } = new Request(input, init);
      paths.push(`${method} ${url}`);
      return new Response(null, { status: 204 });
    };
    const endpoints = { token: 'oauth/token', challenge: '/login', sessions: 'users/me/sessions' };
    const { auth } = world.openTab({ issuer, endpoints, fetch }, { transport });
    await auth.signIn({ username: 'ada', password: 'secret' });
    await signOutEverywhere(auth);
    expect(paths.slice(0, 3)).toEqual([
      'https://id.example/login',
      `${issuer}/oauth/token`,
      `DELETE ${issuer}/users/me/sessions`,
    ]);
  });
});

describe('an answer that differs from RFC 6749 is read as the app reads it', () => {
  const field = ({ body }: HttpResponse, name: string): unknown => parseObject(body)?.[name];
  const rejected = (reason: 'expired' | 'revoked' | 'reuse-detected'): TokenResult => ({ kind: 'rejected', reason });
  const tokens = (accessToken: unknown, more: Partial<Tokens>): TokenResult => ({
    kind: 'tokens',
    tokens: {
      accessToken: String(accessToken),
      tokenType: 'Bearer',
      lifetimeMs: 900_000,
      refreshToken: null,
      scope: null,
      sid: null,
      sub: null,
      sessionLifetimeMs: null,
      ...more,
    },
  });
  type Classify = NonNullable<Parameters<typeof foreignTokenResponses>[0]>;

  /** The outcome of the first refresh, and the session after it. */
  async function refreshOnce(
    answer: HttpResponse,
    classify: Classify | null,
  ): Promise<Foreign & { tab: Tab; said: unknown }> {
    const here = foreign({}, classify ? { readTokenResponse: foreignTokenResponses(classify) } : {});
    here.server.answers.push(answer);
    const tab = await openAdoptedTab(here);
    await here.world.time.advance(0);
    const verdict = tab.observed.find(({ type }) => /^refresh\.(failed|rejected|succeeded)$/u.test(type));
    const said = verdict && ('reason' in verdict ? verdict.reason : 'cause' in verdict ? verdict.cause : verdict.type);
    return { ...here, tab, said };
  }

  describe('as rejected: the user is asked to sign in', () => {
    it.each([
      [
        'a code of its own',
        json(401, { code: 'SESSION_GONE' }),
        'server-error',
        (given) => (field(given, 'code') === 'SESSION_GONE' ? rejected('revoked') : null),
        'revoked',
      ],
      [
        'a status 200 that says no',
        json(200, { ok: false, error: 'token_expired' }),
        'misconfigured',
        (given) => (field(given, 'error') === 'token_expired' ? rejected('expired') : null),
        'expired',
      ],
      [
        'another word of the standard’s',
        json(400, { error: 'invalid_request', error_description: 'refresh token expired' }),
        'misconfigured',
        (given) => (/expired/u.test(String(field(given, 'error_description'))) ? rejected('expired') : null),
        'expired',
      ],
      [
        'a finer word',
        json(400, { error: 'invalid_grant', error_subtype: 'token_family_revoked' }),
        'revoked',
        (given) => (field(given, 'error_subtype') === 'token_family_revoked' ? rejected('reuse-detected') : null),
        'reuse-detected',
      ],
      [
        'a page',
        { status: 403, headers: { 'x-session': 'ended' }, body: '<h1>Session ended</h1>' },
        'not-json',
        ({ headers }) => (headers['x-session'] === 'ended' ? rejected('revoked') : null),
        'revoked',
      ],
    ] satisfies [string, HttpResponse, string, Classify, string][])(
      '%s',
      async (_name, answer, standard, classify, reason) => {
        expect((await refreshOnce(answer, null)).said).toBe(standard);
        const { tab, said, world, server } = await refreshOnce(answer, classify);
        expect(said).toBe(reason);
        expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason });
        await world.time.advance(10 * MINUTE);
        expect(server.sent).toHaveLength(1);
      },
    );
  });

  describe('as no answer: the session stays, and the next answer is read by the standard', () => {
    const notNow = (cause: 'server-error' | 'rate-limited', retryAfterMs: number | null): TokenResult => ({
      kind: 'transient',
      cause,
      retryAfterMs,
    });
    it.each([
      [
        'an invalid_grant that means: somebody else is refreshing',
        json(400, { error: 'invalid_grant', error_code: 'concurrent_refresh' }),
        'revoked',
        (given) => (field(given, 'error_code') === 'concurrent_refresh' ? notNow('server-error', null) : null),
        'server-error',
        300,
      ],
      [
        'a limit of requests with a header of its own',
        json(403, { error: 'access_denied' }, { 'x-ratelimit-reset-after': '90' }),
        'misconfigured',
        ({ headers }) => {
          const seconds = headers['x-ratelimit-reset-after'];
          return seconds === undefined ? null : notNow('rate-limited', Number(seconds) * 1_000);
        },
        'rate-limited',
        90_000,
      ],
    ] satisfies [string, HttpResponse, string, Classify, string, number][])(
      '%s',
      async (_name, answer, standard, classify, cause, waitMs) => {
        expect((await refreshOnce(answer, null)).said).toBe(standard);
        const { tab, said, world, server } = await refreshOnce(answer, classify);
        expect(said).toBe(cause);
        expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active' });
        const parked = tab.auth.getAccessToken();
        await world.time.advance(waitMs - 1);
        expect(server.sent).toHaveLength(1);
        await world.time.advance(1_000);
        expect(await parked).toBe('foreign-access-2');
      },
    );
  });

  describe('as tokens: they are stored and used', () => {
    it('in an envelope', async () => {
      const answer = json(200, { data: { token: 'in-envelope', refresh: 'foreign-refresh-next' } });
      const classify: Classify = (given) => {
        const data = Object(field(given, 'data'));
        return typeof data.token === 'string' ? tokens(data.token, { refreshToken: data.refresh }) : null;
      };
      expect((await refreshOnce(answer, null)).said).toBe('not-json');
      const { tab, said, world, server } = await refreshOnce(answer, classify);
      expect(said).toBe('refresh.succeeded');
      expect(await tab.auth.getAccessToken()).toBe('in-envelope');
      await world.time.advance(11 * MINUTE);
      expect(server.sent).toEqual([FIRST_REFRESH_TOKEN, 'foreign-refresh-next']);
    });

    it('with the end of the session under another name: the user is warned of it', async () => {
      const answer = json(200, { access_token: 'a', refresh_token: 'r', expires_in: 900, refresh_expires_in: 400 });
      const classify: Classify = (given) => {
        const seconds = field(given, 'refresh_expires_in');
        return typeof seconds === 'number'
          ? tokens(field(given, 'access_token'), { refreshToken: 'r', sessionLifetimeMs: seconds * 1_000 })
          : null;
      };
      const standard = await refreshOnce(answer, null);
      expect(standard.tab.auth.getSnapshot()).toMatchObject({ sessionExpiresAtMs: null });
      const { tab, world } = await refreshOnce(answer, classify);
      const endsAt = world.time.clock.now().wallMs + 400_000;
      expect(tab.auth.getSnapshot()).toMatchObject({ sessionExpiresAtMs: endsAt, isExpiring: false });
      await world.time.advance(100_000);
      expect(tab.auth.getSnapshot()).toMatchObject({ isExpiring: true });
    });
  });
});

describe('a sign-in that the server refuses as misconfigured', () => {
  it('rejects with the words of the server, cut so that they contain no token', async () => {
    const world = createWorld();
    const { auth } = world.openTab();
    await auth.ready();
    const secret = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ';
    const description = `No client "app" here. ${secret} ${'word '.repeat(99)}`;
    world.server.answers.push(json(401, { error: 'invalid_client', error_description: description }));
    const error = await auth.signIn({ username: 'ada', password: 'secret' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'misconfigured',
      isRetryable: false,
      message: expect.stringMatching(/^invalid_client: No client .app. here\. \? word /u),
    });
    expect((error as Error).message).toHaveLength(200);
  });
});
