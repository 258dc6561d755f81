import { describe, expect, it } from 'vitest';
import type { HttpRequest, Outbox, Transport, Vault } from './core/ports.ts';
import { adopt } from './optional/adopt.ts';
import { ada, MINUTE, never, trouble } from './testing/trouble.ts';
import { createWorld, settle, type World } from './testing/world.ts';

const active = (snapshot: ReturnType<ReturnType<World['openTab']>['auth']['getSnapshot']>) => {
  if (snapshot.status !== 'active') throw new Error(`expected an active session, not ${snapshot.status}`);
  return snapshot;
};

describe('the server', () => {
  it('learns of a sign-out at once, however slow storage is: the page may be gone in a moment', async () => {
    const world = createWorld();
    const outbox: Outbox = { list: () => Promise.resolve([]), add: never, remove: () => Promise.resolve() };
    const requests: HttpRequest[] = [];
    const transport: Transport = (request, signal) => {
      requests.push(request);
      return world.transport(request, signal);
    };
    const { auth } = await world.openSignedInTab({}, { outbox, transport });
    await auth.signOut();
    expect(requests.at(-1)).toMatchObject({ url: 'https://api.example.com/revoke', keepalive: true });
  });
});

describe('a change that the vault does not hold yet', () => {
  it('a sign-out while the sign-in is still being stored: the session does not come back', async () => {
    const world = createWorld();
    let letGo: () => void = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const compareAndSwap: Vault['compareAndSwap'] = (version, next) =>
      held.then(() => world.vault.compareAndSwap(version, next));
    const tab = world.openTab({}, { vault: { ...world.vault, compareAndSwap } });
    await tab.auth.ready();
    const signedIn = tab.auth.signIn(ada).catch((error: unknown) => error);
    await settle();
    const signedOut = tab.auth.signOut();
    await settle();
    letGo();
    expect(await signedIn).toMatchObject({ code: 'signed-out' });
    await signedOut;
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect(await world.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('a write that was given up and succeeds after a sign-out does not bring the session back', async () => {
    const world = createWorld();
    let letGo: () => void = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const compareAndSwap: Vault['compareAndSwap'] = async (version, next) => {
      if (next.session) await held;
      return world.vault.compareAndSwap(version, next);
    };
    const tab = world.openTab({}, { vault: { ...world.vault, compareAndSwap } });
    await tab.auth.ready();
    void tab.auth.signIn(ada).catch(() => {});
    await settle();
    const signedOut = tab.auth.signOut();
    await world.time.advance(MINUTE);
    await signedOut;
    letGo();
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect(await world.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('a sign-in that could not be stored is stored as soon as possible: a relaunch finds it, and nothing older', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const storage = trouble(world);
    const tab = world.openTab({}, { vault: storage.vault });
    await tab.auth.ready();
    storage.mode = 'locked';
    const signedOut = tab.auth.signOut();
    await expect(signedOut).rejects.toMatchObject({ code: 'storage-unavailable' });
    await adopt(tab.auth, { access_token: 'of-bob', token_type: 'Bearer', sid: 'session-2', sub: 'bob' });
    storage.mode = 'fine';
    await world.time.advance(MINUTE);
    const relaunched = world.openTab();
    expect(active(await relaunched.auth.ready()).user.sub).toBe('bob');
  });

  it('a sign-in that could not be stored is not mistaken for the sign-out before it', async () => {
    const world = createWorld('cookie');
    const storage = trouble(world);
    const tab = await world.openSignedInTab({}, { vault: storage.vault });
    await tab.auth.signOut();
    storage.mode = 'locked';
    await tab.auth.signIn(ada);
    await world.time.advance(20 * MINUTE);
    expect(tab.seen('refresh.succeeded')).toHaveLength(1);
    expect(tab.seen('signed-out')).toHaveLength(1);
    expect(active(tab.auth.getSnapshot()).freshness).toBe('verified');
  });

  it('a sign-in that waits to be stored survives a sign-out that is written while it is refreshed', async () => {
    const world = createWorld('cookie');
    const storage = trouble(world);
    const tab = await world.openSignedInTab({}, { vault: storage.vault });
    await tab.auth.signOut();
    storage.mode = 'locked';
    await tab.auth.signIn(ada);
    world.server.delayMs = 1_000;
    while (tab.seen('refresh.sent').length < 2) await world.time.advance(500);
    // A tombstone of another tab, for the session before.
    await world.vault.compareAndSwap(null, { session: null, endedReason: 'user' });
    storage.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(tab.seen('signed-out')).toHaveLength(1);
    expect(active(tab.auth.getSnapshot()).freshness).toBe('verified');
    expect((await world.vault.read())?.session?.sid).toBe('session-1');
  });
});
