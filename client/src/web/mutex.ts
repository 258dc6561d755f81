import type { Mutex } from '../core/ports.ts';

/**
 * Exclusion across tabs by Web Locks: waits at most `waitMs`, never steals, and goes without where there are none.
 * @see https://www.w3.org/TR/web-locks/
 */
export const webMutex =
  (name: string): Mutex =>
  (waitMs, level) => {
    const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
    if (!locks) return Promise.resolve(null);
    return new Promise((resolve) => {
      const hold = (): Promise<void> => new Promise((release) => resolve(release));
      // Once the lock is held, the signal does nothing any more.
      locks.request(`${name} ${level}`, { signal: AbortSignal.timeout(waitMs) }, hold).catch(() => resolve(null));
    });
  };
