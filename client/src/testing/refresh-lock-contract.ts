import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RefreshLock } from '../core/ports.ts';

/** A tab or process that uses the lock. */
export type RefreshLockHolder = {
  /** Acquires the lock, as `RefreshLock` does. The release function resolves once the lock is released. */
  acquire(waitMs: number, level: number): Promise<(() => Promise<void>) | null>;
};

/** One lock that several tabs or processes use. */
export type SharedRefreshLock = {
  open(): Promise<RefreshLockHolder>;
  close(): Promise<void>;
};

/** Creates a holder in this process. */
export const localHolder = (refreshLock: RefreshLock): RefreshLockHolder => ({
  acquire: async (waitMs, level) => {
    const release = await refreshLock(waitMs, level);
    return release && (() => Promise.resolve(release()));
  },
});

/** Longer than any machine needs: a test that waits this long has failed. */
const LONG_MS = 20_000;

async function acquire(holder: RefreshLockHolder, waitMs = LONG_MS): Promise<() => Promise<void>> {
  const release = await holder.acquire(waitMs, 0);
  if (!release) throw new Error('the lock could not be had');
  return release;
}

/** Lets many holders use the lock as often as they can. Resolves with the largest number of holders at once. */
async function rush(holders: readonly RefreshLockHolder[]): Promise<number> {
  let inside = 0;
  let most = 0;
  const use = async (holder: RefreshLockHolder): Promise<void> => {
    for (let round = 0; round < 8; round++) {
      const release = await acquire(holder);
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      await release();
    }
  };
  await Promise.all(holders.map(use));
  return most;
}

/** Takes three locks and checks that each one blocks only its own level. */
async function expectLocksByLevel(here: RefreshLockHolder, there: RefreshLockHolder): Promise<void> {
  const first = await acquire(here);
  const second = await there.acquire(LONG_MS, 1);
  const third = await here.acquire(LONG_MS, 2);
  expect([second, third].includes(null)).toBe(false);
  expect(await here.acquire(50, 1)).toBeNull();
  await first();
  expect(await there.acquire(50, 2)).toBeNull();
  expect(await here.acquire(50, 1)).toBeNull();
  await second?.();
  const next = await here.acquire(LONG_MS, 1);
  expect(next).not.toBeNull();
  await third?.();
  await next?.();
}

/** The contract of every lock between tabs or processes. `create` makes a free one. */
export function refreshLockContract(name: string, create: () => Promise<SharedRefreshLock>): void {
  describe(`${name} lets one refresh at a time`, () => {
    let refreshLock: SharedRefreshLock;
    let here: RefreshLockHolder;
    let there: RefreshLockHolder;
    beforeEach(async () => {
      refreshLock = await create();
      [here, there] = [await refreshLock.open(), await refreshLock.open()];
    });
    afterEach(() => refreshLock.close());

    it('is acquired at once while it is free', async () => {
      await (
        await acquire(here, 500)
      )();
      await (
        await acquire(there, 500)
      )();
    });

    it('blocks a second holder until the first one has released it', async () => {
      const steps: string[] = [];
      const release = await acquire(here);
      const second = acquire(there).then((releaseSecond) => (steps.push('second in'), releaseSecond()));
      steps.push('first out');
      await release();
      await second;
      expect(steps).toEqual(['first out', 'second in']);
    });

    it('limits the wait, so that a refresh can continue without it, and stays with its holder', async () => {
      const release = await acquire(here);
      expect(await there.acquire(50, 0)).toBeNull();
      expect(await there.acquire(50, 0)).toBeNull();
      await release();
      await (
        await acquire(there)
      )();
    });

    it('is not given to a caller whose wait has ended, so that it stays free for the next one', async () => {
      const release = await acquire(here);
      expect(await there.acquire(20, 0)).toBeNull();
      await release();
      await (
        await acquire(here, 500)
      )();
    });

    it('is released only once by a repeated release', async () => {
      const release = await acquire(here);
      await release();
      const second = await acquire(there);
      await release();
      expect(await here.acquire(50, 0)).toBeNull();
      await second();
    });

    it('has separate locks for the levels 0, 1 and 2, each with one holder', () => expectLocksByLevel(here, there));

    it('never has two holders, also under load', async () => {
      expect(await rush([here, there, await refreshLock.open()])).toBe(1);
    });
  });
}

/** A lock whose holders can be killed without warning. */
export type MortalRefreshLock = {
  open(): Promise<RefreshLockHolder & { kill(): Promise<void> }>;
  close(): Promise<void>;
};

/** The contract of a lock whose holder dies: another process acquires it. */
export function refreshLockDeathContract(name: string, create: () => Promise<MortalRefreshLock>): void {
  describe(`${name} outlives its holder`, () => {
    let refreshLock: MortalRefreshLock;
    beforeEach(async () => {
      refreshLock = await create();
    });
    afterEach(() => refreshLock.close());

    it('is free again after its holder died', async () => {
      const [first, second] = [await refreshLock.open(), await refreshLock.open()];
      await acquire(first);
      const waiting = acquire(second);
      await first.kill();
      await (
        await waiting
      )();
    });

    it('is not given to a process that died waiting for it', async () => {
      const [first, second, third] = [await refreshLock.open(), await refreshLock.open(), await refreshLock.open()];
      const release = await acquire(first);
      // The call rejects because its process was killed.
      const abandoned = second.acquire(LONG_MS, 0).then(
        () => 'answered',
        () => 'gone',
      );
      expect(await third.acquire(50, 0)).toBeNull();
      await second.kill();
      await release();
      await (
        await acquire(third)
      )();
      expect(await abandoned).toBe('gone');
    });
  });
}
