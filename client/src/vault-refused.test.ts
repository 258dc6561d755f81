import { describe, expect, it } from 'vitest';
import { HoldfastError } from './core/errors.ts';
import type { Vault } from './core/ports.ts';
import { ada, DUE, MINUTE, outcome } from './testing/trouble.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

// A store that refuses until a person repairs it, or until the page is loaded again. If it holds the refresh token,
// every call rejects with its error. With a cookie the session goes on without it.

const refusal = new HoldfastError('storage-unavailable', '/home/ada/cli.json is a link', { isRetryable: false });

const issuer = 'https://api.example.com';
const account = `${issuer}/password`;

/** An endpoint that takes the first token for a token for another audience. */
const audience: typeof fetch = async (_input, init) =>
  new Headers(init?.headers).get('authorization') === 'Bearer access-1'
    ? new Response('{}', { status: 401, headers: { 'www-authenticate': 'Bearer reason="audience"' } })
    : new Response('fine');

/** The world's vault, which refuses with `why`, or never answers. */
function refusing({ vault }: World) {
  const control = { why: null as Error | 'silence' | null };
  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    if (control.why === 'silence') return new Promise<T>(() => {});
    if (control.why) throw control.why;
    return work();
  };
  const refused: Vault = {
    read: () => use(() => vault.read()),
    compareAndSwap: (...wanted) => use(() => vault.compareAndSwap(...wanted)),
  };
  return Object.assign(control, { vault: refused });
}

describe('a store that only a person can mend', () => {
  it('at launch: every call rejects with its error at once, also later calls', async () => {
    const world = createWorld();
    const store = refusing(world);
    store.why = refusal;
    const { auth } = world.openTab({}, { vault: store.vault });
    const early = auth.getAccessToken();
    await expect(auth.ready()).rejects.toBe(refusal);
    await expect(early).rejects.toBe(refusal);
    await expect(auth.getAccessToken()).rejects.toBe(refusal);
    expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
  });

  it('at launch: a sign-in works for this process, and requests go on with it', async () => {
    const world = createWorld();
    const store = refusing(world);
    store.why = refusal;
    const { auth } = world.openTab({}, { vault: store.vault });
    await auth.ready().catch(() => {});
    await auth.signIn(ada);
    expect(await auth.ready()).toMatchObject({ status: 'active' });
    expect(await auth.getAccessToken()).toBe('access-1');
  });

  it('that was repaired: the session is found without a second call', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const store = refusing(world);
    store.why = refusal;
    const { auth } = world.openTab({}, { vault: store.vault });
    await expect(auth.ready()).rejects.toBe(refusal);
    store.why = null;
    await world.time.advance(MINUTE);
    expect(await auth.ready()).toMatchObject({ status: 'active' });
    expect(await auth.getAccessToken()).toBe('access-1');
  });

  it('in use: the current token is used to its end, then requests reject with the error instead of waiting', async () => {
    const world = createWorld();
    const store = refusing(world);
    const { auth } = await world.openSignedInTab({}, { vault: store.vault });
    store.why = refusal;
    await world.time.advance(DUE);
    expect(await auth.getAccessToken()).toBe('access-1');
    await world.time.advance(5 * MINUTE);
    await expect(auth.getAccessToken()).rejects.toBe(refusal);
    expect(auth.getSnapshot().status).toBe('active');
  });

  it('in use: a request for a token of another resource rejects with the error at once', async () => {
    const world = createWorld();
    const store = refusing(world);
    const { auth } = await world.openSignedInTab({ fetch: audience }, { vault: store.vault });
    store.why = refusal;
    const first = outcome(auth.fetch(account, { resource: issuer }));
    await settle();
    expect(await first).toBe(refusal);
    expect(await auth.getAccessToken()).toBe('access-1');
    store.why = null;
    await world.time.advance(MINUTE);
    expect((await auth.fetch(account, { resource: issuer })).status).toBe(200);
  });

  it('that may recover is waited for, as before', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const store = refusing(world);
    store.why = new HoldfastError('storage-unavailable', 'the keychain is locked');
    const { auth } = world.openTab({}, { vault: store.vault });
    const token = auth.getAccessToken();
    await settle();
    store.why = null;
    await world.time.advance(MINUTE);
    expect(await token).toBe('access-1');
  });
});

describe('a store that refuses during a session, with a cookie', () => {
  it.each([new Error('Connection to Indexed Database server lost'), 'silence'] as const)(
    '(%s): the session goes on without it, expiry after expiry, and the user is not asked',
    async (why) => {
      const world = createWorld('cookie');
      const store = refusing(world);
      const tab = await world.openSignedInTab({}, { vault: store.vault });
      store.why = why;
      for (let expiry = 1; expiry <= 4; expiry++) {
        await world.time.advance(16 * MINUTE);
        const refreshed = world.server.refreshes();
        const granted = tab.auth.getAccessToken();
        await world.time.advance(30_000);
        expect(await granted).toBe(`access-${refreshed + 1}`);
        expect(refreshed).toBeGreaterThanOrEqual(expiry);
      }
      expect(tab.seen('refresh.failed')).toEqual([]);
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    },
  );

  it('the session is over at the server: the user is asked', async () => {
    const world = createWorld('cookie');
    const store = refusing(world);
    const tab = await world.openSignedInTab({}, { vault: store.vault });
    store.why = new Error('Connection to Indexed Database server lost');
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'reauthentication-required', reason: 'revoked' });
    await tab.auth.signIn(ada);
    expect(tab.auth.getSnapshot().status).toBe('active');
  });

  it('the server asks to wait: the user is not asked, and the next try comes when the server wants it', async () => {
    const world = createWorld('cookie');
    const store = refusing(world);
    const tab = await world.openSignedInTab({}, { vault: store.vault });
    store.why = new Error('Connection to Indexed Database server lost');
    world.server.answers.push(json(429, {}, { 'retry-after': '60' }));
    await world.time.advance(DUE);
    expect(world.server.refreshes()).toBe(1);
    expect(tab.auth.getSnapshot().status).toBe('active');
    await world.time.advance(2 * MINUTE);
    expect(world.server.refreshes()).toBe(2);
  });

  it('the store is back: its records count for all tabs again', async () => {
    const world = createWorld('cookie');
    const store = refusing(world);
    const tab = await world.openSignedInTab({}, { vault: store.vault });
    store.why = new Error('Connection to Indexed Database server lost');
    await world.time.advance(DUE);
    store.why = null;
    await world.time.advance(DUE);
    expect((await world.vault.read())?.session?.access?.value).toBe(await tab.auth.getAccessToken());
    await tab.auth.signOut();
    expect(await world.openTab().auth.ready()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('a tab that was frozen during the read reads again before it sends', async () => {
    const world = createWorld('cookie');
    const page = await world.openSignedInTab({}, { announce: () => {} });
    const store = refusing(world);
    const tab = world.openTab({}, { vault: store.vault });
    await tab.auth.ready();
    store.why = 'silence';
    await world.time.advance(DUE - 1_000);
    while (tab.seen('refresh.locked').length === 0) await world.time.advance(1_000);
    await page.auth.signOut();
    const asked = world.server.refreshes();
    world.time.jumpWall(3_600_000);
    store.why = null;
    tab.signal('resumed');
    await world.time.advance(MINUTE);
    expect(world.server.refreshes()).toBe(asked);
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });
});
