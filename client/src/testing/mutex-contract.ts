import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Mutex } from '../core/ports.ts';

/** A tab or process that uses the lock. */
export type MutexHolder = {
  /** As `Mutex`; the release resolves once it is done. */
  acquire(waitMs: number, level: number): Promise<(() => Promise<void>) | null>;
};

/** One lock that several tabs or processes use. */
export type SharedMutex = {
  open(): Promise<MutexHolder>;
  close(): Promise<void>;
};

/** A holder in this process. */
export const localHolder = (mutex: Mutex): MutexHolder => ({
  acquire: async (waitMs, level) => {
    const release = await mutex(waitMs, level);
    return release && (() => Promise.resolve(release()));
  },
});

/** Long enough for any machine: a test that waits this long has failed. */
const LONG_MS = 20_000;

async function acquire(holder: MutexHolder, waitMs = LONG_MS): Promise<() => Promise<void>> {
  const release = await holder.acquire(waitMs, 0);
  if (!release) throw new Error('the lock could not be had');
  return release;
}

/** Many holders use the lock as often as they can. Answers how many were inside at once at most. */
async function rush(holders: readonly MutexHolder[]): Promise<number> {
  let inside = 0;
  let most = 0;
  const use = async (holder: MutexHolder): Promise<void> => {
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

/** Takes three locks, and looks for each that the other holder waits for it, and for no other one. */
async function expectLocksByLevel(here: MutexHolder, there: MutexHolder): Promise<void> {
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

/** What every lock between tabs or processes must do. `create` makes a free one. */
export function mutexContract(name: string, create: () => Promise<SharedMutex>): void {
  describe(`${name} lets one refresh at a time`, () => {
    let mutex: SharedMutex;
    let here: MutexHolder;
    let there: MutexHolder;
    beforeEach(async () => {
      mutex = await create();
      [here, there] = [await mutex.open(), await mutex.open()];
    });
    afterEach(() => mutex.close());

    it('is had at once while nobody holds it', async () => {
      await (
        await acquire(here, 500)
      )();
      await (
        await acquire(there, 500)
      )();
    });

    it('keeps the second out until the first is done', async () => {
      const steps: string[] = [];
      const release = await acquire(here);
      const second = acquire(there).then((releaseSecond) => (steps.push('second in'), releaseSecond()));
      steps.push('first out');
      await release();
      await second;
      expect(steps).toEqual(['first out', 'second in']);
    });

    it('bounds the wait: a refresh goes ahead without it, and the holder keeps it', async () => {
      const release = await acquire(here);
      expect(await there.acquire(50, 0)).toBeNull();
      expect(await there.acquire(50, 0)).toBeNull();
      await release();
      await (
        await acquire(there)
      )();
    });

    it('who gave up waiting does not get it afterwards: the next one is not shut out', async () => {
      const release = await acquire(here);
      expect(await there.acquire(20, 0)).toBeNull();
      await release();
      await (
        await acquire(here, 500)
      )();
    });

    it('is given up once, however often that is said', async () => {
      const release = await acquire(here);
      await release();
      const second = await acquire(there);
      await release();
      expect(await here.acquire(50, 0)).toBeNull();
      await second();
    });

    it('has a second lock that is free while the first is held, and a third, each with one holder', () =>
      expectLocksByLevel(here, there));

    it('never has two holders, whatever the rush', async () => {
      expect(await rush([here, there, await mutex.open()])).toBe(1);
    });
  });
}

/** A lock whose holders can be killed without warning. */
export type MortalMutex = { open(): Promise<MutexHolder & { kill(): Promise<void> }>; close(): Promise<void> };

/** What a lock must do when its holder dies: the wait of the others ends. */
export function mutexDeathContract(name: string, create: () => Promise<MortalMutex>): void {
  describe(`${name} outlives its holder`, () => {
    let mutex: MortalMutex;
    beforeEach(async () => {
      mutex = await create();
    });
    afterEach(() => mutex.close());

    it('is free again when who held it dies', async () => {
      const [first, second] = [await mutex.open(), await mutex.open()];
      await acquire(first);
      const waiting = acquire(second);
      await first.kill();
      await (
        await waiting
      )();
    });

    it('is not given to who died waiting for it', async () => {
      const [first, second, third] = [await mutex.open(), await mutex.open(), await mutex.open()];
      const release = await acquire(first);
      // Its end rejects: nobody is left to hear of it.
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
