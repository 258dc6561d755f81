import { describe, expect, it } from 'vitest';
import { MINUTE, watch } from './testing/trouble.ts';
import { createWorld, settle, type World } from './testing/world.ts';

// A 401 is about the token, or it is the endpoint's own. Each mistake costs the user a wait, or an error that a refresh
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
  it('costs no refresh while it accepts the token elsewhere, and no request waits', async () => {
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

  it('costs few refreshes if nothing else is asked for, and holds up no request', async () => {
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

  it('is not affected by the verdicts of another API', async () => {
    const { world, statusOf } = await setUp((_path, token, origin) =>
      origin === api && token === 'access-1' ? 'bare' : 'fine',
    );
    await statusOf('/notes', other);
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('causes a refresh and a second try if its last success is a while ago', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((_path, token) => (isRevoked && token === 'access-1' ? 'bare' : 'fine'));
    await statusOf('/notes');
    isRevoked = true;
    await world.time.advance(10_000);
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('lets other requests go on with the doubted token while the refresh for one request is slow', async () => {
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

describe('an API that answers invalid_token for single items', () => {
  it('costs one refresh a minute while it accepts the token elsewhere, and no other request waits for it', async () => {
    const { world, tab, statusOf } = await setUp((path) => (path.startsWith('/items') ? 'invalid' : 'fine'));
    world.server.delayMs = 6_000;
    await statusOf('/notes');
    for (let item = 0; item < 36; item++) {
      const refused = watch(tab.auth.fetch(`${api}/items/${item}`));
      await settle();
      expect(await isQuick(tab.auth.fetch(`${api}/notes`))).toBe(true);
      await world.time.advance(1_333);
      // The first request waits for its refresh, and so do the requests that come meanwhile.
      expect(refused.is).toBe(item < 4 ? 'pending' : 'resolved');
    }
    expect(world.server.refreshes()).toBe(1);
  });

  it('shows within ten seconds after the last acceptance that the token was revoked', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((path, token) =>
      path.startsWith('/items') || (isRevoked && token === 'access-2') ? 'invalid' : 'fine',
    );
    await statusOf('/notes');
    expect(await statusOf('/items/1')).toBe(401);
    expect(await statusOf('/notes')).toBe(200);
    isRevoked = true;
    await world.time.advance(10_000);
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(2);
  });

  it('ends no session without a refresh token, as long as the API accepts its token elsewhere', async () => {
    const world = createWorld();
    world.server.extra = { refresh_token: undefined, sid: 'session-1', sub: 'user-1' };
    const { tab, statusOf } = await setUp((path) => (path.startsWith('/items') ? 'invalid' : 'fine'), world);
    expect([await statusOf('/notes'), await statusOf('/items/1')]).toEqual([200, 401]);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active' });
  });
});

describe.each(['bare', 'invalid'] as const)('an app that asks for forbidden items only (%s)', (verdict) => {
  const isItem = (path: string): boolean => path.startsWith('/items');

  it('makes fewer and fewer refreshes, each item by another URL', async () => {
    const { world, statusOf } = await setUp((path) => (isItem(path) ? verdict : 'fine'));
    const refreshesWithin = async (minutes: number): Promise<number> => {
      const before = world.server.refreshes();
      for (let item = 0; item < minutes * 20; item++) {
        expect(await statusOf(`/items/${world.time.clock.now().monotonicMs}`)).toBe(401);
        await world.time.advance(3_000);
      }
      return world.server.refreshes() - before;
    };
    expect(await refreshesWithin(20)).toBeLessThan(verdict === 'bare' ? 12 : 28);
    // These come on top of the refreshes that every token costs, because it is renewed before it expires.
    expect(await refreshesWithin(20)).toBeLessThan(verdict === 'bare' ? 10 : 26);
  });

  it('finds out that the token was revoked, within a minute after it was accepted', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((path) => (isItem(path) || isRevoked ? verdict : 'fine'));
    const ask = async (seconds: number, path = ''): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        await statusOf(path || `/items/${world.time.clock.now().monotonicMs}`);
        await world.time.advance(1_000);
      }
    };
    await ask(10 * 60);
    await statusOf('/notes');
    isRevoked = true;
    const before = world.server.refreshes();
    await ask(61, '/notes');
    expect(world.server.refreshes()).toBeGreaterThan(before);
  });

  it('is believed again at once when a refresh has helped', async () => {
    let firstGood = 0;
    const isRevoked = (token: string): boolean => Number(token.split('-')[1]) < firstGood;
    const { world, statusOf } = await setUp((path, token) => (isItem(path) || isRevoked(token) ? verdict : 'fine'));
    for (let second = 0; second < 300; second++) {
      await statusOf(`/items/${second}`);
      await world.time.advance(1_000);
    }
    await world.time.advance(5 * MINUTE);
    firstGood = world.server.refreshes() + 2;
    expect(await statusOf('/notes')).toBe(200);
    await world.time.advance(10_000);
    const before = world.server.refreshes();
    for (let second = 0; second < 20; second++) {
      await statusOf(`/items/again-${second}`);
      await world.time.advance(1_000);
    }
    expect(world.server.refreshes() - before).toBe(2);
  });
});

describe('an explicit invalid_token', () => {
  it('is believed even a moment after the same token was accepted', async () => {
    let isRevoked = false;
    const { world, statusOf } = await setUp((_path, token) => (isRevoked && token === 'access-1' ? 'invalid' : 'fine'));
    await statusOf('/notes');
    isRevoked = true;
    expect(await statusOf('/notes')).toBe(200);
    expect(world.server.refreshes()).toBe(1);
  });

  it('is believed even of an endpoint that has answered its own 401 before', async () => {
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

  it('costs one refresh a minute from an endpoint that says so of every token', async () => {
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

  /** Tokens are JWTs. The API refuses a token whose `iat` is in its future. */
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
    // The sign-in falls inside a second, not on its start.
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
    'by two seconds gets a fresh token again two seconds later, without a refresh (%s)',
    async (verdict) => {
      const { world, tab, calls } = await behind(2_000, verdict);
      const requests = Array.from({ length: 3 }, () => tab.auth.fetch(`${api}/notes`));
      await world.time.advance(3_100);
      expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200]);
      expect([world.server.refreshes(), calls.length]).toEqual([0, 6]);
    },
  );

  it('by more holds its request back for as long as its `Date` says', async () => {
    const { world, tab } = await behind(7_000, 'invalid', true);
    const request = watch(tab.auth.fetch(`${api}/notes`));
    await world.time.advance(6_000);
    expect(request.is).toBe('pending');
    await world.time.advance(2_000);
    expect([request.is, world.server.refreshes()]).toEqual(['resolved', 0]);
  });

  it('causes no wait for a 401 with another reason: the token is refreshed at once', async () => {
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

  it('holds up no other request while one waits', async () => {
    const { world, tab } = await behind(2_000, 'invalid');
    const request = watch(tab.auth.fetch(`${api}/notes`));
    await settle();
    expect(await isQuick(tab.auth.getAccessToken())).toBe(true);
    expect(request.is).toBe('pending');
    await world.time.advance(3_100);
    expect(request.is).toBe('resolved');
  });
});
