import { describe, expect, it } from 'vitest';
import { defaultPolicy } from './core/policy.ts';
import type { RefreshLock } from './core/ports.ts';
import { createWorld, type Tab, type World } from './testing/world.ts';

// Many tabs, and a token endpoint that takes longer than tabs wait for their lock. The server counts every extra
// request.

const SECOND = 1_000;
/** The tokens live for 15 minutes. All tabs draw the same jitter, so all of them want a refresh in the same moment. */
const DUE = 630 * SECOND;
const SLOW = 4 * SECOND;
const TABS = 40;

/** Tabs of one signed-in user, a moment before their token is due. */
async function openTabs(world: World, refreshLock?: RefreshLock, count = TABS): Promise<Tab[]> {
  const ports = refreshLock && { refreshLock };
  (await world.openSignedInTab({}, ports)).auth.dispose();
  const tabs = Array.from({ length: count }, () => world.openTab({}, ports));
  await Promise.all(tabs.map(({ auth }) => auth.ready()));
  await world.time.advance(DUE - 1);
  world.server.delayMs = SLOW;
  return tabs;
}

const tokensOf = async (tabs: readonly Tab[]): Promise<ReadonlySet<string>> =>
  new Set(await Promise.all(tabs.map(({ auth }) => auth.getAccessToken())));

const isRefreshing = ({ auth }: Tab): boolean => {
  const snapshot = auth.getSnapshot();
  return snapshot.status === 'active' && snapshot.isRefreshing;
};

describe('a refresh that takes longer than tabs wait for the lock', () => {
  it('costs two requests in 40 tabs, and every tab has the token as soon as the first answer is stored', async () => {
    const world = createWorld();
    const tabs = await openTabs(world);
    await world.time.advance(SLOW + 10);
    expect(world.server.refreshes()).toBe(2);
    expect(tabs.filter(isRefreshing)).toHaveLength(1);
    expect(await tokensOf(tabs)).toEqual(new Set(['access-2']));
    await world.time.advance(60 * SECOND);
    expect(world.server.refreshes()).toBe(2);
    expect((await tokensOf(tabs)).size).toBe(1);
    // Each refresh that was not needed reports an adoption.
    expect(tabs.flatMap((tab) => tab.seen('refresh.adopted'))).toHaveLength(TABS - 1);
  });

  it('costs one more request if the tab that holds the lock is killed', async () => {
    const world = createWorld();
    const tabs = await openTabs(world);
    await world.time.advance(SECOND);
    const holder = tabs.find((tab) => tab.seen('refresh.sent').length > 0);
    holder?.auth.dispose();
    const others = tabs.filter((tab) => tab !== holder);
    await world.time.advance(60 * SECOND);
    expect(world.server.refreshes()).toBe(3);
    expect((await tokensOf(others)).size).toBe(1);
  });

  it('costs one more request for each frozen holder, and the others wait a bounded time', async () => {
    const world = createWorld();
    const frozen = new Set([0, 1]);
    const locks = simulateLocks();
    const held: RefreshLock = (waitMs, level) => {
      if (!frozen.has(level)) return locks(waitMs, level);
      return new Promise((resolve) => void world.time.clock.wake(waitMs, () => resolve(null)));
    };
    const tabs = await openTabs(world, held);
    await world.time.advance(18 * SECOND);
    expect(world.server.refreshes()).toBe(0);
    await world.time.advance(SLOW + 10);
    expect(await tokensOf(tabs)).toEqual(new Set(['access-2']));
    // The frozen tabs would send two more requests.
    expect(world.server.refreshes()).toBe(1);
  });
});

/** Locks that are free at once. Each has one holder at a time, in order. */
function simulateLocks(): RefreshLock {
  const tails: Promise<void>[] = [];
  return (_waitMs, level) =>
    new Promise((resolve) => {
      tails[level] = (tails[level] ?? Promise.resolve()).then(() => new Promise<void>((release) => resolve(release)));
    });
}

describe('the locks of one refresh', () => {
  it('are nine, one after the other; after them the refresh goes ahead without a lock', async () => {
    const world = createWorld();
    const asked: [number, number][] = [];
    const refreshLock: RefreshLock = (waitMs, level) => {
      asked.push([level, waitMs]);
      return new Promise((resolve) => void world.time.clock.wake(waitMs, () => resolve(null)));
    };
    const [tab] = await openTabs(world, refreshLock, 1);
    const { lockWaitMs, responseDeadlineMs } = defaultPolicy;
    const later = Array.from({ length: 8 }, (_, at) => [at + 1, responseDeadlineMs]);
    const waitMs = lockWaitMs + 8 * responseDeadlineMs;
    await world.time.advance(waitMs);
    expect(asked).toEqual([[0, lockWaitMs], ...later]);
    expect(tab?.seen('refresh.sent')).toEqual([]);
    await world.time.advance(2);
    expect(tab?.seen('refresh.locked').map(({ waitedMs }) => waitedMs)).toEqual([waitMs]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('cost no time where the platform has none', async () => {
    const world = createWorld();
    const [tab] = await openTabs(world, () => Promise.resolve(null), 1);
    await world.time.advance(1);
    expect(tab?.seen('refresh.locked').map(({ waitedMs }) => waitedMs)).toEqual([0]);
    expect(world.server.refreshes()).toBe(1);
  });

  it('are released also if one comes late', async () => {
    const world = createWorld();
    const released: string[] = [];
    // The lock is granted after the port's time is over, while the request is under way.
    const refreshLock: RefreshLock = (_waitMs, level) =>
      new Promise((resolve) => {
        world.time.clock.wake(8 * SECOND, () => resolve(() => void released.push(`lock ${level}`)));
      });
    const [tab] = await openTabs(world, refreshLock, 1);
    await world.time.advance(9 * SECOND);
    expect(tab?.seen('refresh.sent')).toHaveLength(1);
    expect(released).toEqual([]);
    await world.time.advance(10 * SECOND);
    expect(tab?.seen('refresh.succeeded')).toHaveLength(1);
    expect(released).toEqual(['lock 0']);
  });
});

describe("another tab's token that comes while a refresh waits for its lock", () => {
  it('does not replace the user’s request: the session is extended', async () => {
    const world = createWorld();
    const [first, second] = await openTabs(world, undefined, 2);
    await world.time.advance(SECOND);
    const waiting = [first, second].find((tab) => tab?.seen('refresh.sent').length === 0);
    waiting?.auth.extend();
    await world.time.advance(60 * SECOND);
    expect(waiting?.seen('refresh.sent').map(({ isUserActive }) => isUserActive)).toEqual([true]);
    expect(world.server.refreshes()).toBe(2);
  });

  it('serves the requests that were parked for it before the lock is free', async () => {
    const world = createWorld();
    // The second lock is never free, so only the news can help.
    const locks = simulateLocks();
    const refreshLock: RefreshLock = (waitMs, level) =>
      level === 0 ? bounded(world, locks, waitMs) : new Promise(() => {});
    const tabs = await openTabs(world, refreshLock, 3);
    await world.time.advance(SLOW + 10);
    expect(world.server.refreshes()).toBe(1);
    expect(tabs.some(isRefreshing)).toBe(false);
    expect(await tokensOf(tabs)).toEqual(new Set(['access-2']));
  });
});

/** Waits for the first lock for `waitMs` at most. */
function bounded(world: World, locks: RefreshLock, waitMs: number): ReturnType<RefreshLock> {
  return new Promise((resolve) => {
    let isOver = false;
    world.time.clock.wake(waitMs, () => {
      isOver = true;
      resolve(null);
    });
    void locks(waitMs, 0).then((release) => (isOver ? release?.() : resolve(release)));
  });
}

describe('a service that is disposed of', () => {
  it('tells the port that it no longer needs the lock it waits for', async () => {
    const world = createWorld();
    const signals: Parameters<RefreshLock>[2][] = [];
    const refreshLock: RefreshLock = (_waitMs, _level, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const { auth } = await world.openSignedInTab({}, { refreshLock });
    await world.time.advance(DUE);
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    auth.dispose();
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });
});
