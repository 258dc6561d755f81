import { describe, expect, it } from 'vitest';
import { adopt } from './optional/adopt.ts';
import { automaticStage } from './optional/automatic-stage.ts';
import { proofSigner } from './runtime/dpop.ts';
import type { SignInMethod } from './runtime/sign-in.ts';
import { DUE, MINUTE, never, trouble, watch } from './testing/trouble.ts';
import { createWorld, json, settle } from './testing/world.ts';

// One endpoint, one tab or one clock in trouble must cost the others nothing.

const api = 'https://api.example.com';

/** An API that answers by path: a bare 401, a 401 that blames the token, or success. */
const apiOf =
  (answers: Readonly<Record<string, 'silent' | 'explicit'>>, isAccepted = (_token: string | null) => false) =>
  (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const answer = answers[new URL(new Request(input).url).pathname];
    if (answer === undefined || isAccepted(new Headers(init?.headers).get('authorization')))
      return Promise.resolve(new Response('fine'));
    const headers = answer === 'explicit' ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {};
    return Promise.resolve(new Response('no', { status: 401, headers }));
  };

const statusOf = (response: Promise<Response>): Promise<unknown> =>
  response.then(
    ({ status }) => status,
    (error: unknown) => error,
  );

describe('endpoints that always answer 401', () => {
  it('cost one refresh if two take turns, and no other request waits', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ fetch: apiOf({ '/a': 'silent', '/b': 'silent' }) });
    for (let call = 0; call < 30; call++) {
      await world.time.advance(1_000);
      expect((await auth.fetch(`${api}${call % 2 ? '/a' : '/b'}`)).status).toBe(401);
      expect((await auth.fetch(`${api}/good`)).status).toBe(200);
    }
    expect(world.server.refreshes()).toBe(1);
  });

  it('cause a refresh again after one of them has recovered', async () => {
    const world = createWorld();
    let accepted = 'Bearer none';
    const fetch = apiOf({ '/a': 'silent' }, (token) => token === accepted);
    const { auth } = await world.openSignedInTab({ fetch });
    await auth.fetch(`${api}/a`);
    accepted = 'Bearer access-2';
    expect((await auth.fetch(`${api}/a`)).status).toBe(200);
    accepted = 'Bearer access-3';
    await world.time.advance(10_000);
    expect((await auth.fetch(`${api}/a`)).status).toBe(200);
    expect(world.server.refreshes()).toBe(2);
  });
});

describe('a bare 401', () => {
  it('in two tabs at once causes one refresh: the second tab hears of the token while it waits for the lock', async () => {
    const world = createWorld();
    const fetch = apiOf({ '/notes': 'silent' }, (token) => token === 'Bearer access-2');
    const tabs = [await world.openSignedInTab({ fetch }), world.openTab({ fetch })];
    world.server.delayMs = 1_000;
    const answers = Promise.all(tabs.map(({ auth }) => statusOf(auth.fetch(`${api}/notes`))));
    await world.time.advance(5_000);
    expect(await answers).toEqual([200, 200]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('during an outage of the server holds up only its own request, which is sent again in the end', async () => {
    const world = createWorld();
    const fetch = apiOf({ '/legacy': 'silent' }, (token) => token === 'Bearer access-2');
    const tab = await world.openSignedInTab({ fetch });
    world.server.answers.push(...Array.from({ length: 4 }, () => json(503, {})));
    const legacy = statusOf(tab.auth.fetch(`${api}/legacy`, { deadlineMs: 10 * MINUTE }));
    await world.time.advance(0);
    const good = statusOf(tab.auth.fetch(`${api}/good`));
    await world.time.advance(0);
    expect(await good).toBe(200);
    await world.time.advance(5 * MINUTE);
    expect(await legacy).toBe(200);
    expect(tab.seen('refresh.succeeded')).toHaveLength(1);
  });

  it('and one that blames the token: no other request is spent on it', async () => {
    const world = createWorld();
    const fetch = apiOf({ '/legacy': 'explicit' });
    const { auth } = await world.openSignedInTab({ fetch });
    world.server.answers.push(json(503, {}));
    void statusOf(auth.fetch(`${api}/legacy`));
    await world.time.advance(100);
    const good = watch(auth.fetch(`${api}/good`));
    await world.time.advance(0);
    expect(good.is).toBe('pending');
    await world.time.advance(MINUTE);
    expect(good.is).toBe('resolved');
  });

  it('does not end a session without a refresh token, and goes to its caller', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ fetch: apiOf({ '/legacy': 'silent' }), reauthentication: [] });
    await auth.ready();
    await adopt(auth, { access_token: 'theirs', token_type: 'Bearer', expires_in: 3_600 });
    expect(await statusOf(auth.fetch(`${api}/legacy`))).toBe(401);
    expect(await statusOf(auth.fetch(`${api}/good`))).toBe(200);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active' });
  });

  it('with invalid_token ends such a session, and the caller learns it', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ fetch: apiOf({ '/strict': 'explicit' }), reauthentication: [] });
    await auth.ready();
    await adopt(auth, { access_token: 'theirs', token_type: 'Bearer', expires_in: 3_600 });
    expect(await statusOf(auth.fetch(`${api}/strict`))).toMatchObject({ code: 'signed-out' });
    expect(auth.getSnapshot()).toMatchObject({ status: 'signed-out', reason: 'expired' });
  });
});

describe('a prompt in the background', () => {
  /** A tab whose only stage is a passkey that starts by itself. */
  const withPasskey = (method: SignInMethod) => ({ reauthentication: [automaticStage('passkey', method)] });
  const revoke = json(400, { error: 'invalid_grant', reason: 'revoked' });

  it('is not shown, so that its failure cannot sign out the user who is asked in front', async () => {
    const world = createWorld();
    const asked: string[] = [];
    const front = await world.openSignedInTab(withPasskey(() => (asked.push('front'), never())));
    const back = world.openTab(
      withPasskey(() => (asked.push('back'), Promise.reject(new DOMException('no focus', 'NotAllowedError')))),
      { random: () => 0.1 },
    );
    await back.auth.ready();
    back.signal('background');
    world.server.answers.push(...Array.from({ length: 5 }, () => revoke));
    await world.time.advance(14 * MINUTE);
    expect(asked).toEqual(['front']);
    expect(front.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required' });
    expect(back.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required' });
    back.signal('foreground');
    await settle();
    expect(asked).toEqual(['front', 'back']);
  });

  it('is withdrawn when the user has answered in another tab', async () => {
    const world = createWorld();
    const signals: (AbortSignal | undefined)[] = [];
    const tab = await world.openSignedInTab(withPasskey((_ask, signal) => (signals.push(signal), never())));
    world.server.answers.push(revoke);
    await world.time.advance(DUE);
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    await world.openSignedInTab();
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active' });
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });
});

describe('news that no signal brings', () => {
  it('a process that waits for its user finds a sign-in of another process by itself', async () => {
    const world = createWorld();
    const alone = { announce: () => {}, signals: () => () => {} };
    const first = await world.openSignedInTab({}, alone);
    world.server.answers.push(json(400, { error: 'invalid_grant', reason: 'revoked' }));
    await world.time.advance(DUE);
    expect(first.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required' });
    const parked = first.auth.getAccessToken();
    await world.openSignedInTab({}, alone);
    await world.time.advance(MINUTE);
    expect(await parked).toMatch(/^access-/u);
  });

  it('the user is asked at the expiry of the token, if storage stays full and there is no refresh token', async () => {
    const world = createWorld();
    const full = trouble(world);
    const { auth } = world.openTab({}, { vault: full.vault });
    await auth.ready();
    full.mode = 'locked';
    await adopt(auth, { access_token: 'a', expires_in: 900, sub: 'ada' });
    await world.time.advance(16 * MINUTE);
    expect(auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'expired' });
  });
});

describe('the end of a session that nothing can move', () => {
  it('is announced once, however often the user asks to extend', async () => {
    const world = createWorld();
    const leftSeconds = (): number => Math.floor((20 * MINUTE - world.time.clock.now().monotonicMs) / 1_000);
    Object.defineProperties(world.server, {
      extra: { get: () => ({ sid: 'session-1', authorization_expires_in: leftSeconds() }) },
      lifetimeSeconds: { get: () => Math.min(900, leftSeconds()) },
    });
    const tab = await world.openSignedInTab();
    await world.time.advance(15.5 * MINUTE);
    for (let press = 0; press < 3; press++) {
      tab.auth.extend();
      await world.time.advance(1_000);
    }
    expect(tab.seen('refresh.succeeded').length).toBeGreaterThan(1);
    expect(tab.seen('session.expiring')).toHaveLength(1);
    expect(tab.auth.getSnapshot()).toMatchObject({ isExpiring: true, isExtendable: false });
  });

  it('differs in the snapshot from an end that the user can move', async () => {
    const world = createWorld();
    world.server.extra = { sid: 'session-1', refresh_token_timeout: 1_200, authorization_expires_in: 86_400 };
    const tab = await world.openSignedInTab();
    expect(tab.auth.getSnapshot()).toMatchObject({ isExtendable: true });
    expect((await world.vault.read())?.session).toMatchObject({ isEndFixed: false });
  });
});

describe('a clock that is wrong', () => {
  it('does not spoil DPoP proofs: they carry the time of the server', async () => {
    const world = createWorld();
    const times: number[] = [];
    const signProof = proofSigner(({ atMs }) => (times.push(atMs), Promise.resolve('proof')));
    world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
    const startMs = world.time.clock.now().wallMs;
    // The device is an hour slow.
    const serverMs = (): number => startMs + 60 * MINUTE + world.time.clock.now().monotonicMs;
    const transport: typeof world.transport = async (request, signal) => {
      const answer = await world.transport(request, signal);
      return { ...answer, headers: { ...answer.headers, date: new Date(serverMs()).toUTCString() } };
    };
    const tab = await world.openSignedInTab({}, { signProof, transport });
    const isRight = async (): Promise<boolean> => {
      tab.auth.extend();
      await world.time.advance(10);
      return Math.abs((times.at(-1) ?? 0) - serverMs()) < 2_000;
    };
    expect(await isRight()).toBe(true);
    // The clock is set while the app runs, so it is wrong again until the next answer.
    world.time.jumpWall(365 * 24 * 60 * MINUTE);
    await isRight();
    expect(await isRight()).toBe(true);
  });
});
