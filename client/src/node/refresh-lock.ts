import type { RefreshLock } from '../core/ports.ts';
import { createLock, type Lock } from './lock.ts';

/**
 * Creates the refresh lock between the processes that name the same file. Waits at most `waitMs` and never takes the
 * lock from a live process. The death of its holder releases it. An aborted `signal` ends the wait, so that no timer
 * keeps polling after the refresh is over.
 */
export function fileRefreshLock(file: string): RefreshLock {
  const locks: Lock[] = [];
  return async (waitMs, level, signal) => {
    try {
      const lock = (locks[level] ??= createLock(level === 0 ? file : `${file}-${level}`));
      const held = await lock(waitMs, signal);
      return held && (() => held.release());
    } catch {
      // Continue without a lock: a refresh is still safe. The vault reports an unusable folder.
      return null;
    }
  };
}
