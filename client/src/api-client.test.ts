import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient, type ApiClient, type RetryPolicy } from './api-client.ts';
import type { Signal } from './core/ports.ts';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { createWorld, settle } from './testing/world.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;

let resource: Resource | null = null;
afterEach(async () => {
  await resource?.close();
  resource = null;
});

async function setUp(
  respond: (request: SeenRequest, response: ServerResponse, count: number) => void,
  retry: Partial<RetryPolicy> = { baseMs: 0 },
): Promise<{
  readonly api: ApiClient;
  readonly seen: SeenRequest[];
  readonly pass: (ms: number) => Promise<void>;
  readonly signal: (signal: Signal) => void;
}> {
  let count = 0;
  const started = await startResource((request, response) => respond(request, response, ++count));
  resource = started;
  const world = createWorld();
  const { auth, signal } = await world.openSignedInTab({ resources: [started.url] });
  const pass = async (ms: number): Promise<void> => {
    while (started.seen.length === 0) await settle();
    for (let turn = 0; turn < 20; turn++) await settle();
    await world.time.advance(ms);
  };
  return { api: createApiClient({ baseUrl: `${started.url}/v1`, auth, retry }), seen: started.seen, pass, signal };
}

/** Lets simulated back-offs of zero length pass until the request has settled. */
async function finish<T>(promise: Promise<T>, pass: (ms: number) => Promise<void>): Promise<T> {
  const progress = { isSettled: false };
  const settled = promise.finally(() => (progress.isSettled = true));
  settled.catch(() => {});
  while (!progress.isSettled) await pass(1);
  return settled;
}

describe('requests', () => {
  it('send JSON under the base URL with the session, and read JSON', async () => {
    const { api, seen } = await setUp((request, response) => response.end(JSON.stringify({ got: request.body })));
    const answer = await api.post('/notes', { json: { text: 'hi' }, searchParams: { draft: true } }).json();
    expect(answer).toEqual({ got: '{"text":"hi"}' });
    expect(seen[0]).toMatchObject({ method: 'POST', path: '/v1/notes?draft=true', authorization: 'Bearer access-1' });
    expect(seen[0]?.headers['content-type']).toBe('application/json');
  });

  it('a status outside 2xx is an error that keeps the response', async () => {
    const { api } = await setUp((_request, response) => response.writeHead(422).end('{"title":"too long"}'));
    const error = await api.get('/notes').then(
      () => null,
      (reason: { code: string; response: Response }) => reason,
    );
    expect(error?.code).toBe('http-status');
    expect(await error?.response.json()).toEqual({ title: 'too long' });
  });

  it('refuse a base URL that may not receive the token', async () => {
    const { auth } = await createWorld().openSignedInTab();
    expect(() => createApiClient({ baseUrl: 'https://elsewhere.example', auth })).toThrow(TypeError);
  });
});

describe('retries', () => {
  const failTwice = (_request: SeenRequest, response: ServerResponse, count: number): void =>
    void (count <= 2 ? response.writeHead(503).end() : response.end('"ok"'));

  it('a GET is repeated after 503 and succeeds', async () => {
    const { api, seen, pass } = await setUp(failTwice);
    expect(await finish(api.get('/notes').json(), pass)).toBe('ok');
    expect(seen).toHaveLength(3);
  });

  it('a GET is repeated when the connection breaks', async () => {
    const { api, seen, pass } = await setUp((_request, response, count) =>
      count === 1 ? response.destroy() : response.end('"ok"'),
    );
    expect(await finish(api.get('/notes').json(), pass)).toBe('ok');
    expect(seen).toHaveLength(2);
  });

  it('a POST is not repeated: the server may have carried it out', async () => {
    const { api, seen } = await setUp(failTwice);
    await expect(api.post('/notes', { json: {} })).rejects.toMatchObject({ code: 'http-status', isRetryable: true });
    expect(seen).toHaveLength(1);
  });

  it('a POST with an Idempotency-Key is repeated with the same key', async () => {
    const { api, seen, pass } = await setUp(failTwice);
    expect(await finish(api.post('/notes', { json: {}, idempotencyKey: 'k1' }).json(), pass)).toBe('ok');
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['k1', 'k1', 'k1']);
  });

  it('end at the deadline with the last answer', async () => {
    const { api, seen, pass } = await setUp((_request, response) => response.writeHead(503).end());
    const answer = finish(api.get('/notes', { deadlineMs: 3_000 }), pass);
    await expect(answer).rejects.toMatchObject({ code: 'http-status' });
    expect(seen.length).toBeGreaterThan(4);
  });

  it('wait as long as Retry-After says', async () => {
    const { api, seen, pass } = await setUp((_request, response, count) =>
      count === 1 ? response.writeHead(429, { 'retry-after': '7' }).end() : response.end('"ok"'),
    );
    const answer = api.get('/notes').json();
    await pass(6_900);
    expect(seen).toHaveLength(1);
    expect(await finish(answer, pass)).toBe('ok');
  });

  it('hand a Retry-After beyond the cap to the caller', async () => {
    const { api, seen } = await setUp((_request, response) => response.writeHead(503, { 'retry-after': '3600' }).end());
    await expect(api.get('/notes')).rejects.toMatchObject({ code: 'http-status' });
    expect(seen).toHaveLength(1);
  });

  it('offline: a request that is safe to repeat waits for the network and is tried now and then; a POST fails at once', async () => {
    let isOffline = true;
    const { api, seen, pass, signal } = await setUp((_request, response) =>
      isOffline ? response.destroy() : response.end('"ok"'),
    );
    signal('offline');
    const waiting = api.get('/notes').json();
    await expect(api.post('/notes', { json: {} })).rejects.toMatchObject({ code: 'server-unavailable' });
    await pass(60_000);
    expect(seen.length).toBeLessThan(30);
    isOffline = false;
    signal('online');
    expect(await finish(waiting, pass)).toBe('ok');
  });

  it('offline for good: the request fails by its deadline', async () => {
    const { api, pass, signal } = await setUp((_request, response) => response.destroy());
    signal('offline');
    const waiting = api.get('/notes').catch((error: unknown) => error);
    await pass(120_000);
    expect(await waiting).toMatchObject({ code: 'deadline-exceeded', isRetryable: true });
  });

  it('end when the caller aborts', async () => {
    const { api, pass } = await setUp((_request, response) => response.writeHead(503, { 'retry-after': '5' }).end());
    const controller = new AbortController();
    const answer = api.get('/notes', { signal: controller.signal }).catch((error: unknown) => error);
    await pass(100);
    controller.abort(new Error('left the page'));
    expect(await answer).toEqual(new Error('left the page'));
  });
});
