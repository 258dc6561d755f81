import { describe, expect, it } from 'vitest';
import type { Outbox, Vault } from './ports.ts';
import type { SignInMethod } from './sign-in.ts';
import { startResource } from './testing/resource.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

// Two things at once: what a sign-in, a sign-out, a prompt or a refresh meets while another is under way. Each was seen to fail.

const MINUTE = 60_000;
const DUE = 10.5 * MINUTE;
const ada = { username: 'ada', password: 'secret' };
const bob = { username: 'bob', password: 'secret' };
const asBob = (world: World): void => void (world.server.extra = { sid: 'session-2', sub: 'user-2' });
const pass = (world: World, ms: number) => new Promise<void>((resolve) => void world.time.clock.wake(ms, resolve));
const never = <T>(): Promise<T> => new Promise<T>(() => {});
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
/** Where a promise is, without waiting for it. */
function watch(promise: Promise<unknown>): { is: string } {
  const seen = { is: 'pending' };
  promise.then(
    () => (seen.is = 'resolved'),
    () => (seen.is = 'rejected'),
  );
  return seen;
}
const revoked = (world: World): string[] => world.server.requests.flatMap((form) => form.get('token') ?? []);
const used = (world: World): string[] => world.server.requests.flatMap((form) => form.get('refresh_token') ?? []);

/** A vault whose writes are locked, or take `slowMs`, or: the next one takes `slowMs` and all after it fail (`once`). */
function trouble(world: World) {
  const control = { mode: 'fine' as 'fine' | 'slow' | 'locked' | 'once', slowMs: 2_000 };
  const replace: Vault['replace'] = async (stamp, next) => {
    const { mode, slowMs } = control;
    if (mode === 'locked') throw new Error('locked');
    if (mode === 'once') control.mode = 'locked';
    if (mode !== 'fine') await pass(world, slowMs);
    return world.vault.replace(stamp, next);
  };
  return Object.assign(control, { vault: { ...world.vault, replace } });
}
/** Another tab refreshes whatever is stored: same session, next stamp. */
async function refreshElsewhere(world: World): Promise<void> {
  const record = await world.vault.read();
  await world.vault.replace(record?.stamp ?? 0, { session: record?.session ?? null, endedReason: null });
}

describe('a sign-in that is being stored stays, whatever is heard meanwhile', () => {
  it('adopted before anything was read, and nothing is stored', async () => {
    const { auth } = createWorld().openTab();
    await auth.adopt({ access_token: 'a', refresh_token: 'r', token_type: 'Bearer', sid: 's', sub: 'u' });
    expect(auth.getSnapshot().status).toBe('active');
  });

  it('the first read is slow and finds the tombstone of the last sign-out', async () => {
    const world = createWorld('cookie');
    const first = await world.openSignedInTab();
    await first.auth.signOut();
    const read: Vault['read'] = () => pass(world, 2_000).then(() => world.vault.read());
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const signedIn = auth.signIn(ada);
    await world.time.advance(10_000);
    await signedIn;
    expect(auth.getSnapshot().status).toBe('active');
  });

  it('two tabs sign out, and one of them signs in at once', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'slow';
    const left = auth.signOut();
    await settle();
    await world.vault.replace(1, { session: null, endedReason: 'user' });
    asBob(world);
    const signedIn = auth.signIn(bob);
    await world.time.advance(10_000);
    await Promise.all([left, signedIn]);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });
});

describe('every session that was left here is over', () => {
  it('left and signed in again while storage is locked, and another tab refreshes what was left', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'locked';
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    asBob(world);
    await auth.signIn(bob);
    await refreshElsewhere(world);
    slow.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });

  it('left while another user is being stored over a session that another tab refreshes', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    asBob(world);
    slow.mode = 'slow';
    const signedIn = auth.signIn(bob);
    await settle();
    const left = auth.signOut();
    await settle();
    await refreshElsewhere(world);
    await world.time.advance(MINUTE);
    await Promise.all([signedIn, left]);
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('and no other: a tombstone that waited does not bury a later sign-in of a server that names no sessions', async () => {
    const world = createWorld();
    world.server.extra = {};
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'locked';
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    await world.time.advance(1_000);
    const other = await world.openSignedInTab();
    slow.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(other.auth.getSnapshot().status).toBe('active');
  });

  it('and no other: a sign-in that came through late is not written over its own successor', async () => {
    const world = createWorld();
    world.server.extra = {};
    const slow = Object.assign(trouble(world), { slowMs: 20_000 });
    const { auth } = world.openTab({}, { vault: slow.vault });
    const other = world.openTab();
    await other.auth.ready();
    slow.mode = 'once';
    const signedIn = auth.signIn(ada);
    await world.time.advance(21_000);
    await signedIn;
    other.auth.extend();
    await settle();
    slow.mode = 'fine';
    await world.time.advance(2 * DUE);
    expect(used(world)).toEqual([...new Set(used(world))]);
  });
});

describe('a write that was given up and came through', () => {
  it('a sign-in that was seen and left in another tab does not come back', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs: 20_000 });
    const tab = world.openTab({}, { vault: slow.vault });
    const other = world.openTab();
    await other.auth.ready();
    slow.mode = 'once';
    const signedIn = tab.auth.signIn(ada);
    await world.time.advance(21_000);
    await signedIn;
    expect(other.auth.getSnapshot().status).toBe('active');
    slow.mode = 'fine';
    await other.auth.signOut();
    await world.time.advance(MINUTE);
    expect(other.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect((await world.vault.read())?.session).toBeNull();
  });
});

describe('a sign-out is of those who were there', () => {
  it('a sign-in that is still at the server ends with it', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.delayMs = 2_000;
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    await auth.signOut();
    await world.time.advance(MINUTE);
    await signedIn;
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('who has signed in meanwhile stays, when the one before is signed out everywhere', async () => {
    const world = createWorld();
    let answer: (response: Response) => void = () => {};
    const { auth } = await world.openSignedInTab({ fetch: () => new Promise((resolve) => (answer = resolve)) });
    const left = outcome(auth.signOutEverywhere());
    await settle();
    asBob(world);
    await auth.signIn(bob);
    answer(new Response());
    await left;
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });
});

describe('nothing is sent as another', () => {
  it('not a stream that waits for a newer token when somebody else signs in', async () => {
    const wrong: number[] = [];
    for (let turns = 0; turns < 16; turns++) {
      const world = createWorld();
      const sent: (string | null)[] = [];
      const fetch: typeof globalThis.fetch = (_input, init) => {
        sent.push(new Headers(init?.headers).get('authorization'));
        return Promise.resolve(new Response());
      };
      let gate = Promise.resolve();
      let open = (): void => {};
      const replace: Vault['replace'] = (stamp, next) => gate.then(() => world.vault.replace(stamp, next));
      const { auth } = await world.openSignedInTab({ fetch }, { vault: { ...world.vault, replace } });
      world.server.answers.push(json(503, {}, { 'retry-after': '300' }));
      await world.time.advance(DUE);
      gate = new Promise((resolve) => (open = resolve));
      asBob(world);
      const signedIn = auth.signIn(bob);
      await settle();
      open();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const asked = auth.getSnapshot();
      const init = { method: 'POST', body: new ReadableStream({ start: (c) => c.close() }), duplex: 'half' };
      const request = outcome(auth.fetch('https://api.example.com/x', init));
      await signedIn;
      await world.time.advance(MINUTE);
      await request;
      const isOfAda = asked.status === 'active' && asked.user.sub === 'user-1';
      if (isOfAda && sent.includes('Bearer access-2')) wrong.push(turns);
    }
    expect(wrong).toEqual([]);
  });

  it('not what was parked while nobody knew whose session was stored', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const read: Vault['read'] = () => Promise.reject(new Error('locked'));
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const parked = outcome(auth.getAccessToken());
    await world.time.advance(20_000);
    asBob(world);
    await auth.signIn(bob);
    expect(await parked).toMatchObject({ code: 'user-changed' });
  });
});

describe('a prompt that is over changes nothing', () => {
  it('one that fails while a newer one is open', async () => {
    const world = createWorld();
    const rejects: ((error: unknown) => void)[] = [];
    const method: SignInMethod = () => new Promise((_resolve, reject) => rejects.push(reject));
    const { auth } = await world.openSignedInTab({ reauthentication: [{ stage: 'biometric', method }] });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    await auth.signIn(ada);
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    expect(rejects).toHaveLength(2);
    rejects[0]?.(new DOMException('aborted', 'AbortError'));
    await settle();
    expect(auth.getSnapshot().status).toBe('reauth-required');
  });

  it.each([2_000, 7_000])(
    'one that is declined while the sign-in is being stored, which takes %i ms',
    async (slowMs) => {
      const world = createWorld();
      const slow = Object.assign(trouble(world), { slowMs });
      const tab = await world.openSignedInTab({}, { vault: slow.vault });
      world.server.answers.push(json(400, { error: 'invalid_grant' }));
      await world.time.advance(DUE);
      const parked = outcome(tab.auth.getAccessToken());
      slow.mode = 'slow';
      world.server.extra = { sid: 'session-1b', sub: 'user-1' };
      const signedIn = tab.auth.signIn(ada);
      await settle();
      tab.auth.declineReauthentication();
      slow.mode = 'fine';
      await world.time.advance(MINUTE);
      await signedIn;
      expect([tab.auth.getSnapshot().status, await parked, tab.seen('signed-out')]).toEqual(['active', 'resolved', []]);
    },
  );
});

describe('a refresh loses nothing', () => {
  it('a rotated token is stored over the spent one that a late write brought back', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs: 7_000 });
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    world.server.answers.push(json(200, { access_token: 'alone', token_type: 'Bearer', expires_in: 900 }));
    slow.mode = 'slow';
    auth.extend();
    await settle();
    slow.mode = 'fine';
    await world.time.advance(5_500);
    world.server.delayMs = 3_000;
    auth.extend();
    await world.time.advance(5_000);
    // 'refresh-2' was handed out; the first write came through while it was under way.
    expect((await world.vault.read())?.session?.refreshToken).toBe('refresh-2');
  });

  it('what the user does while it is under way is told by the next', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.delayMs = 3_000;
    while (world.server.refreshes() === 0) await world.time.advance(1_000);
    auth.userActive();
    await world.time.advance(DUE + 5_000);
    const refreshes = world.server.requests.filter((form) => form.get('grant_type') === 'refresh_token');
    expect(refreshes.map((form) => form.get('user_active'))).toEqual(['false', null]);
  });
});

describe('every promise settles, and says what happened', () => {
  it('of a step-up, when the session ends and somebody signs in in another tab', async () => {
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

  it('of signIn(), with a key or a transport that never answers', async () => {
    const world = createWorld();
    const tabs = [world.openTab({}, { signProof: never }), world.openTab({}, { transport: never })];
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
  it('of two sign-ins in two tabs the newer stays, however slow the older was stored', async () => {
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

  it('by a button that is pressed twice', async () => {
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

describe('what an app may hand over', () => {
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
  ] as const)('a reading of answers that cannot be used is not: %s', async (_name, answer) => {
    const world = createWorld();
    let isWrong = true;
    const { auth, signal } = await world.openSignedInTab({ classify: () => (isWrong ? answer : null) });
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

  it('a deadline that is no number', async () => {
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
    const tab = await world.openSignedInTab({}, { mutex: () => Promise.resolve(never as unknown as () => void) });
    await world.time.advance(60 * MINUTE);
    expect(tab.seen('refresh.succeeded').length).toBeGreaterThan(2);
  });

  it('a mutex that throws', async () => {
    const { auth } = await createWorld().openSignedInTab(
      {},
      {
        mutex: () => {
          throw new Error('no locks');
        },
      },
    );
    expect(() => auth.extend()).not.toThrow();
  });
});
