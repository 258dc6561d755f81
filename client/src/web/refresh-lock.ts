import type { RefreshLock } from '../core/ports.ts';

/**
 * Creates the refresh lock across tabs with Web Locks. Waits at most `waitMs` and never steals a lock. Resolves with
 * `null` in a browser without Web Locks.
 * @see https://www.w3.org/TR/web-locks/
 */
export const webRefreshLock =
  (name: string): RefreshLock =>
  (waitMs, level) => {
    const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
    if (!locks) return Promise.resolve(null);
    return new Promise((resolve) => {
      const hold = (): Promise<void> => new Promise((release) => resolve(release));
      // The signal only ends the wait: it has no effect once the lock is held.
      locks.request(`${name} ${level}`, { signal: AbortSignal.timeout(waitMs) }, hold).catch(() => resolve(null));
    });
  };
