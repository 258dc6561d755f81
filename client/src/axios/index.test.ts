import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import axios, { AxiosError, create, isAxiosError, isCancel, type AxiosInstance } from 'axios';
import NodeFormData from 'form-data';
import { afterEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { adopt } from '../optional/adopt.ts';
import { startResource, type SeenRequest } from '../testing/resource.ts';
import { createWorld, settle, type Tab, type World } from '../testing/world.ts';
import { attach } from './index.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;

let resources: Resource[] = [];
afterEach(async () => {
  await Promise.all(resources.map((resource) => resource.close()));
  resources = [];
});

async function start(respond: Parameters<typeof startResource>[0]): Promise<Resource> {
  const resource = await startResource(respond);
  resources.push(resource);
  return resource;
}

const isSecond = (authorization: string | null): boolean => authorization === 'Bearer access-2';

/** Starts a resource server that accepts some tokens, a signed-in tab and an attached instance. */
async function setUp(accepts: (authorization: string | null) => boolean = isSecond) {
  const { url, seen } = await start(({ authorization, headers, body }, response) => {
    if (!accepts(authorization))
      response
        .writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer error="invalid_token"' })
        .end('{"no":"token"}');
    else
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ body, type: headers['content-type'] }));
  });
  const world = createWorld();
  const tab = await world.openSignedInTab({ resources: [url] });
  const client = create({ baseURL: `${url}/v1/` });
  const detach = attach(client, tab.auth);
  return { world, tab, client, detach, url, seen };
}

/** Waits for the event instead of a duration, because real requests take real time. */
async function untilParked(world: World, tab: Tab, parked: number): Promise<void> {
  while (tab.seen('request.parked').length < parked) await settle();
  await world.time.advance(0);
}

const errorOf = (request: Promise<unknown>): Promise<AxiosError> =>
  request.then(
    () => {
      throw new Error('the request succeeded');
    },
    (error: unknown) => error as AxiosError,
  );

const bodies = (seen: readonly SeenRequest[]): string[] =>
  seen.map(({ body }) => body.replaceAll(/--\S*-\S+/gu, 'boundary'));

describe('axios with a session: no request is lost to an expired token', () => {
  it('three parallel requests succeed with one refresh', async () => {
    const { world, client } = await setUp();
    const answers = await Promise.all([client.get('a'), client.get('b'), client.get('c')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('several instances share one refresh', async () => {
    const { world, tab, client, url } = await setUp();
    const other = create();
    attach(other, tab.auth);
    const answers = await Promise.all([client.get('a'), other.get(`${url}/b`), client.get('c'), other.get(`${url}/d`)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a 401 during a refresh joins that refresh', async () => {
    let refuse = (): void => {};
    const { url, seen } = await start(({ path, authorization }, response) => {
      if (isSecond(authorization)) response.end('done');
      else if (path === '/slow') refuse = () => void response.writeHead(401).end();
      else response.writeHead(401).end();
    });
    const world = createWorld();
    const tab = await world.openSignedInTab({ resources: [url] });
    const client = create({ baseURL: url });
    attach(client, tab.auth);
    world.server.delayMs = 1_000;
    const slow = client.get('/slow');
    while (seen.length === 0) await settle();
    const fast = client.get('/fast');
    await untilParked(world, tab, 1);
    refuse();
    await untilParked(world, tab, 2);
    await world.time.advance(2_000);
    expect([(await slow).data, (await fast).data]).toEqual(['done', 'done']);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a request during a refresh is parked and then sent once', async () => {
    const { world, tab, client, seen } = await setUp();
    world.server.delayMs = 1_000;
    const first = client.get('first');
    await untilParked(world, tab, 1);
    const second = client.get('second');
    await untilParked(world, tab, 2);
    await world.time.advance(2_000);
    await Promise.all([first, second]);
    expect(seen.filter(({ path }) => path === '/v1/second')).toHaveLength(1);
  });

  it('a 401 after the refresh is axios’s own error with the response, without a loop', async () => {
    const { world, client, seen } = await setUp(() => false);
    const error = await errorOf(client.get('a'));
    expect(error).toBeInstanceOf(AxiosError);
    expect(error).toMatchObject({ code: AxiosError.ERR_BAD_REQUEST, status: 401, response: { data: { no: 'token' } } });
    expect(seen).toHaveLength(2);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a retry after another user signed in is not sent as that user', async () => {
    const { tab, client, seen } = await setUp(() => true);
    client.interceptors.response.use(async ({ config, status }) => {
      await adopt(tab.auth, { access_token: 'of-another', token_type: 'Bearer', sid: 'session-2', sub: 'user-2' });
      expect(status).toBe(200);
      return client.request(config);
    });
    const error = await errorOf(client.get('a'));
    expect(error.code).toBe('user-changed');
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer access-1']);
  });

  it('interceptors run once for a request that is sent twice', async () => {
    const { client } = await setUp();
    const ran: string[] = [];
    client.interceptors.request.use((config) => (ran.push('request'), config));
    client.interceptors.response.use((response) => (ran.push(`response ${response.status}`), response));
    await client.get('a');
    expect(ran).toEqual(['request', 'response 200']);
  });
});

describe('axios with a session: an upload arrives complete', () => {
  const form = (): FormData => {
    const all = new FormData();
    all.set('note', 'hello');
    all.set('file', new Blob(['bytes']), 'file.txt');
    return all;
  };
  const nodeForm = (): NodeFormData => {
    const all = new NodeFormData();
    all.append('note', 'hello');
    return all;
  };
  const uploads: readonly (readonly [string, string, (client: AxiosInstance) => Promise<unknown>])[] = [
    ['JSON', '{"note":"hello"}', (client) => client.post('a', { note: 'hello' })],
    ['a string', 'hello', (client) => client.put('a', 'hello')],
    ['URLSearchParams', 'note=hello', (client) => client.post('a', new URLSearchParams({ note: 'hello' }))],
    ['FormData', 'bytes', (client) => client.post('a', form())],
    ['a form that axios writes', 'hello', (client) => client.postForm('a', { note: 'hello' })],
    ['a Blob', 'hello', (client) => client.post('a', new Blob(['hello']))],
    ['a Buffer', 'hello', (client) => client.post('a', Buffer.from('hello'))],
    ['an ArrayBuffer', 'hello', (client) => client.post('a', new TextEncoder().encode('hello').buffer)],
    ['FormData with progress', 'bytes', (client) => client.post('a', form(), { onUploadProgress: () => {} })],
    ['a form of the form-data package', 'hello', (client) => client.post('a', nodeForm())],
  ];
  it.each(uploads)('%s is sent again unchanged', async (_name, content, send) => {
    const { client, seen } = await setUp();
    await send(client);
    const [first = '', second] = bodies(seen);
    expect(seen).toHaveLength(2);
    expect(first).toContain(content);
    expect(second).toBe(first);
  });

  const streamForm = (): NodeFormData => {
    const all = new NodeFormData();
    all.append('file', Readable.from([Buffer.from('hello')]), { filename: 'file.txt', knownLength: 5 });
    return all;
  };
  const streams: readonly (readonly [string, () => unknown])[] = [
    ['a Node stream', () => Readable.from([Buffer.from('hel'), Buffer.from('lo')])],
    ['a form with a stream in it', streamForm],
  ];
  it.each(streams)('%s arrives complete', async (_name, body) => {
    const { client, seen } = await setUp(() => true);
    expect((await client.post('a', body())).status).toBe(200);
    expect(bodies(seen)).toEqual([expect.stringContaining('hello')]);
  });

  it.each(streams)('%s is never sent again empty: the caller gets the 401', async (_name, body) => {
    const { client, seen } = await setUp();
    expect(await errorOf(client.post('a', body()))).toMatchObject({ status: 401 });
    expect(bodies(seen)).toEqual([expect.stringContaining('hello')]);
  });

  it('a form of the form-data package keeps its boundary', async () => {
    const { client } = await setUp(() => true);
    const body = nodeForm();
    const { data } = await client.post<{ type: string }>('a', body);
    expect(data.type).toBe(`multipart/form-data; boundary=${body.getBoundary()}`);
  });

  const breaking = (): Readable => {
    const broken = new Readable({ read: () => {} });
    broken.push('hel');
    setImmediate(() => broken.destroy(new Error('the disk is gone')));
    return broken;
  };
  const breakingForm = (): NodeFormData => {
    const all = new NodeFormData();
    all.append('file', breaking(), { knownLength: 5 });
    return all;
  };
  it.each([
    ['a Node stream', breaking],
    ['a form of the form-data package', breakingForm],
  ])('%s that fails during the upload rejects the request', async (_name, body) => {
    const { client } = await setUp(() => true);
    expect(isAxiosError(await errorOf(client.post('a', body())))).toBe(true);
  });

  it('upload progress is reported', async () => {
    const { client } = await setUp(() => true);
    const loaded: number[] = [];
    await client.post('a', 'x'.repeat(1_000), { onUploadProgress: (event) => loaded.push(event.loaded) });
    expect(loaded.at(-1)).toBe(1_000);
  });
});

describe('axios with a session: the caller limits the wait', () => {
  it('a timeout while parked is axios’s own error, and other requests still get the refresh', async () => {
    const { world, tab, client, seen } = await setUp();
    world.server.delayMs = 1_000;
    const first = client.get('first');
    await untilParked(world, tab, 1);
    const error = await errorOf(client.get('second', { timeout: 20 }));
    expect(error).toMatchObject({ code: AxiosError.ECONNABORTED, message: 'timeout of 20ms exceeded' });
    await world.time.advance(2_000);
    expect((await first).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
    expect(seen.filter(({ path }) => path === '/v1/second')).toEqual([]);
  });

  it.each([
    ['an AbortSignal', 'signal'],
    ['a CancelToken', 'cancelToken'],
  ] as const)('%s ends only its own request', async (_name, by) => {
    const { world, tab, client } = await setUp();
    world.server.delayMs = 1_000;
    const controller = new AbortController();
    // oxlint-disable-next-line import/no-named-as-default-member -- the named export is only a type
    const source = axios.CancelToken.source();
    const cancel = by === 'signal' ? { signal: controller.signal } : { cancelToken: source.token };
    const cancelled = errorOf(client.get('a', cancel));
    const other = client.get('b');
    await untilParked(world, tab, 2);
    controller.abort();
    source.cancel();
    const error = await cancelled;
    expect(isCancel(error)).toBe(true);
    await world.time.advance(2_000);
    expect((await other).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });
});

describe('axios with a session: axios’s own features work', () => {
  it('every `responseType`', async () => {
    const { client } = await setUp(() => true);
    const get = async (responseType: 'json' | 'text' | 'arraybuffer' | 'stream'): Promise<unknown> =>
      (await client.get<unknown>('a', { responseType })).data;
    const text = '{"body":""}';
    expect(await get('json')).toEqual({ body: '' });
    expect(JSON.stringify(await get('text'))).toContain('body');
    expect(Buffer.from((await get('arraybuffer')) as ArrayBuffer).toString()).toBe(text);
    const stream = (await get('stream')) as Readable;
    expect(Buffer.concat(await stream.toArray()).toString()).toBe(text);
  });

  it('`baseURL`, `params` and `headers`', async () => {
    const { client, seen } = await setUp(() => true);
    await client.get('a', { params: { q: 'x y' }, headers: { 'X-Trace': '7' } });
    expect(seen[0]).toMatchObject({ path: '/v1/a?q=x+y', headers: { 'x-trace': '7' } });
  });

  it('`validateStatus`, and errors of the network', async () => {
    const { url } = await start((_request, response) => response.writeHead(422).end());
    const world = createWorld();
    const tab = await world.openSignedInTab({ resources: [url] });
    const client = create({ baseURL: url });
    attach(client, tab.auth);
    expect((await client.get('/', { validateStatus: () => true })).status).toBe(422);
    expect(await errorOf(client.get('/'))).toMatchObject({ status: 422, code: AxiosError.ERR_BAD_REQUEST });
    await Promise.all(resources.map((resource) => resource.close()));
    expect(await errorOf(client.get('/'))).toMatchObject({ code: expect.stringMatching(/^ECONN/u) as string });
  });
});

describe('axios with a session: the token', () => {
  it('is not sent to other origins, and does not replace the caller’s own credentials', async () => {
    const { client, url, seen } = await setUp(() => true);
    const other = await start((_request, response) => response.end('public'));
    expect((await client.get(other.url)).data).toBe('public');
    await client.get(`${url}/basic`, { auth: { username: 'a', password: 'b' } });
    expect(other.seen[0]?.authorization).toBeNull();
    expect(seen[0]?.authorization).toBe('Basic YTpi');
  });

  it('is not visible to a logger of errors and responses', async () => {
    const { client } = await setUp(() => false);
    const error = await errorOf(client.post('a', { note: 1 }));
    const { client: another } = await setUp(() => true);
    const answer = await another.get('a');
    // `request` is still accessible by name.
    expect([error.request, answer.request].map(Boolean)).toEqual([true, true]);
    const logged = [error, error.toJSON(), error.config, error.response, answer].map((each) =>
      inspect(each, { depth: 12 }),
    );
    expect(logged.join('\n')).not.toMatch(/access-\d/u);
  });

  it('is not sent along with a redirect to another origin', async () => {
    const other = await start((_request, response) => response.end('public'));
    const { url } = await start((_request, response) => response.writeHead(302, { location: other.url }).end());
    const tab = await createWorld().openSignedInTab({ resources: [url] });
    const client = create({ baseURL: url });
    attach(client, tab.auth);
    expect((await client.get('/')).data).toBe('public');
    expect(other.seen[0]?.authorization).toBeNull();
  });

  it('is not refreshed for a 401 of another origin, to which the API redirects', async () => {
    const refusal = { 'www-authenticate': 'Bearer error="invalid_token"' };
    const other = await start((_request, response) => response.writeHead(401, refusal).end());
    const { url, seen } = await start((_request, response) => response.writeHead(302, { location: other.url }).end());
    const world = createWorld();
    const tab = await world.openSignedInTab({ resources: [url] });
    const client = create({ baseURL: url });
    attach(client, tab.auth);
    expect((await errorOf(client.get('/'))).response?.status).toBe(401);
    expect([seen.length, other.seen.length, world.server.refreshes()]).toEqual([1, 1, 0]);
  });

  it('is missing after a sign-out: no request is sent, and the error has the code `signed-out`', async () => {
    const { tab, client, seen } = await setUp(() => true);
    await tab.auth.signOut();
    const error = await errorOf(client.get('a'));
    expect(error).toBeInstanceOf(AxiosError);
    expect(error.code).toBe('signed-out');
    expect(error.cause).toBeInstanceOf(HoldfastError);
    expect(seen).toEqual([]);
  });

  it('is not sent by a detached instance', async () => {
    const client = create();
    const { adapter } = client.defaults;
    const { tab, url, seen } = await setUp(() => true);
    attach(client, tab.auth)();
    expect(client.defaults).toMatchObject({ adapter });
    await client.get(`${url}/a`);
    expect(seen[0]?.authorization).toBeNull();
  });
});

describe('an API whose clock is behind', () => {
  it('gets a fresh token again once it is valid by the API’s own `Date`, without a refresh, as with `auth.fetch`', async () => {
    const world = createWorld();
    const nowMs = (): number => world.time.clock.now().wallMs;
    const iat = Math.floor(nowMs() / 1_000);
    const claims = Buffer.from(JSON.stringify({ iat, exp: iat + 900 })).toString('base64url');
    world.server.extra = { ...world.server.extra, access_token: `e.${claims}.s` };
    const { url, seen } = await start((_request, response) => {
      const apiMs = nowMs() - 7_000;
      const date = new Date(apiMs).toUTCString();
      if (apiMs < iat * 1_000)
        response.writeHead(401, { date, 'www-authenticate': 'Bearer error="invalid_token"' }).end();
      else response.writeHead(200, { date }).end('fine');
    });
    const tab = await world.openSignedInTab({ resources: [url] });
    const client = create({ baseURL: url });
    attach(client, tab.auth);
    const answer = client.get('/notes');
    await untilParked(world, tab, 1);
    await world.time.advance(8_000);
    expect(await answer).toMatchObject({ status: 200, data: 'fine' });
    expect([world.server.refreshes(), seen.length]).toEqual([0, 2]);
  });
});
