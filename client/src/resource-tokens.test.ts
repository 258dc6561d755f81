import { describe, expect, it } from 'vitest';
import type { AuthServiceOptions } from './auth-service.ts';
import { HoldfastError } from './core/errors.ts';
import type { Platform, Vault } from './core/ports.ts';
import { signOutEverywhere } from './optional/everywhere.ts';
import { ada, asBob, bob, MINUTE, outcome, pass, refreshes, watch } from './testing/trouble.ts';
import { createWorld, json, settle, type Answer, type Tab, type World } from './testing/world.ts';

// A server whose tokens are for its API by default. Its own account endpoints accept only tokens for the issuer, so the
// client requests one with `resource`. Without it a user would lose the account calls. If that token leaked into
// ordinary use, the user would lose every other request.

const issuer = 'https://api.example.com';
const files = 'https://files.example';

type Setup = {
  readonly world: World;
  readonly tab: Tab;
  /** Every request to a resource, with the audience of its token. */
  readonly sent: string[];
  /** The first answers of `POST /token` with a resource, in order. */
  readonly answers: Answer[];
  readonly account: (path?: string) => Promise<Response>;
  readonly transport: Platform['transport'];
};

const challenge = (error: string): Response =>
  new Response('{}', { status: 401, headers: { 'www-authenticate': `Bearer error=${error}` } });

/** An access token of the simulated server names its audience: `access-3 for https://api.example.com`. */
async function setUp(
  options: Partial<AuthServiceOptions> & { readonly judge?: (url: URL, token: string) => Response | null } = {},
  world = createWorld(),
  platform: Partial<Platform> = {},
): Promise<Setup> {
  const { judge, ...others } = options;
  const sent: string[] = [];
  const answers: Answer[] = [];
  const transport: Platform['transport'] = async (request, signal) => {
    const resource = new URLSearchParams(request.body).get('resource');
    const scripted = resource ? answers.shift() : undefined;
    if (scripted) world.server.answers.push(scripted);
    const answer = await world.transport(request, signal);
    const body = JSON.parse(answer.body) as Record<string, unknown>;
    if (!resource || answer.status !== 200) return answer;
    return {
      ...answer,
      body: JSON.stringify({ ...body, access_token: `${String(body['access_token'])} for ${resource}` }),
    };
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(new Request(input).url);
    const token = new Headers(init?.headers).get('authorization')?.slice('Bearer '.length) ?? '';
    sent.push(`${url.pathname} ${token}`);
    const judged = judge?.(url, token);
    if (judged) return judged;
    if (url.origin === issuer && !token.endsWith(` for ${issuer}`))
      return challenge('"invalid_token", reason="audience"');
    return new Response('fine');
  };
  const tab = await world.openSignedInTab({ fetch, resources: [files], ...others }, { transport, ...platform });
  const account = (path = '/password'): Promise<Response> =>
    tab.auth.fetch(issuer + path, { method: 'POST', resource: issuer });
  return { world, tab, sent, answers, account, transport };
}

const resourcesAsked = (world: World): (string | null)[] => refreshes(world).map((form) => form.get('resource'));

describe('a call to an account endpoint', () => {
  it('is sent with a token for the issuer, and everything else goes on with the ordinary one', async () => {
    const { world, tab, sent, account } = await setUp();
    expect((await account()).status).toBe(200);
    expect(await tab.auth.getAccessToken()).toBe('access-1');
    expect((await tab.auth.fetch(`${files}/one`)).status).toBe(200);
    expect(sent).toEqual(['/password access-1', `/password access-2 for ${issuer}`, '/one access-1']);
    expect(resourcesAsked(world)).toEqual([issuer]);
    expect(tab.auth.getSnapshot()).toMatchObject({ tokenNumber: 1, freshness: 'verified' });
  });

  it('costs one refresh for several calls, also at the same time', async () => {
    const { world, sent, account } = await setUp();
    world.server.delayMs = 100;
    const both = Promise.all([account('/passkeys/options'), account('/sessions')]);
    await world.time.advance(100);
    expect((await both).map(({ status }) => status)).toEqual([200, 200]);
    expect((await account('/passkeys')).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
    expect(sent.at(-1)).toBe(`/passkeys access-2 for ${issuer}`);
  });

  it('costs no refresh if the server takes the ordinary token', async () => {
    const { world, account } = await setUp({ judge: () => new Response('fine') });
    expect((await account()).status).toBe(200);
    expect(world.server.refreshes()).toBe(0);
  });

  it('stores the new refresh token, and every tab and relaunch goes on with it and the ordinary access token', async () => {
    const { world, tab, account, transport } = await setUp();
    const other = world.openTab({}, { transport });
    await other.auth.ready();
    await account();
    await settle();
    expect((await world.vault.read())?.session).toMatchObject({
      refreshToken: 'refresh-2',
      access: { value: 'access-1' },
    });
    expect(await other.auth.getAccessToken()).toBe('access-1');
    expect(other.auth.getSnapshot()).toMatchObject({ tokenNumber: 1 });
    tab.auth.dispose();
    await world.time.advance(11 * MINUTE);
    expect(refreshes(world).map((form) => form.get('refresh_token'))).toEqual(['refresh-1', 'refresh-2']);
    expect(resourcesAsked(world)).toEqual([issuer, null]);
    expect(await other.auth.getAccessToken()).toBe('access-3');
  });

  it('waits first for the ordinary refresh if the token has expired, and for the one under way', async () => {
    const { world, account } = await setUp();
    world.server.delayMs = 1_000;
    await world.time.advance(20 * MINUTE);
    const called = account();
    await world.time.advance(10_000);
    expect((await called).status).toBe(200);
    expect(resourcesAsked(world).at(-1)).toBe(issuer);
  });

  it('gets a token of the new session after a step-up', async () => {
    let isRecent = false;
    const { world, tab, sent, account } = await setUp({
      judge: (_url, token) =>
        token.includes(' for ') && !isRecent ? challenge('"insufficient_user_authentication", max_age=300') : null,
    });
    const called = account();
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', stepUp: { maxAgeSeconds: 300 } });
    isRecent = true;
    world.server.extra = { ...world.server.extra, sid: 'session-2' };
    await tab.auth.signIn(ada);
    expect((await called).status).toBe(200);
    expect(sent.map((each) => each.replace('/password ', ''))).toEqual([
      'access-1',
      `access-2 for ${issuer}`,
      'access-3',
      `access-4 for ${issuer}`,
    ]);
  });

  it('gets its 401 if a token for the issuer is refused too, after few tries', async () => {
    for (const error of ['"invalid_token", reason="audience"', '"invalid_token"']) {
      const { world, sent, account } = await setUp({
        judge: (_url, token) => (token.includes(' for ') ? challenge(error) : null),
      });
      expect((await account()).status).toBe(401);
      expect(sent.length).toBeLessThanOrEqual(4);
      expect(world.server.refreshes()).toBeLessThanOrEqual(3);
    }
  });

  it('replaces a token for the issuer that was revoked', async () => {
    const { account } = await setUp({
      judge: (_url, token) => (token.startsWith('access-2 ') ? challenge('"invalid_token"') : null),
    });
    expect((await account()).status).toBe(200);
  });

  it('is not sent again with a stream that was already sent', async () => {
    const { world, tab } = await setUp();
    const body = new ReadableStream({ start: (controller) => controller.close() });
    const init = { method: 'POST', body, duplex: 'half', resource: issuer } as const;
    expect((await tab.auth.fetch(`${issuer}/password`, init)).status).toBe(401);
    expect(world.server.refreshes()).toBe(0);
  });
});

describe('a request that names no resource', () => {
  it('gets no token for the issuer, whatever its API answers', async () => {
    const { world, tab } = await setUp({ judge: () => challenge('"invalid_token", reason="audience"') });
    expect((await tab.auth.fetch(`${files}/one`)).status).toBe(401);
    expect(world.server.refreshes()).toBe(0);
  });
});

describe('a token for a resource', () => {
  it('ends with its session: the next user does not send it', async () => {
    const { world, tab, sent, account } = await setUp();
    await account();
    await tab.auth.signOut();
    asBob(world);
    await tab.auth.signIn(bob);
    sent.length = 0;
    await account();
    expect(sent).toEqual(['/password access-3', `/password access-4 for ${issuer}`]);
  });

  it('ends with the ordinary token, which is replaced before it expires', async () => {
    const { world, sent, account } = await setUp();
    await account();
    await world.time.advance(11 * MINUTE);
    await account();
    expect(sent.slice(2)).toEqual(['/password access-3', `/password access-4 for ${issuer}`]);
    expect(resourcesAsked(world)).toEqual([issuer, null, issuer]);
  });

  it('is not handed to the next user if its user left while it was asked for', async () => {
    const { world, tab, account } = await setUp();
    world.server.delayMs = 1_000;
    const called = outcome(account());
    await settle();
    await tab.auth.signOut();
    expect(await called).toBeInstanceOf(HoldfastError);
    await world.time.advance(2_000);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'signed-out' });
  });
});

describe('a refresh for a resource', () => {
  it('fails only its call if the server refuses it, without doubt or back-off for the session', async () => {
    const { world, tab, answers, account } = await setUp();
    answers.push(json(400, { error: 'invalid_target' }));
    await expect(account()).rejects.toMatchObject({ code: 'misconfigured', isRetryable: false });
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', isDoubtful: false, refusal: null });
    expect((await tab.auth.fetch(`${files}/one`)).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it.each([
    ['is lost', 'network-error'],
    ['is answered 503', json(503, { error: 'temporarily_unavailable' })],
  ] as const)('that %s is tried again, and the call waits', async (_name, answer) => {
    const { world, answers, account } = await setUp();
    answers.push(answer);
    const called = account();
    await world.time.advance(3_000);
    expect((await called).status).toBe(200);
  });

  it('asks the user if the server says that the session is over, and the call goes on afterwards', async () => {
    const { world, tab, answers, account } = await setUp();
    answers.push(json(400, { error: 'invalid_grant', reason: 'revoked' }));
    const called = account();
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'revoked' });
    world.server.extra = { ...world.server.extra, sid: 'session-2' };
    await tab.auth.signIn(ada);
    expect((await called).status).toBe(200);
  });

  it('holds up no request that has a token, and does not replace the refresh of one that needs it', async () => {
    const { world, tab, account } = await setUp({
      judge: (url, token) =>
        url.origin === files && token === 'access-1' ? new Response(null, { status: 401 }) : null,
    });
    world.server.delayMs = 1_000;
    const called = account();
    await settle();
    expect(await tab.auth.getAccessToken()).toBe('access-1');
    const refused = tab.auth.fetch(`${files}/one`);
    await world.time.advance(3_000);
    expect([(await called).status, (await refused).status]).toEqual([200, 200]);
  });

  it('also extends the session if the user asks for that meanwhile', async () => {
    const { world, tab, account } = await setUp();
    world.server.delayMs = 1_000;
    const called = watch(account());
    await settle();
    tab.auth.extend();
    await world.time.advance(5_000);
    expect(called.is).toBe('resolved');
    expect(refreshes(world).some((form) => form.get('extend') === 'true')).toBe(true);
  });
});

describe('a request to extend the session', () => {
  it('survives a refresh for a resource that cannot read the store while the ordinary token is refused', async () => {
    const world = createWorld();
    let isBlocked = false;
    const read: Vault['read'] = async () => {
      if (!isBlocked) return world.vault.read();
      await pass(world, 2_000);
      throw new Error('locked');
    };
    const judge = (url: URL, token: string): Response | null => {
      if (url.origin === issuer && token === 'access-1') isBlocked = true;
      return url.origin === files && token === 'access-1' ? new Response(null, { status: 401 }) : null;
    };
    const { tab, account } = await setUp({ judge }, world, { vault: { ...world.vault, read } });
    const called = watch(account());
    await settle();
    const refused = watch(tab.auth.fetch(`${files}/one`));
    await settle();
    tab.auth.extend();
    await world.time.advance(2_000);
    isBlocked = false;
    await world.time.advance(MINUTE);
    expect([called.is, refused.is]).toEqual(['resolved', 'resolved']);
    expect(refreshes(world).some((form) => form.get('extend') === 'true')).toBe(true);
  });
});

describe('signing out everywhere', () => {
  it('asks with a token for the issuer', async () => {
    const { tab, sent } = await setUp();
    await signOutEverywhere(tab.auth);
    expect(sent).toEqual(['/sessions access-1', `/sessions access-2 for ${issuer}`]);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });
});
