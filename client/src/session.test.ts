import { describe, expect, it } from 'vitest';
import { defaultPolicy, sessionPolicy } from './core/policy.ts';
import type { Platform } from './core/ports.ts';
import { adopt } from './optional/adopt.ts';
import { automaticStage } from './optional/automatic-stage.ts';
import { proofSigner } from './runtime/dpop.ts';
import type { SignInMethod } from './runtime/sign-in.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

const MINUTE = 60_000;
/**
 * When the tabs of these tests refresh a 15-minute token: 5 minutes before its expiry, less a jitter of a tenth of
 * that.
 */
const DUE = 10.5 * MINUTE;

/** A tab's access token. The promise of a parked request does not fail the test. */
const watch = (promise: Promise<string>): { value: string | null; error: unknown } => {
  const watched: { value: string | null; error: unknown } = { value: null, error: null };
  promise.then(
    (value) => (watched.value = value),
    (error: unknown) => (watched.error = error),
  );
  return watched;
};

const active = (snapshot: ReturnType<ReturnType<World['openTab']>['auth']['getSnapshot']>) => {
  if (snapshot.status !== 'active') throw new Error(`expected an active session, not ${snapshot.status}`);
  return snapshot;
};

describe('sign-in and restore', () => {
  it('starts signed out when nothing was ever stored', async () => {
    const { auth } = createWorld().openTab();
    expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
    expect(await auth.ready()).toEqual({ status: 'signed-out', reason: 'never-signed-in' });
  });

  it('stores the session before it tells anybody, so that a reload one moment later finds it', async () => {
    const world = createWorld();
    const stored: unknown[] = [];
    const tab = world.openTab();
    await tab.auth.ready();
    tab.auth.subscribe(() => void world.vault.read().then((record) => stored.push(record?.session?.sid)));
    await tab.auth.signIn({ username: 'ada', password: 'secret' });
    await settle();
    expect(active(tab.auth.getSnapshot()).freshness).toBe('verified');
    expect(stored[0]).toBe('session-1');
  });

  it('restores at relaunch with the stored access token, without a request', async () => {
    const world = createWorld();
    await world.openSignedInTab();
    const relaunched = world.openTab();
    expect(active(await relaunched.auth.ready()).freshness).toBe('restored');
    expect(await relaunched.auth.getAccessToken()).toBe('access-1');
    expect(world.server.refreshes()).toBe(0);
  });

  it('restores with one refresh when the stored access token has expired', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    await world.time.advance(20 * MINUTE);
    const relaunched = world.openTab();
    await relaunched.auth.ready();
    expect(await relaunched.auth.getAccessToken()).toBe('access-2');
    expect(world.server.refreshes()).toBe(1);
  });

  it('waits for a locked vault at launch instead of showing the sign-in page', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    let isLocked = true;
    const read = (): ReturnType<typeof world.vault.read> =>
      isLocked ? Promise.reject(new Error('locked')) : world.vault.read();
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    await world.time.advance(MINUTE);
    expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
    isLocked = false;
    await world.time.advance(2 * MINUTE);
    expect(auth.getSnapshot().status).toBe('active');
  });
});

describe('one refresh serves all', () => {
  it('parks 1,000 requests at expiry behind one refresh, and releases all of them', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    auth.dispose();
    await world.time.advance(20 * MINUTE);
    world.server.delayMs = 200;
    const tab = world.openTab();
    const requests = Array.from({ length: 1_000 }, () => tab.auth.getAccessToken());
    await world.time.advance(MINUTE);
    expect(new Set(await Promise.all(requests))).toEqual(new Set(['access-2']));
    expect(world.server.refreshes()).toBe(1);
    expect(tab.seen('request.parked')).toHaveLength(1_000);
  });

  it('refreshes five minutes before expiry, once', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    await world.time.advance(10 * MINUTE);
    expect(world.server.refreshes()).toBe(0);
    await world.time.advance(MINUTE);
    expect(tab.seen('refresh.started').map(({ cause }) => cause)).toEqual(['proactive']);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });

  it('refreshes a short-lived token in its last third, not in a loop', async () => {
    const world = createWorld();
    world.server.lifetimeSeconds = 60;
    const tab = await world.openSignedInTab();
    await world.time.advance(10 * MINUTE);
    const perLifetime = tab.seen('refresh.sent').length / 10;
    expect(perLifetime).toBeGreaterThan(1);
    expect(perLifetime).toBeLessThanOrEqual(1.6);
  });

  it('caps refreshes whatever the server answers', async () => {
    const world = createWorld();
    world.server.lifetimeSeconds = 0;
    await world.openSignedInTab();
    await world.time.advance(10 * MINUTE);
    const { refreshBurst, refreshRefillMs } = defaultPolicy;
    expect(world.server.refreshes()).toBeLessThanOrEqual(refreshBurst + (10 * MINUTE) / refreshRefillMs);
  });

  it('lets one of 25 tabs refresh and the others adopt what it stored', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const tabs = Array.from({ length: 25 }, () => world.openTab());
    await Promise.all(tabs.map(({ auth }) => auth.ready()));
    world.server.delayMs = 300;
    await world.time.advance(12 * MINUTE);
    expect(world.server.refreshes()).toBe(1);
    expect(new Set(await Promise.all(tabs.map(({ auth }) => auth.getAccessToken())))).toEqual(new Set(['access-2']));
  });

  it('without locks, two tabs that happen to be close do not refresh together at every token', async () => {
    const world = createWorld();
    const refreshLock: Platform['refreshLock'] = () => Promise.resolve(null);
    await world.openSignedInTab({}, { refreshLock, random: () => 0.5 });
    await world.openTab({}, { refreshLock, random: () => 0.5001 }).auth.ready();
    world.server.delayMs = 100;
    await world.time.advance(40 * 11 * MINUTE);
    expect(world.server.refreshes()).toBeGreaterThanOrEqual(40);
    expect(world.server.refreshes()).toBeLessThan(50);
  });

  it('goes ahead without a lock that is never granted', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({}, { refreshLock: () => new Promise(() => {}) });
    await world.time.advance(12 * MINUTE);
    expect(await auth.getAccessToken()).toBe('access-2');
  });

  it('does not send a token that it read before the device slept', async () => {
    const world = createWorld();
    let isAsleep = false;
    const read = async (): ReturnType<typeof world.vault.read> => {
      const record = await world.vault.read();
      // Between the read and the request the device sleeps for an hour, and another tab uses the token.
      if (isAsleep) world.time.jumpWall(60 * MINUTE);
      isAsleep = false;
      return record;
    };
    const tab = await world.openSignedInTab({}, { vault: { ...world.vault, read } });
    isAsleep = true;
    await world.time.advance(DUE);
    expect(tab.seen('refresh.failed').map(({ cause }) => cause)).toEqual(['vault-unavailable']);
    expect(world.server.refreshes()).toBe(0);
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect(world.server.refreshes()).toBe(1);
  });
});

describe('what does not end a session', () => {
  const harmless = [
    ['a network error', 'network-error'],
    ['no answer at all', 'silence'],
    ['503', json(503, { error: 'temporarily_unavailable' }, { 'retry-after': '1' })],
    ['429', json(429, { error: 'temporarily_unavailable', reason: 'wait' }, { 'retry-after': '1' })],
    ['a captive portal', { status: 200, headers: {}, body: '<html>Welcome to our Wi-Fi</html>' }],
    ['a proxy that says 401', { status: 401, headers: {}, body: '' }],
    ['truncated JSON', { status: 200, headers: {}, body: '{"access_token":"a' }],
    ['an HTML 400', { status: 400, headers: {}, body: '<html>Bad request</html>' }],
    ['invalid_client', json(401, { error: 'invalid_client' })],
    [
      'an answer for another session',
      json(200, { access_token: 'x', token_type: 'Bearer', sid: 'session-2', sub: 'user-1' }),
    ],
  ] as const;

  it.each(harmless)('%s: the session stays, and the next try succeeds', async (_name, answer) => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(answer);
    await world.time.advance(DUE);
    if (answer === 'silence') await world.time.advance(defaultPolicy.responseDeadlineMs);
    expect(tab.seen('refresh.failed')).toHaveLength(1);
    expect(await tab.auth.getAccessToken()).toBe('access-1');
    await world.time.advance(2 * MINUTE);
    expect(active(tab.auth.getSnapshot()).freshness).toBe('verified');
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });

  it('a nonce that the server requires in the proof costs one more request, and is remembered', async () => {
    const world = createWorld();
    const proofs: unknown[] = [];
    const signProof = proofSigner((proof) => {
      proofs.push(proof);
      return Promise.resolve('proof');
    });
    world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
    const tab = await world.openSignedInTab({}, { signProof });
    world.server.answers.push(json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'n1' }));
    await world.time.advance(DUE);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
    expect(tab.seen('refresh.failed')).toHaveLength(0);
    expect(proofs.slice(-2)).toMatchObject([{ nonce: null }, { nonce: 'n1' }]);
  });

  it('a server that asks for nonce after nonce is not followed forever', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(...Array.from({ length: 2 }, () => json(400, { error: 'use_dpop_nonce' })));
    await world.time.advance(DUE);
    expect(tab.seen('refresh.failed').map(({ cause }) => cause)).toEqual(['nonce-required']);
    expect(tab.auth.getSnapshot().status).toBe('active');
  });

  it('a day without a network and an expired token: parked requests fail by their deadline, the session stays', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(...Array.from({ length: 5_000 }, () => 'network-error' as const));
    await world.time.advance(30 * MINUTE);
    const parked = watch(tab.auth.getAccessToken());
    await world.time.advance(3 * MINUTE);
    expect(parked.error).toMatchObject({ code: 'deadline-exceeded', isRetryable: true });
    await world.time.advance(24 * 60 * MINUTE);
    expect(active(tab.auth.getSnapshot()).freshness).toBe('offline');
    world.server.answers.length = 0;
    tab.signal('online');
    await settle();
    expect(active(tab.auth.getSnapshot()).freshness).toBe('verified');
  });

  it('honours Retry-After, also when the network comes back meanwhile', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(json(503, {}, { 'retry-after': '60' }));
    await world.time.advance(DUE);
    expect(world.server.refreshes()).toBe(1);
    tab.signal('online');
    await world.time.advance(50_000);
    expect(world.server.refreshes()).toBe(1);
    await world.time.advance(20_000);
    expect(world.server.refreshes()).toBe(2);
  });

  it('a wall clock that is set a year ahead or back costs one refresh at most', async () => {
    for (const years of [1, -1]) {
      const world = createWorld();
      const tab = await world.openSignedInTab();
      world.time.jumpWall(years * 365 * 24 * 60 * MINUTE);
      tab.signal('foreground');
      await world.time.advance(MINUTE);
      expect(await tab.auth.getAccessToken()).toMatch(/^access-[12]$/u);
      expect(world.server.refreshes()).toBeLessThanOrEqual(1);
      expect(tab.auth.getSnapshot().status).toBe('active');
    }
  });

  it('a vault that cannot be read starts no refresh that would rotate', async () => {
    const world = createWorld();
    let isLocked = false;
    const read = (): ReturnType<typeof world.vault.read> =>
      isLocked ? Promise.reject(new Error('locked')) : world.vault.read();
    const tab = await world.openSignedInTab({}, { vault: { ...world.vault, read } });
    isLocked = true;
    await world.time.advance(14 * MINUTE);
    expect(world.server.refreshes()).toBe(0);
    expect(await tab.auth.getAccessToken()).toBe('access-1');
    isLocked = false;
    await world.time.advance(2 * MINUTE);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });

  it('a vault that never answers does not hang the session', async () => {
    const world = createWorld();
    let isStuck = false;
    const read = (): ReturnType<typeof world.vault.read> => (isStuck ? new Promise(() => {}) : world.vault.read());
    const tab = await world.openSignedInTab({}, { vault: { ...world.vault, read } });
    isStuck = true;
    await world.time.advance(DUE);
    isStuck = false;
    await world.time.advance(2 * MINUTE);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });
});

describe('what ends a session', () => {
  const invalidGrant = (reason: string) => json(400, { error: 'invalid_grant', reason });

  it.each([
    ['revoked', 'revoked'],
    ['reuse', 'reuse-detected'],
    ['idle_expired', 'expired'],
  ])('%s: asks for the password once, keeps the parked requests, and never loops', async (reason, shown) => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(invalidGrant(reason));
    await world.time.advance(DUE);
    const parked = watch(tab.auth.getAccessToken());
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({
      status: 'reauthentication-required',
      stage: 'password',
      reason: shown,
      parkedRequests: 1,
    });
    expect(world.server.refreshes()).toBe(1);
    await tab.auth.signIn({ username: 'ada', password: 'secret' });
    await settle();
    expect(parked.value).toBe('access-2');
    expect(world.server.requests.at(-1)?.get('replaces')).toBe('session-1');
  });

  it('declining the last stage signs out, fails the parked requests, and gives the reason', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab({ reauthentication: ['passkey', 'password'] });
    world.server.answers.push(invalidGrant('revoked'));
    await world.time.advance(DUE);
    const parked = watch(tab.auth.getAccessToken());
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ stage: 'passkey' });
    tab.auth.declineReauthentication();
    expect(tab.auth.getSnapshot()).toMatchObject({ stage: 'password' });
    tab.auth.declineReauthentication();
    await settle();
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'reauthentication-failed' });
    expect(parked.error).toMatchObject({ code: 'signed-out' });
  });

  it('a rejection of a token that another tab has replaced meanwhile does not end the session', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab({}, { announce: () => {} });
    world.server.answers.push(invalidGrant('reuse'));
    world.server.delayMs = 1_000;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ isRefreshing: true });
    const record = await world.vault.read();
    if (!record?.session) throw new Error('expected a stored session');
    const { access } = record.session;
    if (access === null) throw new Error('expected a stored access token');
    const theirs = { ...access, value: 'access-of-the-other-tab', expiresAtMs: access.expiresAtMs + 15 * MINUTE };
    await world.vault.compareAndSwap(null, {
      session: { ...record.session, refreshToken: 'newer', access: theirs },
      endedReason: null,
    });
    await world.time.advance(2_000);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect(await tab.auth.getAccessToken()).toBe('access-of-the-other-tab');
  });

  it('a sign-out during a refresh is final: the late answer does not bring the session back', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.delayMs = 5_000;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ isRefreshing: true });
    await tab.auth.signOut();
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect(await world.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('a sign-out without a network is delivered after a relaunch', async () => {
    const world = createWorld();
    let isOffline = false;
    const transport: Platform['transport'] = (request, signal) =>
      isOffline ? Promise.reject(new TypeError('Failed to fetch')) : world.transport(request, signal);
    const tab = await world.openSignedInTab({}, { transport });
    isOffline = true;
    await tab.auth.signOut();
    expect((await world.vault.read())?.session).toBeNull();
    tab.auth.dispose();
    isOffline = false;
    world.openTab({}, { transport });
    await settle();
    expect(world.server.requests.at(-1)?.get('token')).toBe('refresh-1');
    world.openTab({}, { transport });
    await settle();
    expect(world.server.requests.filter((form) => form.has('token'))).toHaveLength(1);
  });

  it('a session of another library is taken over, stored, and kept alive', async () => {
    const world = createWorld();
    const tab = world.openTab();
    await tab.auth.ready();
    await expect(adopt(tab.auth, { token_type: 'Bearer' })).rejects.toMatchObject({ code: 'protocol' });
    await adopt(tab.auth, { access_token: 'theirs', token_type: 'Bearer', expires_in: 900, refresh_token: 'r0' });
    expect(await tab.auth.getAccessToken()).toBe('theirs');
    await world.time.advance(DUE);
    expect(world.server.requests.at(-1)?.get('refresh_token')).toBe('r0');
    expect(await tab.auth.getAccessToken()).toBe('access-1');
  });

  it('a stage that starts by itself brings the session back without any typing', async () => {
    const world = createWorld();
    const method: SignInMethod = (ask) => ask({ webauthn: 'assertion' });
    const tab = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method), 'password'] });
    world.server.answers.push(invalidGrant('revoked'));
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });

  it.each([
    ['NotAllowedError', 'cancelled'],
    ['NotSupportedError', 'unavailable'],
    ['Error', 'failed'],
  ])('%s: the next stage follows, and the user interface learns the reason (%s)', async (name, why) => {
    const world = createWorld();
    const method: SignInMethod = () => Promise.reject(Object.assign(new Error('no'), { name }));
    const tab = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method), 'password'] });
    world.server.answers.push(invalidGrant('revoked'));
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ stage: 'password', failed: [{ stage: 'passkey', why }] });
  });

  it('an outage leaves the automatic stage open, and it is tried again', async () => {
    const world = createWorld();
    const method: SignInMethod = (ask) => ask({ webauthn: 'assertion' });
    const tab = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method), 'password'] });
    world.server.answers.push(invalidGrant('revoked'), 'network-error', json(503, {}), 'network-error');
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', stage: 'passkey', failed: [] });
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot().status).toBe('active');
  });

  it('an automatic stage that waits out an outage ends when the user declines it', async () => {
    const world = createWorld();
    let prompts = 0;
    const method: SignInMethod = (ask) => (prompts++, ask({ webauthn: 'assertion' }));
    const tab = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method), 'password'] });
    world.server.answers.push(invalidGrant('revoked'), 'network-error');
    await world.time.advance(DUE);
    tab.auth.declineReauthentication();
    await world.time.advance(5 * MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({ stage: 'password', failed: [{ stage: 'passkey' }] });
    expect(prompts).toBe(1);
  });

  it('sign-out reaches the other tabs and the server, and takes local data at once', async () => {
    const world = createWorld();
    const first = await world.openSignedInTab();
    const second = world.openTab();
    await second.auth.ready();
    await first.auth.signOut();
    await settle();
    expect(second.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect((await world.vault.read())?.session).toBeNull();
    expect(world.server.requests.at(-1)?.get('token')).toBe('refresh-1');
  });

  it('another user signs in: requests parked for the first are rejected and never sent', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push(invalidGrant('revoked'));
    await world.time.advance(DUE);
    const parked = watch(tab.auth.getAccessToken());
    world.server.extra = { sid: 'session-2', sub: 'user-2' };
    await tab.auth.signIn({ username: 'grace', password: 'secret' });
    await settle();
    expect(parked.value).toBeNull();
    expect(parked.error).toMatchObject({ code: 'user-changed' });
  });

  it('a wiped vault with body delivery asks for authentication: a token in memory may be spent', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab({}, { vault: { ...world.vault, read: () => Promise.resolve(null) } });
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'storage-lost' });
    expect(world.server.refreshes()).toBe(0);
  });

  it.each([
    ['answers 503', json(503, {})],
    ['is out of reach', 'network-error'],
  ] as const)(
    'a server that %s: the state shows it, and no longer shows it once the server has answered',
    async (_name, answer) => {
      const world = createWorld();
      const tab = await world.openSignedInTab();
      world.server.answers.push(answer);
      tab.auth.extend();
      await settle();
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'offline' });
      await world.time.advance(MINUTE);
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    },
  );

  it('a wiped vault with a cookie goes on', async () => {
    const world = createWorld('cookie');
    const tab = await world.openSignedInTab({}, { vault: { ...world.vault, read: () => Promise.resolve(null) } });
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect(world.server.requests.at(-1)?.get('sid')).toBe('session-1');
    expect(world.server.requests.at(-1)?.has('refresh_token')).toBe(false);
  });
});

describe('callers', () => {
  it("a caller's abort ends its own wait and nothing else", async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    await world.time.advance(20 * MINUTE);
    world.server.delayMs = 500;
    const { auth } = world.openTab();
    await auth.ready();
    const controller = new AbortController();
    const aborted = watch(auth.getAccessToken({ signal: controller.signal }));
    const other = auth.getAccessToken();
    await settle();
    controller.abort(new Error('no longer wanted'));
    await world.time.advance(1_000);
    expect(aborted.error).toEqual(new Error('no longer wanted'));
    expect(await other).toBe('access-2');
    expect(world.server.refreshes()).toBe(1);
  });

  it('the queue is bounded', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ policy: sessionPolicy({ parkedRequestsMax: 2 }) });
    const parked = [watch(auth.getAccessToken()), watch(auth.getAccessToken())];
    await expect(auth.getAccessToken()).rejects.toMatchObject({ code: 'queue-full', isRetryable: true });
    await settle();
    expect(parked.map(({ error }) => error)).toEqual([
      expect.objectContaining({ code: 'signed-out' }),
      expect.objectContaining({ code: 'signed-out' }),
    ]);
  });

  it('are warned once per threshold before the session ends, and an extension takes the warning back', async () => {
    const world = createWorld();
    world.server.extra = { sid: 'session-1', sub: 'user-1', authorization_expires_in: 600 };
    const tab = await world.openSignedInTab();
    await world.time.advance(6 * MINUTE);
    expect(active(tab.auth.getSnapshot()).isExpiring).toBe(true);
    await world.time.advance(3.5 * MINUTE);
    expect(tab.seen('session.expiring')).toHaveLength(2);
    tab.auth.extend();
    await settle();
    expect(active(tab.auth.getSnapshot()).isExpiring).toBe(false);
  });

  it('refreshes without user activity say so, so that the inactivity timeout can end an abandoned session', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    await world.time.advance(DUE);
    tab.signal('user-active');
    await world.time.advance(DUE);
    const refreshes = world.server.requests.filter((form) => form.get('grant_type') === 'refresh_token');
    expect(refreshes.map((form) => form.get('user_active'))).toEqual(['false', null]);
  });

  it('no observation, snapshot or error carries a token or a password', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.answers.push('network-error');
    await world.time.advance(20 * MINUTE);
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(20 * MINUTE);
    await tab.auth.signOut();
    const printed = JSON.stringify([tab.observed, tab.auth.getSnapshot()]);
    expect(printed).not.toMatch(/access-\d|refresh-\d|secret/u);
    expect(tab.observed.length).toBeGreaterThan(10);
  });
});
