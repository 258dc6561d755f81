import type { RefreshLock } from '../../../client/src/core/ports.ts';
import { processClock, runTask, type DeviceClock, type Ground, type Process } from '../sandbox/process.ts';

/**
 * The locks that the tabs of a device share, as in browsers: granted in order, kept by a frozen tab, released by a dead
 * one.
 */
export type Locks = {
  /** True in a browser without locks between tabs. */
  readonly isMissing: boolean;
  mutexOf(process: Process): RefreshLock;
  /**
   * Removes a process that has died.
   *
   * @param isOrphaned true if a lock that it held is never released
   * @returns true if it held a lock
   */
  onDeath(process: Process, isOrphaned: boolean): boolean;
  isHeldBy(process: Process): boolean;
};

type Request = { readonly process: Process; readonly grant: () => void };
/** One lock, with its holder and its queue. */
type Lock = { holder: Request | null; queue: Request[] };

/** Reports of the locks, for aimed faults and for the ledger. */
export type LockWatch = {
  readonly onLocked: (process: Process) => void;
  /** A frozen process has got a lock. */
  readonly onFrozen: (process: Process) => void;
  readonly onTimedOut: () => void;
};

export function createLocks(ground: Ground, device: DeviceClock, watch: LockWatch): Locks {
  const { scheduler, setup } = ground;
  const isMissing = setup.faults.lockMissing > 0.2;
  const locks: Lock[] = [];
  const next = (lock: Lock): void => {
    lock.holder = lock.queue.shift() ?? null;
    if (lock.holder?.process.isFrozen) watch.onFrozen(lock.holder.process);
    lock.holder?.grant();
  };
  const mutexOf =
    (process: Process): RefreshLock =>
    (waitMs, level) => {
      if (isMissing) return Promise.resolve(null);
      const lock = (locks[level] ??= { holder: null, queue: [] });
      const release = (request: Request): void => {
        if (lock.holder === request) next(lock);
      };
      const clock = processClock(process, device, ground);
      return new Promise((resolve) => {
        let isOver = false;
        const cancel = clock.wake(waitMs, () => {
          isOver = true;
          lock.queue = lock.queue.filter((other) => other !== request);
          scheduler.note(process.name, `has waited for lock ${level} in vain`);
          watch.onTimedOut();
          resolve(null);
        });
        const request: Request = {
          process,
          // The process holds the lock at once, but learns of it only when it is not frozen.
          grant: () => {
            scheduler.after(0, () => {
              runTask(process, () => {
                if (isOver) return release(request);
                cancel();
                watch.onLocked(process);
                if (process.isAlive) runTask(process, () => resolve(() => release(request)));
              });
            });
          },
        };
        lock.queue.push(request);
        if (lock.holder === null) next(lock);
      });
    };
  return {
    isMissing,
    mutexOf,
    onDeath: (process, isOrphaned) => {
      for (const lock of locks) lock.queue = lock.queue.filter((other) => other.process !== process);
      const held = locks.filter(({ holder }) => holder?.process === process);
      if (!isOrphaned) for (const lock of held) next(lock);
      return held.length > 0;
    },
    isHeldBy: (process) => locks.some(({ holder }) => holder?.process === process),
  };
}
