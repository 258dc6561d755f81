import { afterEach, describe, expect, it } from 'vitest';
import { proofSigner } from './runtime/dpop.ts';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { createWorld } from './testing/world.ts';

type Headers = Readonly<Record<string, string>>;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function start(respond: (request: SeenRequest) => readonly [number, Headers?]) {
  const started = await startResource((request, response) => {
    const [status, headers] = respond(request);
    response.writeHead(status, headers).end();
  });
  closers.push(() => started.close());
  return started;
}

/** An API whose `/file` redirects to another party's server, which gives this answer. */
async function setUp(
  status: number,
  headers: Headers,
  more: (request: SeenRequest) => number = () => 200,
  fetch: typeof globalThis.fetch = globalThis.fetch,
) {
  const foreign = await start(() => [status, headers]);
  const api = await start((request) =>
    request.path === '/file' ? [307, { location: `${foreign.url}/x` }] : [more(request)],
  );
  const world = createWorld();
  world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
  const nowMs = (): number => world.time.clock.now().wallMs;
  const signProof = proofSigner(({ atMs, nonce }) => Promise.resolve(`${atMs - nowMs()} ${nonce}`));
  const tab = await world.openSignedInTab({ resources: [api.url], fetch }, { signProof });
  return { world, tab, api, foreign };
}

const invalidToken = { 'www-authenticate': 'DPoP error="invalid_token"' };

describe('an API that redirects to another party’s server: the answer of that server', () => {
  it('sets neither the time nor the nonce of later proofs for the API', async () => {
    const { tab, api, foreign } = await setUp(401, {
      'www-authenticate': 'DPoP error="invalid_dpop_proof"',
      'dpop-nonce': 'foreign',
      date: 'Tue, 01 Jan 2036 00:00:00 GMT',
    });
    expect((await tab.auth.fetch(`${api.url}/file`)).status).toBe(401);
    await tab.auth.fetch(`${api.url}/notes`);
    expect(api.seen.map(({ headers }) => headers['dpop'])).toEqual(['0 null', '0 null']);
    expect(foreign.seen.map(({ authorization }) => authorization)).toEqual([null]);
  });

  it('causes no refresh, and the request is sent once', async () => {
    const { world, tab, api, foreign } = await setUp(401, invalidToken);
    expect((await tab.auth.fetch(`${api.url}/file`, { method: 'POST', body: 'note' })).status).toBe(401);
    expect([api.seen.length, foreign.seen.length, world.server.refreshes()]).toEqual([1, 1, 0]);
  });

  it('fetches no token for the issuer', async () => {
    const { world, tab, api } = await setUp(401, {
      'www-authenticate': 'DPoP error="invalid_token", reason="audience"',
    });
    const resource = 'https://auth.example.com';
    expect((await tab.auth.fetch(`${api.url}/file`, { resource })).status).toBe(401);
    expect([api.seen.length, world.server.refreshes()]).toEqual([1, 0]);
  });

  it('does not count as the API’s acceptance of the token: a 401 of the API causes a refresh', async () => {
    const isNew = ({ authorization }: SeenRequest): boolean => authorization === 'DPoP access-2';
    const { world, tab, api } = await setUp(200, {}, (request) => (isNew(request) ? 200 : 401));
    expect((await tab.auth.fetch(`${api.url}/file`)).status).toBe(200);
    expect((await tab.auth.fetch(`${api.url}/notes`)).status).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('is recognised by its URL alone, where responses have no `redirected` (React Native)', async () => {
    const fetch: typeof globalThis.fetch = async (input, init) =>
      Object.defineProperty(await globalThis.fetch(input, init), 'redirected', { value: undefined });
    const { world, tab, api } = await setUp(401, invalidToken, undefined, fetch);
    expect((await tab.auth.fetch(`${api.url}/file`)).status).toBe(401);
    expect([api.seen.length, world.server.refreshes()]).toEqual([1, 0]);
  });
});

it('a 401 after a redirect within the API causes a refresh, as without a redirect', async () => {
  const api = await start(({ path, authorization }) => {
    if (path === '/old') return [307, { location: '/new' }];
    return authorization === 'Bearer access-2' ? [200] : [401, { 'www-authenticate': 'Bearer error="invalid_token"' }];
  });
  const world = createWorld();
  const tab = await world.openSignedInTab({ resources: [api.url] });
  expect((await tab.auth.fetch(`${api.url}/old`)).status).toBe(200);
  expect(world.server.refreshes()).toBe(1);
});
