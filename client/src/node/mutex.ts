import type { Mutex } from '../ports.ts';
import { createLock, type Lock } from './lock.ts';

/**
 * Exclusion between the processes that name the same lock: waits at most `waitMs`, never takes the lock from a process that
 * lives, and is released by the death of its holder.
 */
export function fileMutex(file: string): Mutex {
  const locks: Lock[] = [];
  return async (waitMs, level) => {
    try {
      const lock = (locks[level] ??= createLock(level === 0 ? file : `${file}-${level}`));
      const held = await lock(waitMs);
      return held && (() => held.release());
    } catch {
      // Without a lock a refresh is still safe; whether the folder can be used at all is the vault's to say.
      return null;
    }
  };
}
