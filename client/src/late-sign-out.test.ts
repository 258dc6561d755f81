import { describe, expect, it } from 'vitest';
import type { Vault } from './core/ports.ts';
import { readTokenResponse } from './core/wire.ts';
import { foreignTokenResponses } from './optional/foreign-token-responses.ts';
import { ada, asBob, bob, DUE, MINUTE, revoked, trouble } from './testing/trouble.ts';
import { createWorld, settle, type Tab, type World } from './testing/world.ts';

// A sign-out can reach storage late, because storage was locked or the tab was frozen. A user who has signed in since
// stays signed in.

/** Two tabs. One signs out and cannot store it yet. The user signs in again in the other one. */
async function signOutLate(
  world: World,
  jumpMs = 0,
): Promise<{ readonly other: Tab; readonly letGo: () => Promise<void> }> {
  const storage = trouble(world);
  const tab = await world.openSignedInTab({}, { vault: storage.vault });
  const other = world.openTab();
  await other.auth.ready();
  storage.mode = 'locked';
  await tab.auth.signOut().catch(() => {});
  await world.time.advance(1_000);
  world.time.jumpWall(jumpMs);
  asBob(world);
  await other.auth.signIn(bob);
  return {
    other,
    letGo: async () => {
      storage.mode = 'fine';
      await world.time.advance(MINUTE);
    },
  };
}

describe('a sign-out that is stored late', () => {
  it.each(['null', 'storage-lost'] as const)(
    'over a store that was emptied (%s): a user who has signed in since is not shown as signed out by the user',
    async (kept) => {
      const world = createWorld();
      let isEmptied = false;
      const storage = { ...world.vault };
      Object.assign(world.vault, {
        read: async () => (isEmptied && kept === 'null' ? null : storage.read()),
        compareAndSwap: async (...[version, next]: Parameters<typeof storage.compareAndSwap>) => {
          if (!isEmptied || kept !== 'null') return storage.compareAndSwap(version, next);
          if (version !== 0) return { isSwapped: false, record: null };
          isEmptied = false;
          return storage.compareAndSwap(null, next);
        },
      });
      const { other, letGo } = await signOutLate(world);
      isEmptied = true;
      if (kept !== 'null') await storage.compareAndSwap(null, { session: null, endedReason: kept });
      await letGo();
      expect((await storage.read())?.endedReason).toBe('user');
      expect(other.auth.getSnapshot().status).toBe('active');
      await world.time.advance(DUE);
      expect(other.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'storage-lost' });
      await other.auth.signIn(ada);
      expect(other.auth.getSnapshot().status).toBe('active');
    },
  );

  it('does not stop a session in a cookie: the next answer is stored over the tombstone', async () => {
    const world = createWorld('cookie');
    const { other } = await signOutLate(world);
    await world.vault.compareAndSwap(null, {
      session: null,
      endedReason: 'user',
      endedAtMs: world.time.clock.now().wallMs - 500,
    });
    other.signal('store-changed');
    await world.time.advance(DUE);
    expect(other.auth.getSnapshot().status).toBe('active');
    expect((await world.vault.read())?.session?.sid).toBe('session-2');
  });

  it('ends every session that began before it, also one that this tab has not heard of', async () => {
    const world = createWorld();
    const asleep = await world.openSignedInTab({}, { signals: () => () => {} });
    asBob(world);
    const tab = await world.openSignedInTab();
    await tab.auth.signOut();
    asleep.auth.extend();
    await settle();
    expect(asleep.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('revokes the token that the store holds if its tab was frozen while it opened', async () => {
    const world = createWorld();
    await world.openSignedInTab();
    let read: Vault['read'] = () => Promise.reject(new Error('locked'));
    const tab = world.openTab({}, { vault: { ...world.vault, read: () => read() } });
    const signedOut = tab.auth.signOut().catch(() => {});
    await world.time.advance(6_000);
    await signedOut;
    const held: (() => void)[] = [];
    read = async () => {
      read = () => world.vault.read();
      const record = await read();
      await new Promise<void>((resolve) => held.push(resolve));
      return record;
    };
    while (held.length === 0) await world.time.advance(100);
    const { version = 0, session = null } = (await world.vault.read()) ?? {};
    await world.vault.compareAndSwap(version, {
      session: session && { ...session, refreshToken: 'newer' },
      endedReason: null,
    });
    world.time.jumpWall(MINUTE);
    held[0]?.();
    await world.time.advance(1_000);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect(revoked(world)).toEqual(['newer']);
  });

  it('ends its own session, however far the clock was set back meanwhile', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    const other = world.openTab({}, { signals: () => () => {} });
    await other.auth.ready();
    world.time.jumpWall(-MINUTE);
    await tab.auth.signOut();
    await world.time.advance(2 * MINUTE);
    other.auth.extend();
    await settle();
    expect(other.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });
});

describe('the identity of a session', () => {
  it.each(['nonsense', undefined])(
    "comes from the server's own answer: an app that reads %s does not change it",
    async (sid) => {
      const world = createWorld('cookie');
      const tab = world.openTab({
        readTokenResponse: foreignTokenResponses((answer) => {
          const read = readTokenResponse(answer);
          return read.kind === 'tokens'
            ? ({ ...read, tokens: { ...read.tokens, sid, sub: sid } } as typeof read)
            : null;
        }),
      });
      await tab.auth.signIn(ada);
      await world.time.advance(DUE);
      expect(world.server.requests.at(-1)?.get('sid')).toBe('session-1');
      expect(tab.auth.getSnapshot()).toMatchObject({ user: { sub: 'user-1' } });
    },
  );
});
