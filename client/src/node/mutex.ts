import type { Mutex } from '../core/ports.ts';
import { createLock, type Lock } from './lock.ts';

/**
 * Exclusion between the processes that name the same lock: waits at most `waitMs`, never takes the lock from a process that
 * lives, and is released by the death of its holder. Ends its wait when `signal` says so: a process that is done must not poll on.
 */
export function fileMutex(file: string): Mutex {
  const locks: Lock[] = [];
  return async (waitMs, level, signal) => {
    try {
      const lock = (locks[level] ??= createLock(level === 0 ? file : `${file}-${level}`));
      const held = await lock(waitMs, signal);
      return held && (() => held.release());
    } catch {
      // Without a lock a refresh is still safe; whether the folder can be used at all is the vault's to say.
      return null;
    }
  };
}
