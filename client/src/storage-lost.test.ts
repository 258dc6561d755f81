import { describe, expect, it } from 'vitest';
import type { Vault, VaultRecord } from './core/ports.ts';
import { ada, DUE, MINUTE, trouble } from './testing/trouble.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

// A record that cannot be opened proves that there was a session. A user who is asked to sign in again because of it
// learns why. If a cookie carries the session, the user is not asked.

/** Makes the stored record unreadable for every tab, until another one is written. */
function damage(world: World): Vault & { isDamaged: boolean } {
  let damaged: number | null = null;
  const blind = (record: VaultRecord | null): VaultRecord | null =>
    record && record.version === damaged
      ? { version: damaged, session: null, endedReason: 'storage-lost', sid: null }
      : record;
  const control = { isDamaged: false };
  const look = async (): Promise<void> => {
    damaged = control.isDamaged ? ((await world.vault.read())?.version ?? null) : damaged;
    control.isDamaged = false;
  };
  return Object.assign(control, {
    read: async () => {
      await look();
      return blind(await world.vault.read());
    },
    compareAndSwap: async (...wanted: Parameters<Vault['compareAndSwap']>) => {
      await look();
      const { isSwapped, record } = await world.vault.compareAndSwap(...wanted);
      return { isSwapped, record: blind(record) };
    },
  });
}

const lost = { status: 'signed-out', reason: 'storage-lost' };

describe('a stored session that cannot be opened, at launch', () => {
  it('without a cookie: the user learns that it was lost, and signs in over it', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const vault = damage(world);
    vault.isDamaged = true;
    const tab = world.openTab({}, { vault });
    const { auth } = tab;
    expect(await auth.ready()).toEqual(lost);
    expect(tab.seen('signed-out')).toEqual([{ type: 'signed-out', reason: 'storage-lost' }]);
    await auth.signIn(ada);
    auth.dispose();
    expect((await world.openTab({}, { vault }).auth.ready()).status).toBe('active');
  });

  it('with a cookie: the server is asked, and the user notices nothing', async () => {
    const world = createWorld('cookie');
    (await world.openSignedInTab()).auth.dispose();
    const vault = damage(world);
    vault.isDamaged = true;
    const first = world.openTab({}, { vault });
    expect(await first.auth.ready()).toMatchObject({ status: 'active', freshness: 'verified' });
    first.auth.dispose();
    const asked = world.server.refreshes();
    await world.openTab({}, { vault }).auth.ready();
    expect(world.server.refreshes()).toBe(asked);
  });

  it('with a cookie that is rejected: the user learns that it was lost', async () => {
    const world = createWorld('cookie');
    (await world.openSignedInTab()).auth.dispose();
    const vault = damage(world);
    vault.isDamaged = true;
    world.server.answers.push({ status: 400, headers: {}, body: '{"error":"invalid_grant"}' });
    expect(await world.openTab({}, { vault }).auth.ready()).toEqual(lost);
  });

  it.each(['network-error', 'silence', json(503, {}), json(429, {})] as const)(
    'with a cookie and a server that cannot say (%j): the user is not shown as signed out, and the session is found later',
    async (answer) => {
      const world = createWorld('cookie');
      (await world.openSignedInTab()).auth.dispose();
      const vault = damage(world);
      vault.isDamaged = true;
      world.server.answers.push(answer, answer, answer);
      const tab = world.openTab({}, { vault });
      await settle();
      expect(tab.auth.getSnapshot().status).toBe('restoring');
      await world.time.advance(2 * MINUTE);
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-1' } });
      expect(tab.seen('signed-out')).toEqual([]);
    },
  );
});

describe('a stored session that cannot be opened any more, while it is in use', () => {
  it('without a cookie: the current token is used to its end, then the user is asked and learns why', async () => {
    const world = createWorld();
    const vault = damage(world);
    const tab = await world.openSignedInTab({}, { vault });
    await world.vault.compareAndSwap(null, { session: (await world.vault.read())?.session ?? null, endedReason: null });
    vault.isDamaged = true;
    tab.signal('store-changed');
    await settle();
    expect(tab.auth.getSnapshot().status).toBe('active');
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'storage-lost' });
    await tab.auth.signIn(ada);
    expect((await vault.read())?.session?.sid).toBe('session-1');
  });

  it('without a cookie or a way to authenticate again: the user is signed out, and not as if it had expired', async () => {
    const world = createWorld();
    const vault = damage(world);
    const tab = await world.openSignedInTab({ reauthentication: [] }, { vault });
    vault.isDamaged = true;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toEqual(lost);
    expect(await world.openTab().auth.ready()).toEqual(lost);
  });

  it('with a cookie: the session goes on, and the next answer is stored over the lost record', async () => {
    const world = createWorld('cookie');
    const vault = damage(world);
    const tab = await world.openSignedInTab({}, { vault });
    vault.isDamaged = true;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect((await vault.read())?.session?.access?.value).toBe(await tab.auth.getAccessToken());
  });

  it('with a cookie, while an answer is under way: the answer is stored', async () => {
    const world = createWorld('cookie');
    const vault = damage(world);
    const tab = await world.openSignedInTab({}, { vault });
    world.server.delayMs = 1_000;
    while (tab.seen('refresh.sent').length < 2) await world.time.advance(500);
    await world.vault.compareAndSwap(null, { session: null, endedReason: 'user' });
    vault.isDamaged = true;
    await world.time.advance(MINUTE);
    expect(tab.auth.getSnapshot().status).toBe('active');
    expect((await vault.read())?.session?.access?.value).toBe(await tab.auth.getAccessToken());
  });
});

describe('a sign-out', () => {
  it.each(['cannot be opened any more', 'was emptied'])(
    'over a store that %s stays a sign-out: the next page does not ask by the cookie, which may still be valid',
    async (what) => {
      const world = createWorld('cookie');
      const store = damage(world);
      let isEmpty = false;
      const vault: Vault = {
        read: () => (isEmpty ? Promise.resolve(null) : store.read()),
        compareAndSwap: async (version, next) => {
          if (isEmpty && version !== 0) return { isSwapped: false, record: null };
          const expected = isEmpty ? null : version;
          isEmpty = false;
          return store.compareAndSwap(expected, next);
        },
      };
      const tab = await world.openSignedInTab({}, { vault });
      await world.vault.compareAndSwap(null, {
        session: (await world.vault.read())?.session ?? null,
        endedReason: null,
      });
      if (what === 'was emptied') isEmpty = true;
      else store.isDamaged = true;
      await tab.auth.signOut();
      expect(await world.openTab({}, { vault }).auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
    },
  );

  it('that could not be written yet is written over a record that cannot be opened', async () => {
    const world = createWorld('cookie');
    const storage = trouble(world);
    const tab = await world.openSignedInTab({}, { vault: storage.vault });
    storage.mode = 'locked';
    await tab.auth.signOut().catch(() => {});
    await world.vault.compareAndSwap(null, { session: null, endedReason: 'storage-lost' });
    storage.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(await world.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });
});
