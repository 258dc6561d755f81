import { describe, expect, it } from 'vitest';
import type { Vault } from '../core/ports.ts';
import { storedSession } from '../testing/stored-session.ts';
import { ada } from '../testing/trouble.ts';
import { createWorld, json, type World } from '../testing/world.ts';
import { markedVault, type Marker } from './marked-vault.ts';
import { memoryVault } from './memory-vault.ts';

// Where the refresh token is in a cookie, only the server can say whether there is a session. It is asked where there may be one,
// and not where there cannot be: a first visit would else begin with an error in the console.

const memoryMarker = (): Marker => {
  let kept: string | null = null;
  return { get: () => kept, set: (sid) => void (kept = sid) };
};

/** A browser whose script storage can be emptied from outside; its marker stays, as its cookies do. */
function browserOf(world: World, mayHaveCookies?: boolean) {
  const marker = memoryMarker();
  let inner = memoryVault();
  const emptied: Vault = { read: () => inner.read(), replace: (...wanted) => inner.replace(...wanted) };
  const vault = markedVault(emptied, marker, mayHaveCookies);
  return { marker, empty: () => void (inner = memoryVault()), openTab: () => world.openTab({}, { vault }) };
}

it('a tab that was frozen while it read does not take the session that another tab has begun since for a lost one', async () => {
  const marker = memoryMarker();
  const inner = memoryVault();
  const vault = markedVault(
    {
      ...inner,
      read: async () => {
        const record = await inner.read();
        await markedVault(inner, marker).replace(0, { session: storedSession(), endedReason: null, endedAtMs: null });
        return record;
      },
    },
    marker,
  );
  expect(await vault.read()).toBeNull();
});

const refused = json(400, { error: 'invalid_grant' });
const nobody = { status: 'signed-out', reason: 'never-signed-in' };

describe('a first visit, where the refresh token would be in a cookie', () => {
  it('asks the server nothing and reports no error', async () => {
    const world = createWorld('cookie');
    const { auth, observed } = browserOf(world).openTab();
    expect(await auth.ready()).toEqual(nobody);
    expect(world.server.requests).toEqual([]);
    expect(observed).toEqual([]);
  });

  it('asks where the app expects a cookie, at every launch, and shows no session meanwhile', async () => {
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
  it('costs no session: the server is asked for the one that the marker names', async () => {
    const world = createWorld('cookie');
    const browser = browserOf(world);
    const { auth } = browser.openTab();
    await auth.signIn(ada);
    auth.dispose();
    browser.empty();
    expect(await browser.openTab().auth.ready()).toMatchObject({ status: 'active', sid: 'session-1' });
    expect(world.server.requests.at(-1)?.get('sid')).toBe('session-1');
  });

  it('costs no session either where the server names none', async () => {
    const world = createWorld('cookie');
    world.server.extra = {};
    const browser = browserOf(world);
    const { auth } = browser.openTab();
    await auth.signIn(ada);
    auth.dispose();
    browser.empty();
    expect((await browser.openTab().auth.ready()).status).toBe('active');
  });

  it('of a session that is over: the user is told once, and later launches ask nothing', async () => {
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

  it('after a sign-out: nobody is signed in again by a cookie that was left', async () => {
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

it('a store that cannot be opened, and no marker: the server is not asked for whoever has a cookie here', async () => {
  const world = createWorld('cookie');
  await browserOf(world).openTab().auth.signIn(ada);
  const asked = world.server.requests.length;
  const inner = memoryVault();
  await inner.replace(0, { session: null, endedReason: 'storage-lost', sid: null });
  const { auth } = world.openTab({}, { vault: markedVault(inner, memoryMarker()) });
  expect(await auth.ready()).toEqual({ status: 'signed-out', reason: 'storage-lost' });
  expect(world.server.requests).toHaveLength(asked);
});

it('a store that cannot be opened, where the app expects a cookie: the server is asked', async () => {
  const world = createWorld('cookie');
  const inner = memoryVault();
  await inner.replace(0, { session: null, endedReason: 'storage-lost', sid: null });
  const { auth } = world.openTab({}, { vault: markedVault(inner, memoryMarker(), true) });
  expect(await auth.ready()).toMatchObject({ status: 'active' });
});

it('a second account in one browser has no session until it signs in, and the first one keeps its own', async () => {
  const world = createWorld('cookie');
  const first = browserOf(world);
  await first.openTab().auth.signIn(ada);
  const second = browserOf(world);
  expect(await second.openTab().auth.ready()).toEqual(nobody);
  expect(first.marker.get()).toBe('session-1');
  expect(await first.openTab().auth.ready()).toMatchObject({ status: 'active' });
});
