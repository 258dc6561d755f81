import ky, { isHTTPError, isTimeoutError, type KyInstance } from 'ky';
import { afterEach, describe, expect, it } from 'vitest';
import { adopt } from '../optional/adopt.ts';
import { startResource } from '../testing/resource.ts';
import { createWorld, settle, type Tab, type World } from '../testing/world.ts';
import { attach } from './index.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;

let resources: Resource[] = [];
afterEach(async () => {
  await Promise.all(resources.map((resource) => resource.close()));
  resources = [];
});

const isSecond = (authorization: string | null): boolean => authorization === 'Bearer access-2';

/** Starts a resource server that accepts some tokens, a signed-in tab and an attached instance. */
async function setUp(
  accepts: (authorization: string | null) => boolean = isSecond,
  statusOf: (count: number) => number = () => 200,
) {
  let accepted = 0;
  const resource = await startResource(({ authorization, body }, response) => {
    if (!accepts(authorization)) response.writeHead(401).end('refused');
    else response.writeHead(statusOf(++accepted)).end(JSON.stringify({ body }));
  });
  resources.push(resource);
  const world = createWorld();
  const tab = await world.openSignedInTab({ resources: [resource.url] });
  const api = attach(ky.create({ prefix: `${resource.url}/v1`, retry: { delay: () => 1 } }), tab.auth);
  return { world, tab, api, url: resource.url, seen: resource.seen };
}

/** Waits for the event instead of a duration, because real requests take real time. */
async function untilParked(world: World, tab: Tab, parked: number): Promise<void> {
  while (tab.seen('request.parked').length < parked) await settle();
  await world.time.advance(0);
}

const errorOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => {
      throw new Error('the request succeeded');
    },
    (error: unknown) => error,
  );

describe('ky with a session: no request is lost to an expired token', () => {
  it('three parallel requests of two instances succeed with one refresh', async () => {
    const { world, tab, api, url } = await setUp();
    const other = attach(ky, tab.auth);
    const answers = await Promise.all([api.get('a').json(), api.get('b').json(), other.get(`${url}/c`).json()]);
    expect(answers).toEqual([{ body: '' }, { body: '' }, { body: '' }]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a 401 after the refresh is ky’s own error with the response, without a loop', async () => {
    const { world, api, seen } = await setUp(() => false);
    const error = await errorOf(api.get('a'));
    expect(isHTTPError(error) && error.response.status).toBe(401);
    expect(seen).toHaveLength(2);
    expect(world.server.refreshes()).toBe(1);
  });

  it('each of ky’s own retries carries the token', async () => {
    const { world, api, seen } = await setUp(isSecond, (count) => (count === 1 ? 503 : 200));
    expect(await api.get('a').json()).toEqual({ body: '' });
    expect(seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer access-1',
      'Bearer access-2',
      'Bearer access-2',
    ]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a retry after another user signed in is not sent as that user', async () => {
    const { tab, api, seen } = await setUp(
      () => true,
      () => 503,
    );
    const somebodyElse = { access_token: 'access-of-another', token_type: 'Bearer', sid: 'session-2', sub: 'user-2' };
    const another = api.extend({ hooks: { beforeRetry: [() => adopt(tab.auth, somebodyElse)] } });
    expect(await errorOf(another.get('a'))).toMatchObject({ name: 'HoldfastError', code: 'user-changed' });
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer access-1']);
  });

  it('after a sign-out no request is sent or retried, and the error has the code `signed-out`', async () => {
    const { tab, api, seen } = await setUp(() => true);
    await tab.auth.signOut();
    expect(await errorOf(api.get('a'))).toMatchObject({ name: 'HoldfastError', code: 'signed-out' });
    expect(seen).toEqual([]);
  });
});

describe('ky with a session: an upload arrives complete', () => {
  const form = (): FormData => {
    const all = new FormData();
    all.set('note', 'hello');
    return all;
  };
  const uploads: readonly (readonly [string, string, (api: KyInstance) => Promise<unknown>])[] = [
    ['JSON', '{"note":"hello"}', (api) => api.post('a', { json: { note: 'hello' } })],
    ['FormData', 'hello', (api) => api.post('a', { body: form() })],
    ['URLSearchParams', 'note=hello', (api) => api.put('a', { body: new URLSearchParams({ note: 'hello' }) })],
    ['a Blob', 'hello', (api) => api.post('a', { body: new Blob(['hello']) })],
    ['a stream', 'hello', (api) => api.post('a', { body: new Blob(['hello']).stream() })],
  ];
  it.each(uploads)('%s is sent again unchanged', async (_name, content, send) => {
    const { api, seen } = await setUp();
    await send(api);
    const [first = '', second] = seen.map(({ body }) => body.replaceAll(/-{4,}\S+/gu, 'boundary'));
    expect(seen).toHaveLength(2);
    expect(first).toContain(content);
    expect(second).toBe(first);
  });
});

describe('ky with a session', () => {
  it('an abort and a timeout end only their own requests', async () => {
    const { world, tab, api } = await setUp();
    world.server.delayMs = 1_000;
    const controller = new AbortController();
    const first = api.get('first', { timeout: false }).json();
    const aborted = errorOf(api.get('a', { signal: controller.signal }));
    await untilParked(world, tab, 2);
    const timedOut = await errorOf(api.get('b', { timeout: 20 }));
    controller.abort(new Error('left the page'));
    expect(isTimeoutError(timedOut)).toBe(true);
    expect(await aborted).toEqual(new Error('left the page'));
    await world.time.advance(2_000);
    expect(await first).toEqual({ body: '' });
    expect(world.server.refreshes()).toBe(1);
  });

  it('other origins get no token', async () => {
    const { api } = await setUp(() => true);
    const other = await startResource((_request, response) => response.end('public'));
    resources.push(other);
    const outside = api.extend({ prefix: other.url });
    expect(await outside.get('a').text()).toBe('public');
    expect(other.seen[0]?.authorization).toBeNull();
  });
});

describe('ky with a session sends the same request as ky alone', () => {
  const uploads: readonly (readonly [string, (api: KyInstance) => Promise<unknown>])[] = [
    ['JSON', (api) => api.post('a', { json: { note: 'hello' }, searchParams: { q: 'x y' } })],
    ['URLSearchParams', (api) => api.put('a', { body: new URLSearchParams({ note: 'a b' }) })],
    ['a Blob', (api) => api.post('a', { body: new Blob(['hello'], { type: 'text/plain' }) })],
    ['a string', (api) => api.patch('a', { body: 'hello', headers: { 'x-trace': '7' } })],
    ['nothing', (api) => api.get('a', { headers: { accept: 'text/plain' } })],
    ['JSON, with progress', (api) => api.post('a', { json: { note: 'hello' }, onUploadProgress: () => {} })],
  ];
  it.each(uploads)('with %s, also after a 401', async (_name, send) => {
    const { api, url, seen } = await setUp();
    await send(api);
    const alone = await startResource((_request, response) => response.end('{}'));
    resources.push(alone);
    await send(ky.create({ prefix: `${alone.url}/v1` }));
    const comparable = seen.concat(alone.seen).map(({ headers, method, path, body }) => {
      const { authorization: _token, host: _host, ...rest } = headers;
      // The session reads a stream for the second try, so the length of that try is known.
      const { 'transfer-encoding': _coding, 'content-length': _length, ...unframed } = rest;
      return { method, path, body, headers: seen[0]?.headers['transfer-encoding'] ? unframed : rest };
    });
    expect(url).not.toBe(alone.url);
    expect(comparable).toEqual([comparable[2], comparable[2], comparable[2]]);
  });

  it('with the `fetch` of the instance, and the platform’s own options', async () => {
    const { tab, url } = await setUp(() => true);
    const sent: (readonly [string, unknown])[] = [];
    const own: typeof fetch = (input, init) => {
      sent.push([(input as Request).headers.get('authorization') ?? 'none', init]);
      return fetch(input);
    };
    const added = { next: { revalidate: 60 }, cf: { cacheTtl: 5 }, priority: 'low' } as object;
    const api = attach(ky.create({ prefix: `${url}/v1`, fetch: own, ...added }), tab.auth);
    await api.get('a');
    expect(sent).toEqual([['Bearer access-1', expect.objectContaining(added)]]);
  });
});
