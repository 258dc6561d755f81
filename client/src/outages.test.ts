import { describe, expect, it } from 'vitest';
import { createApiClient } from './api-client.ts';
import type { Platform } from './core/ports.ts';
import { MINUTE, never, outcome, watch } from './testing/trouble.ts';
import { createWorld, json, settle } from './testing/world.ts';
import { untilOnline } from './until-online.ts';

// The server determines how long an outage lasts. These tests bound how much longer the client makes it.

const api = 'https://api.example.com';

/** Draws that look random and are the same in every run. */
function drawsFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

type Trouble = 'refuses connections' | 'answers 503' | 'answers nothing' | 'answers 503 and asks for 5 s';

/** The outcome of one request to a server in an outage. */
const FAILURES: Readonly<Record<Trouble, () => ReturnType<Platform['transport']>>> = {
  'refuses connections': () => Promise.reject(new TypeError('Failed to fetch')),
  'answers 503': () => Promise.resolve(json(503, {})),
  'answers nothing': never,
  'answers 503 and asks for 5 s': () => Promise.resolve(json(503, {}, { 'retry-after': '5' })),
};

/** A tab whose token expires in an outage while a request is parked. */
async function setUp(trouble: Trouble, seed = 1) {
  const world = createWorld();
  const outage = { isOver: true, refreshesMs: [] as number[] };
  const nowMs = (): number => world.time.clock.now().monotonicMs;
  const transport: Platform['transport'] = (request, signal) => {
    if (request.body?.includes('refresh_token')) outage.refreshesMs.push(nowMs());
    return outage.isOver ? world.transport(request, signal) : FAILURES[trouble]();
  };
  const draw = drawsFrom(seed);
  // The token was revoked early, so no proactive refresh comes before the outage.
  const fetch: typeof globalThis.fetch = async (_input, init) =>
    new Headers(init?.headers).get('authorization') === 'Bearer access-1'
      ? new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
      : new Response('"ok"');
  const tab = await world.openSignedInTab({ fetch }, { transport, random: draw });
  /** How much longer than the outage a request waits if it is parked `parkedAfterMs` after the outage began. */
  const lag = async (outageMs: number, parkedAfterMs = 0): Promise<number> => {
    outage.isOver = false;
    await world.time.advance(draw() * 1_000);
    if (parkedAfterMs > 0) await Promise.all([outcome(tab.auth.fetch(api, { deadlineMs: 0 })), world.time.advance(1)]);
    await world.time.advance(parkedAfterMs);
    let settledMs = NaN;
    void tab.auth.fetch(api, { deadlineMs: outageMs + 10 * MINUTE }).then(() => (settledMs = nowMs()));
    await world.time.advance(outageMs - parkedAfterMs);
    const overMs = nowMs();
    outage.isOver = true;
    await world.time.advance(2 * MINUTE);
    return settledMs - overMs;
  };
  return { world, tab, outage, lag };
}

const SECONDS = [5, 20, 30, 300, 1_800];
const BOUND_MS: Readonly<Record<Trouble, number>> = {
  'refuses connections': 10_000,
  'answers 503': 10_000,
  'answers nothing': 15_000,
  'answers 503 and asks for 5 s': 10_000,
};

describe.each(Object.keys(BOUND_MS) as Trouble[])('a server that %s', (trouble) => {
  it.each(SECONDS)('for %i s holds up a parked request for little longer', async (seconds) => {
    for (let seed = 1; seed <= 6; seed++) {
      const { lag } = await setUp(trouble, seed * 7_919);
      expect([seed, await lag(seconds * 1_000)]).toEqual([seed, expect.toSatisfy((ms) => ms <= BOUND_MS[trouble])]);
    }
  });

  it('for half an hour holds up a request of its last second for little longer', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { lag } = await setUp(trouble, seed * 104_729);
      const lagMs = await lag(30 * MINUTE, 30 * MINUTE - 2_000);
      expect([seed, lagMs]).toEqual([seed, expect.toSatisfy((ms) => ms <= BOUND_MS[trouble])]);
    }
  });

  it('for half an hour gets no storm of requests: one in six seconds at most after the first ten', async () => {
    const { lag, outage } = await setUp(trouble);
    await lag(30 * MINUTE);
    expect(outage.refreshesMs.length).toBeLessThan(10 + 300 + 25);
  });
});

describe('storage that fails', () => {
  it.each([5, 30, 300])('for %i s at launch holds up a request for little longer', async (seconds) => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = createWorld();
      (await world.openSignedInTab()).auth.dispose();
      let isLocked = true;
      const read = (): ReturnType<typeof world.vault.read> =>
        isLocked ? Promise.reject(new Error('locked')) : world.vault.read();
      const fetch = async (): Promise<Response> => new Response('fine');
      const ports = { vault: { ...world.vault, read }, random: drawsFrom(seed * 7_919) };
      const tab = world.openTab({ fetch }, ports);
      const request = watch(tab.auth.fetch(`${api}/notes`, { deadlineMs: 10 * MINUTE }));
      await world.time.advance(seconds * 1_000);
      isLocked = false;
      await world.time.advance(10_000);
      expect([seed, request.is]).toEqual([seed, 'resolved']);
    }
  });

  it.each([5, 30, 300])(
    'for %i s when a rotated token is written holds up the next refresh for little longer',
    async (seconds) => {
      for (let seed = 1; seed <= 6; seed++) {
        const world = createWorld();
        world.server.lifetimeSeconds = 30;
        let isLocked = false;
        const compareAndSwap: typeof world.vault.compareAndSwap = (version, next) =>
          isLocked ? Promise.reject(new Error('locked')) : world.vault.compareAndSwap(version, next);
        const fetch = async (): Promise<Response> => new Response('fine');
        const tab = await world.openSignedInTab(
          { fetch },
          { vault: { ...world.vault, compareAndSwap }, random: drawsFrom(seed * 7_919) },
        );
        isLocked = true;
        await world.time.advance(60_000);
        const request = watch(tab.auth.fetch(`${api}/notes`, { deadlineMs: 10 * MINUTE }));
        await world.time.advance(seconds * 1_000);
        expect(request.is).toBe('pending');
        isLocked = false;
        await world.time.advance(10_000);
        expect([seed, request.is]).toEqual([seed, 'resolved']);
      }
    },
  );
});

describe('a fleet that comes back', () => {
  it('is spread out: hardly more of a hundred clients ask in one second than in another', async () => {
    const asked = new Map<number, number>();
    for (let client = 1; client <= 100; client++) {
      const { lag, outage } = await setUp('refuses connections', client * 15_485_863);
      await lag(2 * MINUTE);
      // The users cause the first tries, so the client cannot spread them.
      for (const ms of outage.refreshesMs.filter((atMs) => atMs > 20_000))
        asked.set(Math.floor(ms / 1_000), (asked.get(Math.floor(ms / 1_000)) ?? 0) + 1);
    }
    expect(Math.max(...asked.values())).toBeLessThan(40);
  });

  it('asks rarely while no request waits', async () => {
    const { world, tab, outage } = await setUp('refuses connections');
    outage.isOver = false;
    await world.time.advance(70 * MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', freshness: 'offline' });
    expect(outage.refreshesMs.length).toBeLessThan(130);
  });
});

describe('the first answer from anywhere', () => {
  /** A tab with a valid token and failing refreshes, whose API can be out of reach as well. */
  async function inOutage(headers: Readonly<Record<string, string>> = {}) {
    const world = createWorld();
    const api = { status: 200 as number | 'lost' };
    const fetch = async (): Promise<Response> => {
      if (api.status === 'lost') throw new TypeError('Failed to fetch');
      return new Response('', { status: api.status });
    };
    const outage = { isOver: false };
    const transport: Platform['transport'] = (request, signal) => {
      if (outage.isOver || !request.body?.includes('refresh_token')) return world.transport(request, signal);
      world.server.requests.push(new URLSearchParams(request.body));
      return Object.keys(headers).length > 0
        ? Promise.resolve(json(503, {}, headers))
        : Promise.reject(new TypeError('Failed to fetch'));
    };
    const tab = await world.openSignedInTab({ fetch }, { transport });
    // After ten minutes the refresh is due and the token is still valid.
    await world.time.advance(11 * MINUTE);
    expect(tab.seen('refresh.failed').length).toBeGreaterThan(0);
    const refreshesWithin = async (ms: number): Promise<number> => {
      const before = world.server.refreshes();
      await world.time.advance(ms);
      return world.server.refreshes() - before;
    };
    return { world, tab, api, outage, refreshesWithin };
  }

  it('ends the back-off: the session is renewed as soon as any server answers', async () => {
    const { tab, outage } = await inOutage();
    outage.isOver = true;
    await tab.auth.fetch(`${api}/notes`);
    await settle();
    expect(tab.seen('refresh.succeeded')).toHaveLength(1);
  });

  it('does not end a wait that the server asked for', async () => {
    const { tab, outage, world } = await inOutage({ 'retry-after': '60' });
    outage.isOver = true;
    await tab.auth.fetch(`${api}/notes`);
    await world.time.advance(1_000);
    expect(tab.seen('refresh.succeeded')).toHaveLength(0);
  });

  it('does not count if it comes from the outage itself, such as a 503 of the gateway before the API', async () => {
    const { tab, api: resource, refreshesWithin } = await inOutage();
    resource.status = 503;
    await tab.auth.fetch(`${api}/notes`);
    expect(await refreshesWithin(1_000)).toBe(0);
  });

  it('counts once: an API that keeps answering does not make the client ask the token endpoint all the time', async () => {
    const { tab, world } = await inOutage();
    const before = world.server.refreshes();
    for (let call = 0; call < 60; call++) {
      await tab.auth.fetch(`${api}/notes`);
      await world.time.advance(1_000);
    }
    expect(world.server.refreshes() - before).toBeLessThan(5);
  });

  it('counts again after another failure', async () => {
    const { tab, api: resource, refreshesWithin } = await inOutage();
    await tab.auth.fetch(`${api}/notes`);
    await refreshesWithin(1_000);
    resource.status = 'lost';
    await outcome(tab.auth.fetch(`${api}/notes`));
    expect(await refreshesWithin(1_000)).toBe(0);
    resource.status = 200;
    await tab.auth.fetch(`${api}/notes`);
    expect(await refreshesWithin(1_000)).toBe(1);
  });
});

describe('a platform that is wrong about the network', () => {
  /** `navigator.onLine` says `false`, but the API can be reached, except by the first request. */
  async function wronglyOffline(lost: number) {
    const world = createWorld();
    let calls = 0;
    const fetch = async (): Promise<Response> => {
      if (++calls <= lost) throw new TypeError('Failed to fetch');
      return new Response('"ok"');
    };
    const tab = await world.openSignedInTab({ fetch });
    tab.signal('offline');
    return { world, tab, client: createApiClient({ baseUrl: api, auth: tab.auth }), calls: () => calls };
  }

  it('costs a lost request the ordinary pause, not its deadline', async () => {
    const { world, client } = await wronglyOffline(1);
    const answer = watch(client.get('/notes').json());
    await world.time.advance(300);
    expect(answer.is).toBe('resolved');
  });

  it('is overruled by an answer: a request that is lost later does not wait for a network either', async () => {
    const { tab, client } = await wronglyOffline(0);
    expect(await client.get('/notes').json()).toBe('ok');
    expect(untilOnline(tab.auth)).toBeNull();
  });

  it('is overruled by an answer to a refresh as well', async () => {
    const { world, tab } = await wronglyOffline(0);
    tab.auth.extend();
    await world.time.advance(100);
    expect(untilOnline(tab.auth)).toBeNull();
  });

  it('causes no storm: a request that is really lost is repeated less and less often, until its deadline', async () => {
    const { world, client, calls } = await wronglyOffline(Infinity);
    const answer = outcome(client.get('/notes', { deadlineMs: 2 * MINUTE }));
    await world.time.advance(2 * MINUTE + 10_000);
    expect(await answer).toMatchObject({ isRetryable: true });
    expect(calls()).toBeGreaterThan(8);
    expect(calls()).toBeLessThan(40);
  });
});

describe('a request with a token that lives', () => {
  /** An API that is out of service for a while. */
  async function out(failure: 'lost' | 503, retry = {}) {
    const world = createWorld();
    const outage = { isOver: false, calls: 0 };
    const fetch = async (): Promise<Response> => {
      outage.calls += 1;
      if (outage.isOver) return new Response('"ok"');
      if (failure === 'lost') throw new TypeError('Failed to fetch');
      return new Response('', { status: failure });
    };
    const draw = drawsFrom(99);
    const { auth } = await world.openSignedInTab({ fetch }, { random: draw });
    return { world, outage, client: createApiClient({ baseUrl: api, auth, retry }) };
  }

  it.each(['lost', 503] as const)('is repeated until its deadline (%s)', async (failure) => {
    for (const seconds of [5, 20, 30, 100]) {
      const { world, outage, client } = await out(failure);
      const answer = watch(client.get('/notes').json());
      await world.time.advance(seconds * 1_000);
      expect(answer.is).toBe('pending');
      outage.isOver = true;
      await world.time.advance(10_000);
      expect([seconds, answer.is]).toEqual([seconds, 'resolved']);
    }
  });

  it('twenty of them are answered within ten seconds after the outage', async () => {
    const { world, outage, client } = await out(503);
    const answers = Array.from({ length: 20 }, () => watch(client.get('/notes').json()));
    await world.time.advance(30_000);
    outage.isOver = true;
    await world.time.advance(10_000);
    expect(answers.map(({ is }) => is)).toEqual(answers.map(() => 'resolved'));
  });

  it('forty of them ask an API in trouble hardly more often than four', async () => {
    const { world, outage, client } = await out(503);
    const answers = Array.from({ length: 40 }, () => outcome(client.get('/notes', { deadlineMs: MINUTE })));
    await world.time.advance(MINUTE);
    await Promise.all(answers);
    // Each is sent once; then come the burst of ten, and one in five seconds for as long as they wait.
    expect(outage.calls).toBeLessThan(40 + 10 + 14);
  });

  it('fails at its deadline with the last answer of the API', async () => {
    const { world, client } = await out(503);
    const answer = outcome(client.get('/notes', { deadlineMs: 20_000 }));
    await world.time.advance(20_000);
    expect(await answer).toMatchObject({ code: 'http-status', response: { status: 503 } });
  });

  it('is not repeated if that could carry it out twice', async () => {
    const { world, outage, client } = await out('lost');
    const answer = outcome(client.post('/notes', { json: {} }));
    await world.time.advance(MINUTE);
    expect(await answer).toMatchObject({ code: 'server-unavailable' });
    expect(outage.calls).toBe(1);
  });
});
