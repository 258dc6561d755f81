import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient } from './api-client.ts';
import { sessionPolicy, type SessionPolicy } from './core/policy.ts';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { MINUTE, outcome, watch } from './testing/trouble.ts';
import { createWorld, settle, type World } from './testing/world.ts';

// Limits that an app relies on: how long a request waits, how many wait, and how often one is sent.

const baseUrl = 'https://api.example.com';

/** An API that can be out of reach or in trouble. */
function simulateApi() {
  const control = { mode: 'fine' as 'fine' | 'unreachable' | 'in trouble', calls: 0 };
  const fetch = (): Promise<Response> => {
    control.calls += 1;
    if (control.mode === 'unreachable') return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve(control.mode === 'fine' ? new Response('"ok"') : new Response('', { status: 503 }));
  };
  return Object.assign(control, { fetch });
}

/** A signed-in tab without a network. */
async function inTunnel(policy: Partial<SessionPolicy> = {}) {
  const world = createWorld();
  const api = simulateApi();
  const tab = await world.openSignedInTab({ fetch: api.fetch, policy: sessionPolicy(policy) });
  api.mode = 'unreachable';
  tab.signal('offline');
  return { world, api, tab, client: createApiClient({ baseUrl, auth: tab.auth, retry: { baseMs: 0 } }) };
}

describe('while the session cannot be read', () => {
  const locked = (world: World) => ({ vault: { ...world.vault, read: () => Promise.reject(new Error('locked')) } });

  it('a request fails by its deadline, by its abort, or when too many wait', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ policy: sessionPolicy({ parkedRequestsMax: 2 }) }, locked(world));
    const client = createApiClient({ baseUrl, auth });
    const controller = new AbortController();
    const aborted = outcome(client.get('/me', { signal: controller.signal }));
    const late = outcome(client.get('/me', { deadlineMs: MINUTE }));
    await settle();
    expect(await outcome(client.get('/me'))).toMatchObject({ code: 'queue-full', isRetryable: true });
    controller.abort(new Error('left the page'));
    expect(await aborted).toEqual(new Error('left the page'));
    await world.time.advance(MINUTE);
    expect(await late).toMatchObject({ code: 'deadline-exceeded', isRetryable: true });
  });
});

describe('offline', () => {
  it('requests are parked where the app can see them, up to the limit', async () => {
    const { tab, client } = await inTunnel({ parkedRequestsMax: 3 });
    const waiting = Array.from({ length: 3 }, () => watch(client.get('/notes')));
    await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({ parkedRequests: 3 });
    expect(await outcome(client.get('/notes'))).toMatchObject({ code: 'queue-full' });
    expect(waiting.map(({ is }) => is)).toEqual(['pending', 'pending', 'pending']);
  });

  it('a network that comes and goes does not restart the wait', async () => {
    const { world, tab, client } = await inTunnel();
    const waiting = watch(client.get('/notes'));
    for (let passed = 0; passed < 140; passed += 20) {
      await world.time.advance(20_000);
      tab.signal('online');
      await settle();
      tab.signal('offline');
      await settle();
    }
    expect(waiting.is).toBe('rejected');
  });

  it('a parked request is sent once when the network is back', async () => {
    const { api, tab, client } = await inTunnel();
    const waiting = client.get('/notes').json();
    await settle();
    api.mode = 'fine';
    const before = api.calls;
    tab.signal('online');
    expect(await waiting).toBe('ok');
    expect(api.calls).toBe(before + 1);
  });

  it('a sign-out fails the parked requests, and so does dispose()', async () => {
    const first = await inTunnel();
    const left = outcome(first.client.get('/notes'));
    await settle();
    await first.tab.auth.signOut();
    expect(await left).toMatchObject({ code: 'signed-out' });
    const second = await inTunnel();
    const disposed = outcome(second.client.get('/notes'));
    await settle();
    second.tab.auth.dispose();
    expect(await disposed).toMatchObject({ code: 'disposed' });
  });
});

describe('an API in trouble', () => {
  it('gets a tenth more requests and one in five seconds, not three times as many', async () => {
    const world = createWorld();
    const api = simulateApi();
    const { auth } = await world.openSignedInTab({ fetch: api.fetch });
    const client = createApiClient({ baseUrl, auth, retry: { baseMs: 0, budget: 10 } });
    const ask = async (times: number): Promise<number> => {
      const before = api.calls;
      for (let call = 0; call < times; call++) {
        const answer = outcome(client.get('/notes', { deadlineMs: 10 }));
        await world.time.advance(10);
        await answer;
      }
      return api.calls - before;
    };
    api.mode = 'in trouble';
    expect(await ask(100)).toBe(110);
    api.mode = 'fine';
    expect(await ask(50)).toBe(50);
    api.mode = 'in trouble';
    // Five come from the fifty successes, the rest from the two and a half seconds that all this took.
    expect(await ask(100)).toBe(105);
  });

  it('is not asked again after a wait that would outlast the deadline', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({
      fetch: () => Promise.resolve(new Response('', { status: 503, headers: { 'retry-after': '8' } })),
    });
    const client = createApiClient({ baseUrl, auth, deadlineMs: 5_000 });
    const answer = outcome(client.get('/notes'));
    await settle();
    expect(await answer).toMatchObject({ code: 'http-status', response: { status: 503 } });
  });
});

describe('a request', () => {
  let resource: Awaited<ReturnType<typeof startResource>> | null = null;
  afterEach(async () => {
    await resource?.close();
    resource = null;
  });

  async function setUp(statuses: readonly number[]) {
    const seen: SeenRequest[] = [];
    const started = await startResource((request, response) => {
      response.writeHead(statuses[seen.push(request) - 1] ?? 200).end();
    });
    resource = started;
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [started.url] });
    const client = createApiClient({ baseUrl: `${started.url}/v1`, auth, retry: { baseMs: 0 } });
    /** Lets back-offs of zero length pass until the request has settled. */
    const finish = async (request: Promise<unknown>): Promise<unknown> => {
      const progress = watch(request);
      while (progress.is === 'pending') {
        await settle();
        await world.time.advance(1);
      }
      return outcome(request);
    };
    return { client, seen, finish };
  }

  const stream = (): ReadableStream => new Blob(['hello']).stream();

  it('sends a stream once: after a 503 or a 401 its error is the caller’s', async () => {
    for (const status of [503, 401]) {
      const { client, seen, finish } = await setUp([status]);
      expect(await finish(client.put('/upload', { body: stream() }))).toMatchObject({ response: { status } });
      expect(seen.map(({ body }) => body)).toEqual(['hello']);
      await resource?.close();
    }
  });

  it('sends a stream that can be made anew as often as it takes', async () => {
    const { client, seen, finish } = await setUp([503, 401]);
    expect(await finish(client.put('/upload', { body: stream }))).toBe('resolved');
    expect(seen.map(({ body, authorization }) => [body, authorization])).toEqual([
      ['hello', 'Bearer access-1'],
      ['hello', 'Bearer access-1'],
      ['hello', 'Bearer access-2'],
    ]);
  });

  it('stays below the base URL, also if its path looks like another URL', async () => {
    const { client, seen } = await setUp([]);
    await client.get('user:42');
    await client.get('https://elsewhere.example/x');
    expect(seen.map(({ path }) => path)).toEqual(['/v1/user:42', '/v1/https://elsewhere.example/x']);
  });

  it('rejects like any other error if it cannot be sent', async () => {
    const { client, seen } = await setUp([]);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(await outcome(client.post('/notes', { json: circular }))).toBeInstanceOf(TypeError);
    expect(seen).toEqual([]);
    expect(await outcome(client.get('/empty').json())).toMatchObject({ code: 'protocol' });
  });
});
