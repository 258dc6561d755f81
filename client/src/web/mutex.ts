import type { Mutex } from '../ports.ts';

/**
 * Exclusion across tabs by Web Locks: waits at most `waitMs`, never steals, and goes without where there are none.
 * @see https://www.w3.org/TR/web-locks/
 */
export const webMutex =
  (name: string): Mutex =>
  (waitMs) => {
    const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
    if (!locks) return Promise.resolve(null);
    return new Promise((resolve) => {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), waitMs);
      const hold = (): Promise<void> => {
        clearTimeout(timer);
        return new Promise((release) => resolve(release));
      };
      locks.request(name, { signal: controller.signal }, hold).catch(() => {
        clearTimeout(timer);
        resolve(null);
      });
    });
  };
