import { describe, expect, it } from 'vitest';
import type { HttpResponse, Outbox, Vault } from './core/ports.ts';
import type { TokenResult } from './core/token-result.ts';
import { adopt } from './optional/adopt.ts';
import { automaticStage } from './optional/automatic-stage.ts';
import { foreignTokenResponses } from './optional/foreign-token-responses.ts';
import { proofSigner } from './runtime/dpop.ts';
import type { SignInMethod } from './runtime/sign-in.ts';
import { startResource } from './testing/resource.ts';
import {
  ada,
  asBob,
  bob,
  DUE,
  MINUTE,
  never,
  noNonce,
  outcome,
  pass,
  refreshes,
  revoked,
  trouble,
  watch,
} from './testing/trouble.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

// Every promise of the API settles and tells what happened, whatever an app or a port does, and the server learns of
// every session that ends. Each case was seen to fail.

describe('every promise settles, and says what happened', () => {
  it('of a step-up, when the session ends and a sign-in follows in another tab', async () => {
    const resource = await startResource(({ authorization }, response) =>
      authorization === 'Bearer access-1'
        ? response.writeHead(401, { 'www-authenticate': 'Bearer error="insufficient_user_authentication"' }).end()
        : response.writeHead(200).end(),
    );
    try {
      const world = createWorld();
      const tab = await world.openSignedInTab({ resources: [resource.url] });
      const sent = watch(tab.auth.fetch(resource.url));
      while (tab.seen('reauthentication.required').length === 0) await settle();
      world.server.answers.push(json(400, { error: 'invalid_grant' }));
      await world.time.advance(DUE);
      world.server.extra = { sid: 'session-1b', sub: 'user-1' };
      await world.openSignedInTab();
      await world.time.advance(24 * 60 * MINUTE);
      for (let turn = 0; turn < 50; turn++) await settle();
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', stepUp: null });
      expect(sent.is).toBe('resolved');
    } finally {
      await resource.close();
    }
  });

  it('of ready(), when the service is disposed of', async () => {
    const world = createWorld();
    const { auth } = world.openTab({}, { vault: { ...world.vault, read: never } });
    const ready = watch(auth.ready());
    auth.dispose();
    await world.time.advance(MINUTE);
    expect(ready.is).not.toBe('pending');
  });

  it('of signOut(), when the service is disposed of before it is done', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    const left = outcome(auth.signOut());
    auth.dispose();
    await world.time.advance(MINUTE);
    expect([await left, (await world.vault.read())?.session?.sid]).not.toEqual(['resolved', 'session-1']);
  });

  it('of signIn(), when the service is disposed of meanwhile: the session is ended at the server', async () => {
    const world = createWorld();
    const { auth } = world.openTab();
    await auth.ready();
    world.server.delayMs = 1_000;
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    auth.dispose();
    await world.time.advance(MINUTE);
    expect([await signedIn, revoked(world)]).toMatchObject([{ code: 'disposed' }, ['refresh-1']]);
  });

  it('of signIn(), when the service is disposed of while the session is stored: it does not resolve', async () => {
    const world = createWorld();
    const storage = trouble(world);
    const { auth } = world.openTab({}, { vault: storage.vault });
    await auth.ready();
    storage.mode = 'slow';
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    auth.dispose();
    await world.time.advance(MINUTE);
    expect(await signedIn).toMatchObject({ code: 'disposed' });
  });

  it('of signIn(), with a key or a transport that never answers', async () => {
    const world = createWorld();
    const tabs = [world.openTab({}, { signProof: proofSigner(never) }), world.openTab({}, { transport: never })];
    const states = tabs.map(({ auth }) => watch(auth.signIn(ada)));
    await world.time.advance(10 * MINUTE);
    expect(states).toEqual([{ is: 'rejected' }, { is: 'rejected' }]);
  });

  it('of signOut(), while the vault cannot be read', async () => {
    const world = createWorld();
    const read: Vault['read'] = () => Promise.reject(new Error('locked'));
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const left = watch(auth.signOut());
    await world.time.advance(60 * MINUTE);
    expect(left.is).not.toBe('pending');
  });
});

describe('no session is left behind at the server', () => {
  it('after sign-ins in two tabs: the newer stays, however slowly the older was stored', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs: 4_000 });
    const tab = world.openTab({}, { vault: slow.vault });
    const other = world.openTab();
    await other.auth.ready();
    slow.mode = 'slow';
    const signedIn = tab.auth.signIn(ada);
    await world.time.advance(2_000);
    slow.mode = 'fine';
    asBob(world);
    await other.auth.signIn(bob);
    await world.time.advance(10_000);
    await signedIn;
    const kept = (await world.vault.read())?.session?.refreshToken;
    expect([kept, revoked(world)]).toEqual(['refresh-2', ['refresh-1']]);
    expect(other.auth.getSnapshot()).toMatchObject({ user: { sub: 'user-2' } });
  });

  it('after a double submit', async () => {
    const world = createWorld();
    const { auth } = world.openTab();
    await auth.ready();
    await Promise.all([auth.signIn(ada), auth.signIn(ada)]);
    await world.time.advance(MINUTE);
    expect(revoked(world)).toContain('refresh-1');
  });

  it('by an outbox that never answers', async () => {
    const world = createWorld();
    const outbox: Outbox = { list: never, add: never, remove: never };
    const { auth } = await world.openSignedInTab({}, { outbox });
    await auth.signOut();
    await world.time.advance(10 * MINUTE);
    expect(revoked(world)).toEqual(['refresh-1']);
  });
});

describe('the client copes with an app or a platform that hands over', () => {
  const asTokens = {
    accessToken: 'x',
    tokenType: 'Bearer',
    refreshToken: 'r',
    scope: null,
    sid: null,
    sub: null,
  } as const;
  it.each([
    ['Number(retry-after) where there is none', { kind: 'transient', cause: 'server-error', retryAfterMs: NaN }],
    [
      'Number(expires_in) where there is none',
      { kind: 'tokens', tokens: { ...asTokens, lifetimeMs: NaN, sessionLifetimeMs: null } },
    ],
  ] as const)('a reading of answers that cannot be used: %s', async (_name, answer) => {
    const world = createWorld();
    let isWrong = true;
    const { auth, signal } = await world.openSignedInTab({
      readTokenResponse: foreignTokenResponses(() => (isWrong ? answer : null)),
    });
    await world.time.advance(DUE);
    isWrong = false;
    for (let hour = 0; hour < 3; hour++) {
      signal('online');
      signal('foreground');
      await world.time.advance(60 * MINUTE);
    }
    const token = watch(auth.getAccessToken());
    await world.time.advance(MINUTE);
    expect(token.is).toBe('resolved');
  });

  it.each([
    ['a reason that there is not', { kind: 'rejected', reason: 'over' }],
    ['no word of a wait', { kind: 'transient', cause: 'server-error' }],
    ['no word of the end', { kind: 'tokens', tokens: { ...asTokens, lifetimeMs: 1_000 } }],
    ['a lifetime as text', { kind: 'tokens', tokens: { ...asTokens, lifetimeMs: '300', sessionLifetimeMs: null } }],
  ])('a reading of answers that its type forbids: %s', async (_name, answer) => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({
      readTokenResponse: foreignTokenResponses(() => answer as TokenResult),
    });
    await world.time.advance(DUE);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', sid: 'session-1' });
    expect(await auth.getAccessToken()).toBe('access-2');
  });

  it('a reading that leaves out user and session', async () => {
    const world = createWorld();
    const classify = ({ body }: HttpResponse): TokenResult | null => {
      const { access_token: accessToken } = JSON.parse(body) as { readonly access_token: string };
      const tokens = {
        accessToken,
        tokenType: 'Bearer',
        lifetimeMs: 900_000,
        refreshToken: null,
        sessionLifetimeMs: null,
      };
      return { kind: 'tokens', tokens } as unknown as TokenResult;
    };
    const tab = await world.openSignedInTab();
    tab.auth.dispose();
    const next = world.openTab({ readTokenResponse: foreignTokenResponses(classify) });
    await world.time.advance(DUE);
    expect(next.seen('refresh.succeeded')).toHaveLength(1);
    expect(next.auth.getSnapshot()).toMatchObject({ sid: 'session-1', user: { sub: 'user-1' } });
  });

  it('a reading of the answer that ends a sign-in', async () => {
    const world = createWorld();
    const classify = ({ status }: HttpResponse): TokenResult | null =>
      status === 418 ? { kind: 'rejected', reason: 'revoked' } : null;
    const { auth } = world.openTab({ readTokenResponse: foreignTokenResponses(classify) });
    world.server.answers.push(json(418, { over: true }));
    expect(await outcome(auth.signIn(ada))).toMatchObject({ code: 'sign-in-rejected' });
  });

  it('a session after dispose()', async () => {
    const world = createWorld();
    const { auth } = world.openTab();
    await auth.ready();
    auth.dispose();
    expect(await outcome(adopt(auth, { access_token: 'theirs' }))).toMatchObject({ code: 'disposed' });
  });

  it('a deadline that is NaN', async () => {
    const world = createWorld();
    const wakes: number[] = [];
    const wake: World['time']['clock']['wake'] = (ms, callback) => (
      wakes.push(ms),
      world.time.clock.wake(ms, callback)
    );
    const { auth } = world.openTab(
      {},
      { clock: { ...world.time.clock, wake }, vault: { ...world.vault, read: never } },
    );
    void outcome(auth.getAccessToken({ deadlineMs: NaN }));
    await world.time.advance(MINUTE);
    expect(wakes.filter(Number.isNaN)).toEqual([]);
  });

  it('a lock whose release does not return', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab({}, { refreshLock: () => Promise.resolve(never as unknown as () => void) });
    await world.time.advance(60 * MINUTE);
    expect(tab.seen('refresh.succeeded').length).toBeGreaterThan(2);
  });

  it('a refreshLock that throws', async () => {
    const { auth } = await createWorld().openSignedInTab(
      {},
      {
        refreshLock: () => {
          throw new Error('no locks');
        },
      },
    );
    expect(() => auth.extend()).not.toThrow();
  });

  it('a transport that throws instead of rejecting: the attempt fails, like any other', async () => {
    const world = createWorld();
    const control = { isBroken: false };
    const transport: typeof world.transport = (request, signal) => {
      if (control.isBroken) throw new Error('no network stack');
      return world.transport(request, signal);
    };
    const tab = await world.openSignedInTab({}, { transport });
    control.isBroken = true;
    tab.auth.extend();
    await world.time.advance(10);
    expect(tab.seen('refresh.failed')).toMatchObject([{ cause: 'network' }]);
    control.isBroken = false;
    await world.time.advance(MINUTE);
    expect(tab.seen('refresh.succeeded')).toHaveLength(1);
  });
});

describe('user activity', () => {
  it('is reported by the request with the nonce as by the one without', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    auth.userActive();
    world.server.answers.push(noNonce());
    await world.time.advance(DUE);
    expect(refreshes(world).map((form) => form.get('user_active'))).toEqual([null, null]);
  });
  it('extends the session also where the server requires a nonce first', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(noNonce());
    auth.extend();
    await world.time.advance(1_000);
    expect(refreshes(world).map((form) => form.get('extend'))).toEqual(['true', 'true']);
  });
  it('extends the session although another tab refreshed first, and the server said to wait', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.delayMs = 1_000;
    world.server.answers.push(json(429, { error: 'temporarily_unavailable', reason: 'wait' }));
    tab.auth.extend();
    while (refreshes(world).length === 0) await world.time.advance(500);
    const record = await world.vault.read();
    await world.vault.compareAndSwap(record?.version ?? 0, {
      session: record?.session ? { ...record.session, refreshToken: 'elsewhere' } : null,
      endedReason: null,
    });
    await world.time.advance(MINUTE);
    expect(refreshes(world).map((form) => form.get('extend'))).toEqual(['true', 'true']);
  });
  it('extends the session also if the user asked while the refresh of a refused token was lost', async () => {
    const world = createWorld();
    const answers = [
      new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }),
    ];
    const fetch = (): Promise<Response> => Promise.resolve(answers.shift() ?? new Response('fine'));
    const { auth } = await world.openSignedInTab({ fetch });
    world.server.answers.push('silence');
    const sent = auth.fetch('https://api.example.com/me');
    await world.time.advance(1_000);
    auth.extend();
    await world.time.advance(MINUTE);
    expect((await sent).status).toBe(200);
    expect(refreshes(world).map((form) => form.get('extend'))).toEqual([null, 'true']);
  });
  it('extends the session on request only, and not when a token is due', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    auth.extend();
    await world.time.advance(1_000);
    await world.time.advance(DUE);
    expect(refreshes(world).map((form) => form.get('extend'))).toEqual(['true', null]);
  });
  it('is not reported again because another tab wrote first', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    world.server.delayMs = 1_000;
    tab.auth.userActive();
    while (refreshes(world).length === 0) await world.time.advance(500);
    const record = await world.vault.read();
    await world.vault.compareAndSwap(record?.version ?? 0, {
      session: record?.session ? { ...record.session, refreshToken: 'elsewhere' } : null,
      endedReason: null,
    });
    await world.time.advance(2 * DUE);
    expect(refreshes(world).map((form) => form.get('user_active'))).toEqual([null, 'false', 'false']);
  });
});

describe('sign-out while the vault cannot be read', () => {
  it('does not end a later sign-in, also while that one is being stored', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    let isLocked = true;
    const slow = trouble(world);
    const read: Vault['read'] = async () => {
      if (isLocked) throw new Error('locked');
      await pass(world, 2_000);
      return world.vault.read();
    };
    const reads = { count: 0 };
    const { auth } = world.openTab({}, { vault: { ...slow.vault, read: () => (reads.count++, read()) } });
    const left = outcome(auth.signOut());
    await world.time.advance(6_000);
    expect(await left).toMatchObject({ code: 'storage-unavailable' });
    isLocked = false;
    const before = reads.count;
    while (reads.count === before) await world.time.advance(100);
    // A read that will succeed is under way.
    asBob(world);
    const signedIn = outcome(auth.signIn(bob));
    await world.time.advance(MINUTE);
    expect(await signedIn).toBe('resolved');
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });

  it.each([
    [
      { sid: 'session-1', sub: 'user-1' },
      { sid: 'session-2', sub: 'user-2' },
    ],
    [{}, {}],
    [{ sub: 'user-1' }, { sub: 'user-2' }],
  ])('and a sign-in over that session: the newer one stays %#', async (one, two) => {
    const world = createWorld();
    world.server.extra = one;
    (await world.openSignedInTab()).auth.dispose();
    await world.time.advance(MINUTE);
    let isLocked = true;
    const locked = <T>(work: () => Promise<T>): Promise<T> => (isLocked ? Promise.reject(new Error('locked')) : work());
    const vault: Vault = {
      read: () => locked(() => world.vault.read()),
      compareAndSwap: (version, next) => locked(() => world.vault.compareAndSwap(version, next)),
    };
    const { auth } = world.openTab({}, { vault });
    await world.time.advance(1_000);
    world.server.extra = two;
    await auth.signIn(bob);
    isLocked = false;
    await world.time.advance(2 * MINUTE);
    expect((await world.vault.read())?.session?.refreshToken).toBe('refresh-2');
    expect(await auth.getAccessToken()).toBe('access-2');
  });
});

describe('signIn() tells the truth', () => {
  it('if the user signs out while the session is being stored', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = world.openTab({}, { vault: slow.vault });
    await auth.ready();
    slow.mode = 'slow';
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    const left = auth.signOut();
    await world.time.advance(MINUTE);
    await left;
    expect(await signedIn).toMatchObject({ code: 'signed-out' });
  });
  it('if it comes before the session is restored, after a sign-out that still waits for it', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const read: Vault['read'] = () => pass(world, 2_000).then(() => world.vault.read());
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const left = outcome(auth.signOut());
    await settle();
    asBob(world);
    const signedIn = outcome(auth.signIn(bob));
    await world.time.advance(MINUTE);
    expect([await left, await signedIn]).toEqual(['resolved', 'resolved']);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });
  it('if its prompt succeeds after dispose(): the session is ended at the server', async () => {
    const world = createWorld();
    let go: () => void = () => {};
    const method: SignInMethod = (ask) => new Promise<void>((resolve) => (go = resolve)).then(() => ask({}));
    const { auth } = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method)] });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    auth.dispose();
    go();
    await world.time.advance(MINUTE);
    expect(revoked(world)).toHaveLength(1);
  });
  it('if its prompt succeeds after another tab has signed in: it replaces that session, which would otherwise stay', async () => {
    const world = createWorld();
    let go: () => void = () => {};
    const method: SignInMethod = (ask) => new Promise<void>((resolve) => (go = resolve)).then(() => ask({}));
    const tab = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method)] });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    world.server.extra = { ...world.server.extra, sid: 'session-2' };
    await world.openSignedInTab();
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', sid: 'session-2' });
    go();
    await world.time.advance(MINUTE);
    expect(world.server.requests.findLast((form) => form.has('replaces'))?.get('replaces')).toBe('session-2');
  });
  it('if it was declined while it was at the server: the user stays signed out', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    world.server.delayMs = 1_000;
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    auth.declineReauthentication();
    expect(auth.getSnapshot().status).toBe('signed-out');
    await world.time.advance(MINUTE);
    await signedIn;
    expect(auth.getSnapshot().status).toBe('signed-out');
  });
  it('and so does getAccessToken() with a deadline that has passed, while there is a token', async () => {
    const { auth } = await createWorld().openSignedInTab();
    expect(await outcome(auth.getAccessToken({ deadlineMs: -1 }))).toBe('resolved');
  });
});
