import { describe, expect, it } from 'vitest';
import type { Vault } from '../core/ports.ts';
import { storedSession } from '../testing/stored-session.ts';
import { ada } from '../testing/trouble.ts';
import { createWorld, json, type World } from '../testing/world.ts';
import { markedVault, type Marker } from './marked-vault.ts';
import { memoryVault } from './memory-vault.ts';

// With the refresh token in a cookie, only the server knows if there is a session. The client asks it only if there may
// be one: otherwise a first visit would start with an error in the browser's console.

const memoryMarker = (): Marker => {
  let kept: string | null = null;
  return { get: () => kept, set: (sid) => void (kept = sid) };
};

/** A browser whose script storage can be emptied from outside. Its marker stays, as cookies do. */
function browserOf(world: World, mayHaveCookies?: boolean) {
  const marker = memoryMarker();
  let inner = memoryVault();
  const emptied: Vault = { read: () => inner.read(), compareAndSwap: (...wanted) => inner.compareAndSwap(...wanted) };
  const vault = markedVault(emptied, marker, mayHaveCookies);
  return { marker, empty: () => void (inner = memoryVault()), openTab: () => world.openTab({}, { vault }) };
}

it('a tab that was frozen during a read does not take the new session of another tab for a lost one', async () => {
  const marker = memoryMarker();
  const inner = memoryVault();
  const vault = markedVault(
    {
      ...inner,
      read: async () => {
        const record = await inner.read();
        await markedVault(inner, marker).compareAndSwap(0, {
          session: storedSession(),
          endedReason: null,
          endedAtMs: null,
        });
        return record;
      },
    },
    marker,
  );
  expect(await vault.read()).toBeNull();
});

const refused = json(400, { error: 'invalid_grant' });
const nobody = { status: 'signed-out', reason: 'never-signed-in' };

describe('a first visit of an app with cookies', () => {
  it('sends no request and reports no error', async () => {
    const world = createWorld('cookie');
    const { auth, observed } = browserOf(world).openTab();
    expect(await auth.ready()).toEqual(nobody);
    expect(world.server.requests).toEqual([]);
    expect(observed).toEqual([]);
  });

  it('with `mayHaveCookies` asks the server at every launch, and shows no session before the answer', async () => {
    const world = createWorld('cookie');
    const browser = browserOf(world, true);
    world.server.answers.push(refused);
    const { auth, observed } = browser.openTab();
    const shown: string[] = [];
    auth.subscribe(() => shown.push(auth.getSnapshot().status));
    expect(await auth.ready()).toEqual(nobody);
    expect(world.server.requests[0]?.has('sid')).toBe(false);
    expect(shown).toEqual(['signed-out']);
    expect(observed.filter(({ type }) => type === 'signed-out')).toEqual([]);
    expect(await browser.openTab().auth.ready()).toMatchObject({ status: 'active', user: { sub: 'user-1' } });
  });
});

describe('script storage that was emptied, with a marker', () => {
  it('restores the session that the marker names', async () => {
    const world = createWorld('cookie');
    const browser = browserOf(world);
    const { auth } = browser.openTab();
    await auth.signIn(ada);
    auth.dispose();
    browser.empty();
    expect(await browser.openTab().auth.ready()).toMatchObject({ status: 'active', sid: 'session-1' });
    expect(world.server.requests.at(-1)?.get('sid')).toBe('session-1');
  });

  it('restores the session of a server that names none', async () => {
    const world = createWorld('cookie');
    world.server.extra = {};
    const browser = browserOf(world);
    const { auth } = browser.openTab();
    await auth.signIn(ada);
    auth.dispose();
    browser.empty();
    expect((await browser.openTab().auth.ready()).status).toBe('active');
  });

  it('reports an ended session once, and sends no request at later launches', async () => {
    const world = createWorld('cookie');
    const browser = browserOf(world);
    await browser.openTab().auth.signIn(ada);
    browser.empty();
    world.server.answers.push(refused);
    const first = browser.openTab();
    expect(await first.auth.ready()).toEqual({ status: 'signed-out', reason: 'storage-lost' });
    await first.auth.signOut();
    const asked = world.server.requests.length;
    expect(browser.marker.get()).toBeNull();
    await browser.openTab().auth.ready();
    browser.empty();
    expect(await browser.openTab().auth.ready()).toEqual(nobody);
    expect(world.server.requests).toHaveLength(asked);
  });

  it('stays signed out after a sign-out, although a cookie is left', async () => {
    const world = createWorld('cookie');
    const browser = browserOf(world);
    const { auth } = browser.openTab();
    await auth.signIn(ada);
    await auth.signOut();
    browser.empty();
    const asked = world.server.refreshes();
    expect(await browser.openTab().auth.ready()).toEqual(nobody);
    expect(world.server.refreshes()).toBe(asked);
  });
});

it('an unreadable store without a marker does not ask the server, which could answer with another account', async () => {
  const world = createWorld('cookie');
  await browserOf(world).openTab().auth.signIn(ada);
  const asked = world.server.requests.length;
  const inner = memoryVault();
  await inner.compareAndSwap(0, { session: null, endedReason: 'storage-lost', sid: null });
  const { auth } = world.openTab({}, { vault: markedVault(inner, memoryMarker()) });
  expect(await auth.ready()).toEqual({ status: 'signed-out', reason: 'storage-lost' });
  expect(world.server.requests).toHaveLength(asked);
});

it('an unreadable store with `mayHaveCookies` asks the server', async () => {
  const world = createWorld('cookie');
  const inner = memoryVault();
  await inner.compareAndSwap(0, { session: null, endedReason: 'storage-lost', sid: null });
  const { auth } = world.openTab({}, { vault: markedVault(inner, memoryMarker(), true) });
  expect(await auth.ready()).toMatchObject({ status: 'active' });
});

it('a second account in one browser starts without a session and leaves the first one signed in', async () => {
  const world = createWorld('cookie');
  const first = browserOf(world);
  await first.openTab().auth.signIn(ada);
  const second = browserOf(world);
  expect(await second.openTab().auth.ready()).toEqual(nobody);
  expect(first.marker.get()).toBe('session-1');
  expect(await first.openTab().auth.ready()).toMatchObject({ status: 'active' });
});
