// Defects of well-known client libraries, found by running them or in the reports of their users. Each one is a case
// here, so that this client never has it. Cases in other test files are named there by what a user would lose.
import { afterEach, describe, expect, it } from 'vitest';
import type { Platform } from './core/ports.ts';
import { proofSigner } from './runtime/dpop.ts';
import { startResource } from './testing/resource.ts';
import { createWorld, json, settle } from './testing/world.ts';

const MINUTE = 60_000;
const DUE = 10.5 * MINUTE;

let resource: Awaited<ReturnType<typeof startResource>> | null = null;
afterEach(async () => {
  await resource?.close();
  resource = null;
});

/** A world whose user signed in long ago: the stored access token has expired. */
async function createOldWorld(): Promise<ReturnType<typeof createWorld>> {
  const world = createWorld();
  (await world.openSignedInTab()).auth.dispose();
  await world.time.advance(60 * MINUTE);
  return world;
}

describe('at relaunch', () => {
  it.each([
    ['503', json(503, { error: 'temporarily_unavailable' })],
    ['429', json(429, { error: 'slow_down' })],
    ['no network', 'network-error'],
    ['a captive portal', { status: 200, headers: {}, body: '<html>' }],
  ] as const)('%s at the first refresh: the stored user is kept, and comes back by itself', async (_name, answer) => {
    const world = await createOldWorld();
    world.server.answers.push(answer, answer);
    const { auth } = world.openTab();
    expect(await auth.ready()).toMatchObject({ status: 'active', freshness: 'restored' });
    const token = auth.getAccessToken();
    await world.time.advance(MINUTE);
    expect(await token).toBe('access-2');
    expect((await world.vault.read())?.session?.sid).toBe('session-1');
  });

  it('an expired access token is renewed even if no request needs it', async () => {
    const world = await createOldWorld();
    world.openTab();
    await world.time.advance(1_000);
    expect(world.server.refreshes()).toBe(1);
  });

  it('the same refresh token is sent again if the app was killed between the server’s rotation and the write', async () => {
    const world = await createOldWorld();
    const dying = world.openTab({}, { vault: { ...world.vault, compareAndSwap: () => new Promise(() => {}) } });
    await world.time.advance(100);
    expect(world.server.requests.at(-1)?.get('refresh_token')).toBe('refresh-1');
    dying.auth.dispose();
    const { auth } = world.openTab();
    const token = auth.getAccessToken();
    // The lock is kept for as long as the write may still arrive.
    await world.time.advance(5_000);
    expect(await token).toBe('access-3');
    expect(world.server.requests.at(-1)?.get('refresh_token')).toBe('refresh-1');
  });
});

describe('at refresh', () => {
  it('three calls at once send the refresh token once', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.delayMs = 100;
    for (let call = 0; call < 3; call++) auth.extend();
    await world.time.advance(DUE / 2);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a failed proactive refresh takes nothing away while the access token lives', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(...Array.from({ length: 1_000 }, () => 'network-error' as const));
    await world.time.advance(14.9 * MINUTE);
    expect(await auth.getAccessToken()).toBe('access-1');
  });

  it('a request finds the token due by itself if timers never fire, as in a frozen or throttled tab', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({}, { clock: { now: world.time.clock.now, wake: () => () => {} } });
    await world.time.advance(60 * MINUTE);
    expect(world.server.refreshes()).toBe(0);
    expect(await auth.getAccessToken()).toBe('access-2');
  });

  it('an hour offline costs one refresh, not one for every failed attempt', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    let isOffline = true;
    const transport: Platform['transport'] = (request, signal) =>
      isOffline ? Promise.reject(new TypeError('Failed to fetch')) : world.transport(request, signal);
    tab.auth.dispose();
    const { auth, signal } = world.openTab({}, { transport });
    await world.time.advance(60 * MINUTE);
    isOffline = false;
    signal('online');
    await world.time.advance(1_000);
    expect(await auth.getAccessToken()).toBe('access-2');
    expect(world.server.refreshes()).toBe(1);
  });

  it('refreshes do not speed up towards the end of a session that nothing can prolong', async () => {
    const world = createWorld();
    const leftSeconds = (): number => Math.floor((20 * MINUTE - world.time.clock.now().monotonicMs) / 1_000);
    // The server cuts the lifetime of a token at the end of the session, as ours does.
    Object.defineProperties(world.server, {
      lifetimeSeconds: { get: () => Math.min(900, leftSeconds()) },
      extra: { get: () => ({ sid: 'session-1', sub: 'user-1', authorization_expires_in: leftSeconds() }) },
    });
    const tab = await world.openSignedInTab();
    await world.time.advance(19.9 * MINUTE);
    expect(tab.seen('refresh.sent')).toHaveLength(1);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
    tab.signal('user-active');
    await settle();
    expect(tab.seen('refresh.sent')).toHaveLength(2);
  });

  it('a server that always answers with an expired token is not asked a hundred times a second', async () => {
    const world = createWorld();
    world.server.lifetimeSeconds = 0;
    const tab = await world.openSignedInTab();
    const parked = Array.from({ length: 50 }, () => tab.auth.getAccessToken().catch(() => ''));
    await world.time.advance(10_000);
    expect(world.server.refreshes()).toBeLessThan(15);
    await Promise.all(parked);
  });
});

describe('in the application', () => {
  it('a subscriber that calls back into the session does not lock it up', async () => {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    const tokens: Promise<string>[] = [];
    tab.auth.subscribe(() => {
      if (tokens.length < 5) tokens.push(tab.auth.getAccessToken());
      tab.auth.userActive();
    });
    tab.auth.extend();
    await settle();
    expect(tokens.length).toBeGreaterThan(0);
    expect(new Set(await Promise.all(tokens)).size).toBeLessThanOrEqual(2);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a Request with a body survives a nonce retry', async () => {
    const started = await startResource(({ headers }, response) => {
      if (headers['dpop'] === 'proof with n1') response.end();
      else response.writeHead(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' }).end();
    });
    resource = started;
    const world = createWorld();
    world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
    const signProof = proofSigner(({ nonce }) => Promise.resolve(nonce === null ? 'proof' : `proof with ${nonce}`));
    const tab = await world.openSignedInTab({ resources: [started.url] }, { signProof });
    const request = new Request(`${started.url}/notes`, { method: 'POST', body: 'hello' });
    expect((await tab.auth.fetch(request)).status).toBe(200);
    expect(started.seen.map(({ body }) => body)).toEqual(['hello', 'hello']);
    expect(world.server.refreshes()).toBe(0);
    expect(started.seen[1]?.authorization).toBe('DPoP access-1');
  });

  describe('an API that refuses proofs of its future', () => {
    /** An API whose clock is behind. The authorization server sends its `Date`, and so does the API, if it may. */
    async function behind(byMs: number, isDateReadable: boolean, more: (dpop: string) => string | null = () => null) {
      const world = createWorld();
      const nowMs = (): number => world.time.clock.now().wallMs;
      world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
      const signed: number[] = [];
      const signProof = proofSigner(({ atMs, nonce }) => {
        signed.push(Math.round((atMs - nowMs()) / 1_000));
        return Promise.resolve(`${Math.floor(atMs / 1_000)} ${nonce}`);
      });
      const dated: number[] = [];
      const fetch: typeof globalThis.fetch = async (_input, init) => {
        const dpop = new Headers(init?.headers).get('dpop') ?? '';
        const iatMs = Number.parseInt(dpop, 10) * 1_000;
        dated.push(Math.round((iatMs - nowMs()) / 1_000));
        const error = more(dpop) ?? (iatMs > nowMs() - byMs ? 'invalid_dpop_proof' : null);
        if (error === null) return new Response('fine');
        const date = isDateReadable ? { date: new Date(nowMs() - byMs).toUTCString() } : {};
        const headers = { ...date, 'dpop-nonce': 'n1', 'www-authenticate': `DPoP error="${error}"` };
        return new Response('', { status: 401, headers });
      };
      const transport: Platform['transport'] = async (request, signal) => {
        const answer = await world.transport(request, signal);
        return { ...answer, headers: { ...answer.headers, date: new Date(nowMs()).toUTCString() } };
      };
      const tab = await world.openSignedInTab({ fetch }, { signProof, transport });
      const statusOf = async (): Promise<number> => (await tab.auth.fetch('https://api.example.com/notes')).status;
      return { world, tab, dated, signed, statusOf };
    }

    it.each([true, false])(
      'gets one proof of its own time, and later requests have that time at once (readable: %s)',
      async (isDateReadable) => {
        const { world, dated, statusOf } = await behind(2_000, isDateReadable);
        expect([await statusOf(), await statusOf()]).toEqual([200, 200]);
        expect(dated).toEqual(isDateReadable ? [0, -2, -2] : [0, -10, -10]);
        expect(world.server.refreshes()).toBe(0);
      },
    );

    it('its time is not used for the authorization server: refreshes are signed as before', async () => {
      const { world, tab, signed, statusOf } = await behind(2_000, true);
      expect(await statusOf()).toBe(200);
      const before = signed.length;
      tab.auth.extend();
      await settle();
      expect(world.server.refreshes()).toBe(1);
      expect(signed.slice(before)).toEqual([0]);
    });

    it('may also require a nonce: each fault costs one more try', async () => {
      const { dated, statusOf } = await behind(2_000, true, (dpop) => (dpop.endsWith('n1') ? null : 'use_dpop_nonce'));
      expect(await statusOf()).toBe(200);
      expect(dated).toHaveLength(3);
    });

    it('gets a request twice at most, if it refuses every proof', async () => {
      const { dated, statusOf } = await behind(0, true, () => 'invalid_dpop_proof');
      expect(await statusOf()).toBe(401);
      expect(dated).toHaveLength(2);
    });
  });

  it('the proof names the method that is sent, also if the app writes it in lower case', async () => {
    const started = await startResource(({ method, headers }, response) =>
      response.writeHead(headers['dpop'] === method ? 200 : 401).end(),
    );
    resource = started;
    const world = createWorld();
    world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
    const named: string[] = [];
    const signProof = proofSigner(({ method }) => (named.push(method), Promise.resolve(method)));
    const tab = await world.openSignedInTab({ resources: [started.url] }, { signProof });
    for (const method of ['post', 'Delete', 'PUT'])
      expect((await tab.auth.fetch(started.url, { method })).status).toBe(200);
    // Methods are case-sensitive (RFC 9110 §9.1), and `fetch` changes no other.
    await tab.auth.fetch(started.url, { method: 'patch' }).catch(() => {});
    expect(named.slice(-4)).toEqual(['POST', 'DELETE', 'PUT', 'patch']);
  });

  it('a wrong device clock signs no user out: an hour slow, an hour fast, ten years off', async () => {
    for (const offMs of [-60 * MINUTE, 60 * MINUTE, -10 * 365 * 24 * 60 * MINUTE, 10 * 365 * 24 * 60 * MINUTE]) {
      const world = createWorld();
      world.time.jumpWall(offMs);
      const tab = await world.openSignedInTab();
      await world.time.advance(60 * MINUTE);
      expect(tab.auth.getSnapshot().status).toBe('active');
      expect(await tab.auth.getAccessToken()).toMatch(/^access-\d+$/u);
      expect(world.server.refreshes()).toBeLessThanOrEqual(6);
    }
  });
});
