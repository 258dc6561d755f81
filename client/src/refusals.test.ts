import { describe, expect, it } from 'vitest';
import { MINUTE, watch } from './testing/trouble.ts';
import { createWorld, settle, type World } from './testing/world.ts';

// A 401 is about the token, or the endpoint's own. A user pays for each mistake with a wait, or with an error that a refresh
// would have cured.

const api = 'https://api.example.com';
const other = 'https://other.example.com';

type Verdict = 'fine' | 'bare' | 'invalid';

/** An API that judges each request by its path and token. */
async function setUp(judge: (path: string, token: string, origin: string) => Verdict, world = createWorld()) {
  const calls: string[] = [];
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const { pathname, origin } = new URL(new Request(input).url);
    calls.push(pathname);
    const verdict = judge(pathname, new Headers(init?.headers).get('authorization')?.slice(7) ?? '', origin);
    if (verdict === 'fine') return new Response('fine');
    const headers = verdict === 'invalid' ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {};
    return new Response('no', { status: 401, headers: { ...headers, ...dates(world) } });
  };
  let dates: (world: World) => Readonly<Record<string, string>> = () => ({});
  const tab = await world.openSignedInTab({ fetch, resources: [other] });
  const statusOf = async (path: string, origin = api): Promise<number> => (await tab.auth.fetch(origin + path)).status;
  return { world, tab, calls, statusOf, useDates: (next: typeof dates) => void (dates = next) };
}

/** Resolves with `true` if the request is answered at once. */
async function isQuick(request: Promise<unknown>): Promise<boolean> {
  const progress = watch(request);
  await settle();
  return progress.is === 'resolved';
}

describe('an API that answers 401 for single items', () => {
  it('costs no refresh while it accepts the token elsewhere, and nobody waits', async () => {
    const { world, tab, statusOf } = await setUp((path) => (path.startsWith('/items') ? 'bare' : 'fine'));
    world.server.delayMs = 6_000;
    await statusOf('/notes');
    for (let item = 0; item < 36; item++) {
      const refused = statusOf(`/items/${item}`);
      expect(await isQuick(refused)).toBe(true);
      expect(await refused).toBe(401);
      expect(await isQuick(tab.auth.fetch(`${api}/notes`))).toBe(true);
      await world.time.advance(1_333);
    }
    expect(world.server.refreshes()).toBe(0);
  });

  it('costs few where nothing else is asked for, and holds up nobody', async () => {
    const { world, tab, statusOf } = await setUp((path) => (path.startsWith('/items') ? 'bare' : 'fine'));
    world.server.delayMs = 500;
    for (let item = 0; item < 36; item++) {
      const refused = statusOf(`/items/${item}`);
      await settle();
      expect(await isQuick(tab.auth.getAccessToken())).toBe(true);
      await world.time.advance(1_333);
      expect(await refused).toBe(401);
    }
    expect(world.server.refreshes()).toBeLessThan(6);
  });

  it('is not told by what another API says', async () => {
    const { world, statusOf } = await setUp((_path, token, origin) =>
      origin === api && token === 'access-1' ? 'bare' : 'fine',
    );
    await statusOf('/notes', other);
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('a bare 401 a while after the last success is the token’s: it is refreshed and sent again', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((_path, token) => (isRevoked && token === 'access-1' ? 'bare' : 'fine'));
    await statusOf('/notes');
    isRevoked = true;
    await world.time.advance(10_000);
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('while the refresh for one request is slow, all others go on with the token that is doubted', async () => {
    const { world, tab, statusOf } = await setUp((path, token) =>
      path === '/legacy' && token === 'access-1' ? 'bare' : 'fine',
    );
    world.server.delayMs = 6_000;
    const legacy = watch(statusOf('/legacy'));
    await settle();
    expect(await isQuick(tab.auth.fetch(`${api}/notes`))).toBe(true);
    expect(legacy.is).toBe('pending');
    await world.time.advance(6_000);
    expect(legacy.is).toBe('resolved');
  });
});

describe('an explicit invalid_token', () => {
  it('is believed a moment after the same token was accepted', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((_path, token) => (isRevoked && token === 'access-1' ? 'invalid' : 'fine'));
    await statusOf('/notes');
    isRevoked = true;
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('is believed of an endpoint that has answered 401 of its own before', async () => {
    let verdict: Verdict = 'bare';
    const { world, statusOf } = await setUp((_path, token) =>
      verdict === 'invalid' && token !== 'access-2' ? 'fine' : verdict,
    );
    expect(await statusOf('/items')).toBe(401);
    expect(world.server.refreshes()).toBe(1);
    await world.time.advance(MINUTE);
    verdict = 'invalid';
    expect(await statusOf('/items')).toBe(200);
    expect(world.server.refreshes()).toBe(2);
  });

  it('of an endpoint that says so of every token costs a refresh in a minute, not one for each request', async () => {
    const { world, tab, statusOf } = await setUp((path) => (path === '/broken' ? 'invalid' : 'fine'));
    for (let second = 0; second < 600; second++) {
      expect(await statusOf('/broken')).toBe(401);
      expect(await isQuick(tab.auth.fetch(`${api}/notes`))).toBe(true);
      await world.time.advance(1_000);
    }
    expect(world.server.refreshes()).toBeLessThan(14);
  });
});

describe('an API whose clock is behind', () => {
  const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  /** Tokens are JWTs; the API refuses those of its future. */
  async function behind(byMs: number, verdict: Verdict, isDateReadable = false) {
    const world = createWorld();
    const nowMs = (): number => world.time.clock.now().wallMs;
    let serial = 0;
    const extra = () => {
      const iat = Math.floor(nowMs() / 1_000);
      return {
        access_token: `e.${base64url({ iat, exp: iat + 900, jti: ++serial })}.s`,
        sid: 'session-1',
        sub: 'user-1',
      };
    };
    Object.defineProperties(world.server, { extra: { get: extra } });
    // Signed in within a second, not at its beginning.
    await world.time.advance(300);
    const isEarly = (token: string): boolean => {
      const { iat } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iat: number };
      return iat > Math.floor((nowMs() - byMs) / 1_000);
    };
    const built = await setUp((_path, token) => (isEarly(token) ? verdict : 'fine'), world);
    if (isDateReadable) built.useDates(() => ({ date: new Date(nowMs() - byMs).toUTCString() }));
    return built;
  }

  it.each(['bare', 'invalid'] as const)(
    'by two seconds takes a fresh token two seconds later: no refresh (%s)',
    async (verdict) => {
      const { world, tab, calls } = await behind(2_000, verdict);
      const requests = Array.from({ length: 3 }, () => tab.auth.fetch(`${api}/notes`));
      await world.time.advance(3_100);
      expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200]);
      expect([world.server.refreshes(), calls.length]).toEqual([0, 6]);
    },
  );

  it('by more, if it says what time it has, is given that time', async () => {
    const { world, tab } = await behind(7_000, 'invalid', true);
    const request = watch(tab.auth.fetch(`${api}/notes`));
    await world.time.advance(6_000);
    expect(request.is).toBe('pending');
    await world.time.advance(2_000);
    expect([request.is, world.server.refreshes()]).toEqual(['resolved', 0]);
  });

  it('but not: what it refuses for another reason is refreshed at once', async () => {
    const { world, tab, useDates } = await behind(0, 'fine');
    useDates(() => ({ date: new Date(world.time.clock.now().wallMs).toUTCString() }));
    const first = await tab.auth.getAccessToken();
    let refusals = 0;
    const { auth } = world.openTab({
      fetch: async (_input, init) =>
        new Headers(init?.headers).get('authorization')?.endsWith(first)
          ? (refusals++,
            new Response('', {
              status: 401,
              headers: {
                'www-authenticate': 'Bearer error="invalid_token"',
                date: new Date(world.time.clock.now().wallMs).toUTCString(),
              },
            }))
          : new Response('fine'),
    });
    await auth.ready();
    expect(await isQuick(auth.fetch(`${api}/notes`))).toBe(true);
    expect([refusals, world.server.refreshes()]).toEqual([1, 1]);
  });

  it('holds up nobody while its request waits', async () => {
    const { world, tab } = await behind(2_000, 'invalid');
    const request = watch(tab.auth.fetch(`${api}/notes`));
    await settle();
    expect(await isQuick(tab.auth.getAccessToken())).toBe(true);
    expect(request.is).toBe('pending');
    await world.time.advance(3_100);
    expect(request.is).toBe('resolved');
  });
});
