// Ways to be signed out without a reason, to lose a request, or to send it as another user. Each was reproduced before
// it was fixed.
import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient } from './api-client.ts';
import { sessionPolicy } from './core/policy.ts';
import type { Platform, Vault } from './core/ports.ts';
import { automaticStage } from './optional/automatic-stage.ts';
import { foreignTokenResponses } from './optional/foreign-token-responses.ts';
import { proofSigner } from './runtime/dpop.ts';
import type { SignInMethod } from './runtime/sign-in.ts';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

const MINUTE = 60_000;
const DUE = 10.5 * MINUTE;

let resource: Awaited<ReturnType<typeof startResource>> | null = null;
afterEach(async () => {
  await resource?.close();
  resource = null;
});

const ada = { username: 'ada', password: 'secret' };
const bob = { username: 'bob', password: 'secret' };
const asBob = (world: World): void => void (world.server.extra = { sid: 'session-2', sub: 'user-2' });

/** A resource that holds every response back until the test releases it. */
async function startSlowResource(): Promise<{
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  readonly answer: (status: number, headers?: Record<string, string>) => void;
}> {
  const waiting: ((status: number, headers?: Record<string, string>) => void)[] = [];
  resource = await startResource((_request, response) => {
    waiting.push((status, headers = {}) => void response.writeHead(status, headers).end());
  });
  return { url: resource.url, seen: resource.seen, answer: (status, headers) => waiting.shift()?.(status, headers) };
}

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('one user’s request is never sent as another', () => {
  it('a 401 that comes after another user has signed in', async () => {
    const slow = await startSlowResource();
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [slow.url] });
    const sent = outcome(auth.fetch(slow.url, { method: 'POST', body: 'as ada' }));
    while (slow.seen.length === 0) await settle();
    await auth.signOut();
    asBob(world);
    await auth.signIn(bob);
    slow.answer(401);
    expect(await sent).toMatchObject({ code: 'user-changed' });
    expect(slow.seen).toHaveLength(1);
  });

  it('a repetition of an ApiClient request after another user has signed in', async () => {
    const slow = await startSlowResource();
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [slow.url] });
    const sent = outcome(createApiClient({ baseUrl: slow.url, auth }).put('/note', { json: 'as ada' }));
    while (slow.seen.length === 0) await settle();
    slow.answer(503, { 'retry-after': '8' });
    for (let turn = 0; turn < 20; turn++) await settle();
    await auth.signOut();
    asBob(world);
    await auth.signIn(bob);
    await world.time.advance(10_000);
    expect(await sent).toMatchObject({ code: 'user-changed' });
    expect(slow.seen).toHaveLength(1);
  });

  it('a request that was parked before the session was restored', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    await world.time.advance(60 * MINUTE);
    const { auth } = world.openTab();
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    const parked = outcome(auth.getAccessToken());
    await world.time.advance(1_000);
    asBob(world);
    await auth.signIn(bob);
    expect(await parked).toMatchObject({ code: 'user-changed' });
  });

  it('a request that was parked, with a server that does not name the user', async () => {
    const world = createWorld();
    world.server.extra = {};
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    const parked = outcome(auth.getAccessToken());
    await auth.signIn(bob);
    expect(await parked).toMatchObject({ code: 'user-changed' });
  });
});

describe('the token goes where it was meant to go', () => {
  it.each([
    ['a relative URL', () => '/me'],
    ['a URL that changes while the request is parked', () => new URL('/me', 'https://api.example.com')],
  ])('%s goes to the address that was checked', async (_name, makeInput) => {
    const world = createWorld();
    const sent: string[] = [];
    const fetch: typeof globalThis.fetch = (input) => {
      sent.push(input instanceof Request ? input.url : String(input));
      return Promise.resolve(new Response());
    };
    const { auth } = await world.openSignedInTab({ fetch });
    const input = makeInput();
    const answer = auth.fetch(input);
    if (input instanceof URL) input.hostname = 'evil.example';
    await answer;
    expect(sent).toEqual(['https://api.example.com/me']);
  });

  it('a request from another frame is judged by its own address, though it is no `Request` of this frame', async () => {
    const world = createWorld();
    const seen: (string | null)[] = [];
    const fetch: typeof globalThis.fetch = (_input, init) => {
      seen.push(new Headers(init?.headers).get('authorization'));
      return Promise.resolve(new Response());
    };
    const { auth } = await world.openSignedInTab({ fetch });
    const foreign = { url: 'https://evil.example/', headers: new Headers(), method: 'GET' } as Request;
    await auth.fetch(foreign);
    expect(seen).toEqual([null]);
  });
});

/** A vault that can hold back its reads and fail its writes. */
function controlVault(vault: Vault): Vault & { hold: () => void; release: () => void; failWrites: boolean } {
  let gate: Promise<void> | null = null;
  let open = (): void => {};
  const controlled = {
    failWrites: false,
    hold: () => {
      gate = new Promise((resolve) => (open = resolve));
    },
    release: () => {
      gate = null;
      open();
    },
    read: async () => {
      const record = await vault.read();
      if (gate) await gate;
      return record;
    },
    compareAndSwap: (...parameters: Parameters<Vault['compareAndSwap']>) =>
      controlled.failWrites ? Promise.reject(new Error('full')) : vault.compareAndSwap(...parameters),
  };
  return controlled;
}

describe('signed out is signed out', () => {
  it('a read of the vault that was under way does not bring the session back', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const { auth, signal } = await world.openSignedInTab({}, { vault });
    const record = await world.vault.read();
    await world.vault.compareAndSwap(null, { session: record?.session ?? null, endedReason: null });
    vault.hold();
    signal('store-changed');
    await settle();
    const left = auth.signOut();
    vault.release();
    await left;
    await settle();
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect((await world.vault.read())?.session).toBeNull();
  });

  it('a tombstone that could not be written is written later, and signOut() rejects', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const { auth } = await world.openSignedInTab({}, { vault });
    vault.failWrites = true;
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    vault.failWrites = false;
    await world.time.advance(MINUTE);
    expect((await world.vault.read())?.session).toBeNull();
  });

  it('a prompt that is answered after the sign-out starts no session', async () => {
    const world = createWorld();
    let answerPrompt = (): void => {};
    const method: SignInMethod = (ask) =>
      new Promise((resolve) => (answerPrompt = () => resolve(ask({ webauthn: 'assertion' }))));
    const { auth } = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method)] });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    expect(auth.getSnapshot().status).toBe('reauthentication-required');
    await auth.signOut();
    answerPrompt();
    await world.time.advance(1_000);
    expect(auth.getSnapshot().status).toBe('signed-out');
    expect(world.server.requests.at(-1)?.get('token')).toBe('refresh-2');
  });

  it('a sign-in as another user leaves no session of the previous user at the server', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    asBob(world);
    await auth.signIn(bob);
    await settle();
    expect(world.server.requests.at(-1)?.get('token')).toBe('refresh-1');
  });

  it('a revocation that a captive portal answers is tried again', async () => {
    const world = createWorld();
    let isPortal = true;
    const portal = { status: 404, headers: {}, body: '<html>' };
    const transport: Platform['transport'] = (request, signal) =>
      isPortal && request.url.endsWith('/revoke') ? Promise.resolve(portal) : world.transport(request, signal);
    const { auth, signal } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    isPortal = false;
    signal('online');
    await settle();
    expect(world.server.requests.at(-1)?.get('token')).toBe('refresh-1');
  });
});

describe('no user is signed out without a reason', () => {
  it('a sign-in that could not be stored survives the next refresh, also if an old tombstone is in the vault', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const tab = await world.openSignedInTab({}, { vault });
    await tab.auth.signOut();
    vault.failWrites = true;
    asBob(world);
    await tab.auth.signIn(bob);
    vault.failWrites = false;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
    expect((await world.vault.read())?.session?.sub).toBe('user-2');
  });

  it('a sign-in that could not be stored is stored as soon as the vault can be written, so a reload finds it', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const tab = await world.openSignedInTab({}, { vault });
    vault.failWrites = true;
    asBob(world);
    await tab.auth.signIn(bob);
    vault.failWrites = false;
    await world.time.advance(5_000);
    const reloaded = world.openTab();
    expect(await reloaded.auth.ready()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
    expect(world.server.requests.map((form) => form.get('grant_type'))).not.toContain('refresh_token');
  });

  it('a sign-in that could not be stored survives a vault that was emptied before', async () => {
    const world = createWorld();
    let isEmpty = false;
    let isLocked = false;
    const vault: Vault = {
      read: () => (isEmpty ? Promise.resolve(null) : world.vault.read()),
      compareAndSwap: (expected, next) => {
        if (isLocked) return Promise.reject(new Error('locked'));
        if (!isEmpty) return world.vault.compareAndSwap(expected, next);
        if (expected !== null && expected !== 0) return Promise.resolve({ isSwapped: false, record: null });
        isEmpty = false;
        return world.vault.compareAndSwap(null, next);
      },
    };
    const tab = await world.openSignedInTab({}, { vault });
    isEmpty = true;
    isLocked = true;
    asBob(world);
    await tab.auth.signIn(bob);
    isLocked = false;
    await world.time.advance(DUE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
    expect((await world.vault.read())?.session?.sub).toBe('user-2');
  });

  it('a late tombstone for the previous session does not end a sign-in that could not be stored', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const tab = await world.openSignedInTab({}, { vault });
    vault.failWrites = true;
    asBob(world);
    await tab.auth.signIn(bob);
    vault.failWrites = false;
    // Another tab has signed Ada out, and its write arrives only now.
    const record = await world.vault.read();
    await world.vault.compareAndSwap(record?.version ?? 0, { session: null, endedReason: 'user' });
    tab.signal('store-changed');
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
    await world.time.advance(DUE);
    expect((await world.vault.read())?.session?.sub).toBe('user-2');
  });

  it('a refresh token that could not be stored is used, and not the spent one before it', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    await world.openSignedInTab({}, { vault });
    vault.failWrites = true;
    await world.time.advance(DUE);
    vault.failWrites = false;
    await world.time.advance(DUE);
    const used = world.server.requests.map((form) => form.get('refresh_token')).filter((token) => token !== null);
    expect(used).toEqual(['refresh-1', 'refresh-2']);
  });

  it('an answer that could not be stored gives way to a newer one of another tab that was adopted meanwhile', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const tab = await world.openSignedInTab({}, { vault });
    world.server.answers.push(json(200, { access_token: 'late', token_type: 'Bearer', expires_in: 900 }));
    world.server.delayMs = 2_000;
    while (world.server.refreshes() === 0) await world.time.advance(1_000);
    // The other tab has rotated meanwhile. This tab still reads that news when its own answer arrives, without a new
    // refresh token.
    const before = await world.vault.read();
    const session = before?.session ? { ...before.session, refreshToken: 'refresh-of-the-other' } : null;
    await world.vault.compareAndSwap(before?.version ?? 0, { session, endedReason: null });
    vault.hold();
    tab.signal('store-changed');
    vault.failWrites = true;
    await world.time.advance(2_500);
    vault.release();
    await settle();
    vault.failWrites = false;
    await world.time.advance(DUE);
    const used = world.server.requests.flatMap((form) => form.get('refresh_token') ?? []);
    expect(used.slice(0, 2)).toEqual(['refresh-1', 'refresh-of-the-other']);
  });

  it('storage that stays full does not hold up a session whose refresh token is in a cookie', async () => {
    const world = createWorld('cookie');
    const vault = controlVault(world.vault);
    const { auth } = await world.openSignedInTab({}, { vault });
    vault.failWrites = true;
    const tokens: string[] = [];
    for (let round = 0; round < 3; round++) {
      await world.time.advance(16 * MINUTE);
      tokens.push(await auth.getAccessToken());
    }
    expect(tokens).toEqual([...new Set(tokens)]);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'verified', parkedRequests: 0 });
  });

  it('a failed commit does not overwrite an emptied vault', async () => {
    const world = createWorld();
    let isEmpty = false;
    let isLocked = false;
    const vault: Vault = {
      read: () =>
        isLocked ? Promise.reject(new Error('locked')) : isEmpty ? Promise.resolve(null) : world.vault.read(),
      compareAndSwap: (expected, next) => {
        if (isLocked) return Promise.reject(new Error('locked'));
        if (isEmpty && expected !== null && expected !== 0) return Promise.resolve({ isSwapped: false, record: null });
        return world.vault.compareAndSwap(isEmpty ? null : expected, next);
      },
    };
    const tab = await world.openSignedInTab({}, { vault });
    world.server.delayMs = 1_000;
    while (world.server.refreshes() === 0) await world.time.advance(500);
    isLocked = true;
    await world.time.advance(6_000);
    expect(tab.seen('refresh.succeeded')).toHaveLength(1);
    isEmpty = true;
    isLocked = false;
    await world.time.advance(60_000);
    // Another tab may have used the token meanwhile: an answer stored now would pass for newer than that tab's.
    expect((await world.vault.read())?.session?.refreshToken).toBe('refresh-1');
    expect(tab.auth.getSnapshot().status).toBe('active');
  });

  it('a write that succeeds after it was given up leaves no tab with another session than the store', async () => {
    const world = createWorld();
    let isSlow = false;
    const vault: Vault = {
      read: () => world.vault.read(),
      compareAndSwap: async (...parameters) => {
        if (isSlow) await new Promise<void>((resolve) => void world.time.clock.wake(7_000, resolve));
        return world.vault.compareAndSwap(...parameters);
      },
    };
    const tab = await world.openSignedInTab({}, { vault });
    isSlow = true;
    asBob(world);
    const signingIn = tab.auth.signIn(bob);
    await world.time.advance(5_100);
    await signingIn;
    isSlow = false;
    // A third user signs in in another tab before the first write arrives.
    const record = await world.vault.read();
    const session = record?.session ? { ...record.session, sid: 'session-3', sub: 'user-3' } : null;
    await world.vault.compareAndSwap(record?.version ?? 0, { session, endedReason: null });
    tab.signal('store-changed');
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ user: { sub: 'user-3' } });
    await world.time.advance(2_500);
    expect((await world.vault.read())?.session?.sub).toBe('user-3');
    expect(tab.auth.getSnapshot()).toMatchObject({ user: { sub: 'user-3' } });
  });

  it('a failed prompt in one tab does not end the sign-in of another', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const first = await world.openSignedInTab({}, { vault });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    vault.hold();
    const second = world.openTab();
    await second.auth.ready();
    await second.auth.signIn(ada);
    first.auth.declineReauthentication();
    vault.release();
    await settle();
    expect(second.auth.getSnapshot().status).toBe('active');
    expect(first.auth.getSnapshot().status).toBe('active');
  });

  it('a Retry-After of a day is cut short, and the user’s request to extend does not wait for it', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(json(503, {}, { 'retry-after': '86400' }));
    await world.time.advance(DUE);
    await world.time.advance(6 * MINUTE);
    expect(world.server.refreshes()).toBe(2);
    world.server.answers.push(json(503, {}, { 'retry-after': '300' }));
    auth.extend();
    await settle();
    auth.extend();
    await settle();
    expect(world.server.refreshes()).toBe(4);
  });
});

describe('one faulty part does not harm the rest', () => {
  it('an endpoint that always answers 401 costs one refresh in all', async () => {
    resource = await startResource((_request, response) => response.writeHead(401).end());
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [resource.url] });
    for (let call = 0; call < 20; call++) expect((await auth.fetch(resource.url)).status).toBe(401);
    expect(world.server.refreshes()).toBe(1);
  });

  it('an announcement while the vault is being read is not lost', async () => {
    const world = createWorld();
    const vault = controlVault(world.vault);
    const first = await world.openSignedInTab({}, { vault });
    const second = world.openTab();
    await second.auth.ready();
    vault.hold();
    first.signal('store-changed');
    await settle();
    await second.auth.signOut();
    vault.release();
    await settle();
    expect(first.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('a body that can be iterated only once is not sent again empty', async () => {
    resource = await startResource(({ authorization }, response) =>
      response.writeHead(authorization === 'Bearer access-2' ? 200 : 401).end(),
    );
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [resource.url] });
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('hello');
    }
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      body: chunks() as unknown as BodyInit,
      duplex: 'half',
    };
    expect((await auth.fetch(resource.url, init)).status).toBe(401);
    expect(resource.seen.map(({ body }) => body)).toEqual(['hello']);
  });

  it('a session that was to be bound to a key and is not is rejected', async () => {
    const world = createWorld();
    const tab = world.openTab({}, { signProof: proofSigner(() => Promise.resolve('proof')) });
    await tab.auth.ready();
    await expect(tab.auth.signIn(ada)).rejects.toMatchObject({ code: 'misconfigured' });
  });

  it('warnings in any order and a classifier that throws stop nothing', async () => {
    const world = createWorld();
    world.server.extra = { ...world.server.extra, authorization_expires_in: 600 };
    const classify = (): never => {
      throw new Error('a bug of the application');
    };
    const tab = await world.openSignedInTab({
      readTokenResponse: foreignTokenResponses(classify),
      policy: sessionPolicy({ expiryWarningsMs: [60_000, 300_000] }),
    });
    await world.time.advance(9.5 * MINUTE);
    expect(tab.seen('session.expiring')).toHaveLength(2);
    await world.time.advance(MINUTE);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });
});
