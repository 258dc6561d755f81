import { afterEach, describe, expect, it } from 'vitest';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { MINUTE, watch } from './testing/trouble.ts';
import { createWorld, settle, type World } from './testing/world.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;

let resource: Resource | null = null;
afterEach(async () => {
  await resource?.close();
  resource = null;
});

/** A resource server that accepts only `accepted` tokens, and a signed-in tab that may send to it. */
async function setUp(accepts: (authorization: string | null) => boolean, refusal = 'Bearer error="invalid_token"') {
  const started = await startResource(({ authorization, body }, response) => {
    if (accepts(authorization)) response.end(`done ${body}`);
    else response.writeHead(401, refusal === '' ? {} : { 'www-authenticate': refusal }).end('refused');
  });
  resource = started;
  const world = createWorld();
  const tab = await world.openSignedInTab({ resources: [started.url] });
  return { world, tab, url: `${started.url}/notes`, seen: started.seen };
}

const authorizations = (seen: readonly SeenRequest[]): (string | null)[] =>
  seen.map(({ authorization }) => authorization);

describe('a 401 is refreshed away once', () => {
  it('20 parallel requests with a refused token: one refresh, 20 successes, each sent twice at most', async () => {
    const { world, tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    const responses = await Promise.all(Array.from({ length: 20 }, () => tab.auth.fetch(url)));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(world.server.refreshes()).toBe(1);
    expect(seen.length).toBeLessThanOrEqual(40);
  });

  it('a 401 for a token that was replaced meanwhile leads to a second try at once, without a refresh', async () => {
    let refuseSlowRequest = (): void => {};
    const started = await startResource(({ path, authorization }, response) => {
      if (authorization === 'Bearer access-2') response.end();
      else if (path === '/slow') refuseSlowRequest = () => void response.writeHead(401).end();
      else response.writeHead(401).end();
    });
    resource = started;
    const world = createWorld();
    const tab = await world.openSignedInTab({ resources: [started.url] });
    const slow = tab.auth.fetch(`${started.url}/slow`);
    while (started.seen.length === 0) await settle();
    expect((await tab.auth.fetch(`${started.url}/fast`)).status).toBe(200);
    refuseSlowRequest();
    expect((await slow).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a 401 after the refresh goes to the caller, and there is no loop', async () => {
    const { world, tab, url, seen } = await setUp(() => false);
    expect((await tab.auth.fetch(url)).status).toBe(401);
    expect(authorizations(seen)).toEqual(['Bearer access-1', 'Bearer access-2']);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a 401 for another reason than the token goes to the caller', async () => {
    const { world, tab, url } = await setUp(() => false, 'Bearer error="insufficient_scope"');
    expect((await tab.auth.fetch(url)).status).toBe(401);
    expect(world.server.refreshes()).toBe(0);
  });

  it('a valid token for another audience is not refreshed: the next one would be for that audience as well', async () => {
    const refusal = 'Bearer error="invalid_token", error_description="For another", reason="audience"';
    const { world, tab, url, seen } = await setUp(() => false, refusal);
    expect((await tab.auth.fetch(url)).status).toBe(401);
    expect(authorizations(seen)).toEqual(['Bearer access-1']);
    expect(world.server.refreshes()).toBe(0);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', isRefreshing: false });
  });

  it('a resource that requires a fresh authentication gets it, while other requests go on', async () => {
    const challenge = 'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=300';
    const { world, tab, url } = await setUp((authorization) => authorization === 'Bearer access-2', challenge);
    const sensitive = tab.auth.fetch(url);
    while (tab.seen('reauthentication.required').length === 0) await settle();
    expect(tab.auth.getSnapshot()).toMatchObject({
      status: 'active',
      stepUp: { stage: 'password', acrValues: 'aal2', maxAgeSeconds: 300 },
    });
    expect(await tab.auth.getAccessToken()).toBe('access-1');
    // The user has to find the security key first.
    await world.time.advance(200_000);
    await tab.auth.signIn({ username: 'ada', password: 'secret' });
    expect((await sensitive).status).toBe(200);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', stepUp: null });
    expect(world.server.requests.find((form) => form.has('password'))?.has('max_age')).toBe(false);
    expect(world.server.requests.findLast((form) => form.has('password'))?.get('max_age')).toBe('300');
  });

  it('a declined step-up hands the 401 to the caller, and the session stays', async () => {
    const { tab, url } = await setUp(() => false, 'Bearer error="insufficient_user_authentication"');
    const sensitive = tab.auth.fetch(url);
    while (tab.seen('reauthentication.required').length === 0) await settle();
    tab.auth.declineReauthentication();
    expect((await sensitive).status).toBe(401);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', stepUp: null });
  });

  it('a 401 without a challenge leads to a refresh: many APIs send none', async () => {
    const { tab, url } = await setUp((authorization) => authorization === 'Bearer access-2', '');
    expect((await tab.auth.fetch(url)).status).toBe(200);
  });

  it('an answer of the API confirms a session that was only restored', async () => {
    const { world, tab, url } = await setUp(() => true);
    tab.auth.dispose();
    const relaunched = world.openTab({ resources: [url] });
    expect(await relaunched.auth.ready()).toMatchObject({ freshness: 'restored' });
    await relaunched.auth.fetch(url);
    expect(relaunched.auth.getSnapshot()).toMatchObject({ freshness: 'verified' });
  });

  it('a 403 leads to no refresh', async () => {
    resource = await startResource((_request, response) => response.writeHead(403).end());
    const world = createWorld();
    const tab = await world.openSignedInTab({ resources: [resource.url] });
    expect((await tab.auth.fetch(resource.url)).status).toBe(403);
    expect(world.server.refreshes()).toBe(0);
  });
});

describe('a second try sends the same request', () => {
  const bodies: readonly (readonly [string, () => BodyInit])[] = [
    ['a string', () => 'hello'],
    ['URLSearchParams', () => new URLSearchParams({ a: '1' })],
    [
      'FormData',
      () => {
        const form = new FormData();
        form.set('note', 'hello');
        return form;
      },
    ],
    ['a Blob', () => new Blob(['hello'])],
    ['bytes', () => new TextEncoder().encode('hello')],
  ];

  it.each(bodies)('%s', async (_name, body) => {
    const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    const response = await tab.auth.fetch(url, { method: 'POST', body: body() });
    expect(response.status).toBe(200);
    const contents = seen.map(({ body: sent }) => sent.replaceAll(/-{4,}\S+/gu, 'boundary'));
    expect(contents).toHaveLength(2);
    expect(contents[0]).toBe(contents[1]);
    expect(contents[0]).not.toBe('');
  });

  it('a Request keeps its body, headers and method', async () => {
    const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    const request = new Request(url, { method: 'PUT', body: 'hello', headers: { 'x-trace': '7' } });
    expect((await tab.auth.fetch(request)).status).toBe(200);
    expect(seen.map(({ method, body, headers }) => [method, body, headers['x-trace']])).toEqual([
      ['PUT', 'hello', '7'],
      ['PUT', 'hello', '7'],
    ]);
  });

  it('a stream is sent once and never as an empty body: the 401 goes to the caller', async () => {
    const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    const stream = new Blob(['hello']).stream();
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: stream, duplex: 'half' };
    expect((await tab.auth.fetch(url, init)).status).toBe(401);
    expect(seen.map(({ body }) => body)).toEqual(['hello']);
  });

  it('a stream waits for a fresh token if the current one is about to expire', async () => {
    const { world, tab, url, seen } = await setUp(() => true);
    world.server.answers.push('network-error');
    await world.time.advance(10.5 * 60_000);
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      body: new Blob(['hello']).stream(),
      duplex: 'half',
    };
    const sent = tab.auth.fetch(url, init);
    await world.time.advance(1_000);
    expect((await sent).status).toBe(200);
    expect(authorizations(seen)).toEqual(['Bearer access-2']);
  });
});

/** A dispatcher, with which Node sends requests. It notes their paths. */
function dispatcherOf(used: string[]) {
  type Dispatcher = { readonly dispatch: (options: { readonly path: string }, handler: unknown) => boolean };
  const dispatch: Dispatcher['dispatch'] = (options, handler) => {
    used.push(options.path);
    const node = Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1')) as Dispatcher;
    return node.dispatch(options, handler);
  };
  return { dispatch };
}

describe('a Request as input', () => {
  it('members that a platform adds reach fetch at every try, so a proxy and a client certificate are used', async () => {
    const { url } = await setUp((authorization) => authorization === 'Bearer access-2');
    const passed: unknown[] = [];
    const added = { dispatcher: dispatcherOf([]), next: { tags: ['notes'] }, cf: { cacheTtl: 5 }, priority: 'low' };
    const tab = await createWorld().openSignedInTab({
      resources: [url],
      fetch: (input, init) => (passed.push(init), fetch(input)),
    });
    const response = await tab.auth.fetch(new Request(url), {
      ...added,
      userEpoch: tab.auth.userEpoch(),
    } as RequestInit);
    expect(response.status).toBe(200);
    expect(passed).toEqual([expect.objectContaining(added), expect.objectContaining(added)]);
  });

  it.each([
    ['without a body', {}, ['', '']],
    ['with a body', { method: 'POST', body: 'hello' }, ['hello 5', 'hello 5']],
  ] as const)(
    'keeps the dispatcher that it was made with at every try: a proxy and a client certificate are used (%s)',
    async (_name, init, sent) => {
      const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
      const used: string[] = [];
      const dispatcher = dispatcherOf(used);
      const request = new Request(url, { ...init, dispatcher, referrer: 'about:client' } as RequestInit);
      expect((await tab.auth.fetch(request)).status).toBe(200);
      expect(used).toEqual(['/notes', '/notes']);
      // The body has its length, as `fetch` sends it, and is not sent in chunks.
      expect(seen.map(({ body, headers }) => `${body} ${headers['content-length'] ?? ''}`.trim())).toEqual(sent);
    },
  );

  it('members that a framework adds (`next`, `cf`) reach fetch at every try', async () => {
    const { url } = await setUp(() => false);
    const passed: unknown[] = [];
    const tab = await createWorld().openSignedInTab({
      resources: [url],
      fetch: (input, init) => (passed.push(init), fetch(input)),
    });
    const own = { next: { tags: ['notes'] }, cf: { cacheTtl: 5 } };
    await tab.auth.fetch(Object.assign(new Request(url), own));
    expect(passed).toEqual([own, own]);
  });

  it('is not sent again for a user who has left while its body was read', async () => {
    const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    let finish = (): void => {};
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode('hello'));
        finish = () => controller.close();
      },
    });
    const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    const early: typeof fetch = async (input) => {
      expect(input).toBeInstanceOf(Request);
      seen.length += 1;
      return new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
    };
    const answer = tab.auth.fetch(new Request(url, init), { fetch: early });
    while (tab.seen('request.resent').length === 0) await settle();
    await tab.auth.signOut();
    finish();
    await expect(answer).rejects.toMatchObject({ code: 'signed-out' });
    expect(seen).toHaveLength(1);
  });

  it('is overridden by `init`, as in fetch, and stays unchanged', async () => {
    const { tab, url, seen } = await setUp((authorization) => authorization === 'Bearer access-2');
    const request = new Request(url, { method: 'POST', headers: { 'x-trace': '1', 'x-first': '1' }, body: 'first' });
    await tab.auth.fetch(request, { method: 'PUT', headers: { 'x-trace': '2' }, body: 'second' });
    for (const each of seen) {
      expect(each).toMatchObject({ method: 'PUT', body: 'second', headers: { 'x-trace': '2' } });
      expect(each.headers).not.toHaveProperty('x-first');
    }
    expect(seen).toHaveLength(2);
  });
});

describe('where the token goes', () => {
  it('other origins get no token, and no session is needed to reach them', async () => {
    const { tab, seen } = await setUp(() => true);
    const other = await startResource((_request, response) => response.end('public'));
    const response = await tab.auth.fetch(other.url);
    expect(await response.text()).toBe('public');
    expect(authorizations(other.seen)).toEqual([null]);
    expect(seen).toEqual([]);
    await other.close();
  });

  it('an Authorization header of the caller is left alone', async () => {
    const { tab, url, seen } = await setUp(() => true);
    await tab.auth.fetch(url, { headers: { authorization: 'Basic xyz' } });
    await tab.auth.fetch(new Request(url, { headers: { authorization: 'Basic abc' } }));
    expect(authorizations(seen)).toEqual(['Basic xyz', 'Basic abc']);
  });

  it('a request without a session is not sent, and the error says so', async () => {
    const { tab, url, seen } = await setUp(() => true);
    await tab.auth.signOut();
    await expect(tab.auth.fetch(url)).rejects.toMatchObject({ code: 'signed-out', isRetryable: false });
    expect(seen).toEqual([]);
  });

  it('an aborted caller gets its own reason, and the refresh goes on for the others', async () => {
    const { world, tab, url } = await setUp((authorization) => authorization === 'Bearer access-2');
    world.server.delayMs = 1_000;
    const controller = new AbortController();
    const aborted = tab.auth.fetch(url, { signal: controller.signal }).catch((error: unknown) => error);
    const other = tab.auth.fetch(url);
    await untilParked(world, tab, 2);
    controller.abort(new Error('left the page'));
    await world.time.advance(2_000);
    expect(await aborted).toEqual(new Error('left the page'));
    expect((await other).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });
});

/** Real requests take real time. This waits for an event, and not for a time. */
async function untilParked(world: World, tab: ReturnType<World['openTab']>, parked: number): Promise<void> {
  while (tab.seen('request.parked').length < parked) await settle();
  await world.time.advance(0);
}

describe('a request has one deadline for all its waits', () => {
  it('which the wait before it was sent and the wait after its 401 share', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    await world.time.advance(20 * MINUTE);
    world.server.delayMs = 6_000;
    let tries = 0;
    const fetch = (): Promise<Response> => {
      tries++;
      return Promise.resolve(
        new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }),
      );
    };
    const { auth } = world.openTab({ fetch });
    const request = watch(auth.fetch('https://api.example.com/notes', { deadlineMs: 10_000 }));
    await world.time.advance(9_999);
    expect([tries, request.is]).toEqual([1, 'pending']);
    await world.time.advance(1);
    expect([tries, request.is]).toEqual([1, 'rejected']);
  });

  it('which the response time of the API does not count against', async () => {
    const world = createWorld();
    const { clock } = world.time;
    let tries = 0;
    const fetch = async (): Promise<Response> => {
      await new Promise<void>((resolve) => void clock.wake(60_000, resolve));
      return new Response('', { status: ++tries > 1 ? 200 : 401 });
    };
    const { auth } = await world.openSignedInTab({ fetch });
    world.server.delayMs = 4_000;
    const request = watch(auth.fetch('https://api.example.com/notes', { deadlineMs: 10_000 }));
    await world.time.advance(3 * MINUTE);
    expect([tries, request.is]).toEqual([2, 'resolved']);
  });
});
