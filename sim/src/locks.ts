import type { Mutex } from '../../client/src/ports.ts';
import { processClock, runTask, type DeviceClock, type Ground, type Process } from './process.ts';

/** The lock that the tabs of a device share, as browsers give it: in order, kept by the frozen, released by the dead. */
export type Locks = {
  /** A browser without locks between tabs. */
  readonly isMissing: boolean;
  mutexOf(process: Process): Mutex;
  /** A process has died. `isOrphaned`: a lock that it held is never released. Tells whether it held one. */
  onDeath(process: Process, isOrphaned: boolean): boolean;
};

type Request = { readonly process: Process; readonly grant: () => void };

/** What the lock tells whoever aims at it and keeps the books. */
export type LockWatch = {
  readonly onLocked: (process: Process) => void;
  readonly onTimedOut: (process: Process) => void;
};

export function createLocks(ground: Ground, device: DeviceClock, watch: LockWatch): Locks {
  const { scheduler, setup } = ground;
  const isMissing = setup.faults.lockMissing > 0.2;
  let queue: Request[] = [];
  let holder: Request | null = null;
  const next = (): void => {
    holder = queue.shift() ?? null;
    holder?.grant();
  };
  const release = (request: Request): void => {
    if (holder === request) next();
  };
  const mutexOf =
    (process: Process): Mutex =>
    (waitMs) => {
      if (isMissing) return Promise.resolve(null);
      const clock = processClock(process, device, ground);
      return new Promise((resolve) => {
        let isOver = false;
        const cancel = clock.wake(waitMs, () => {
          isOver = true;
          queue = queue.filter((other) => other !== request);
          watch.onTimedOut(process);
          resolve(null);
        });
        const request: Request = {
          process,
          // The lock is taken at once, but a frozen process does not know of it.
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
        queue.push(request);
        if (holder === null) next();
      });
    };
  return {
    isMissing,
    mutexOf,
    onDeath: (process, isOrphaned) => {
      queue = queue.filter((other) => other.process !== process);
      const isHolder = holder?.process === process;
      if (isHolder && !isOrphaned) next();
      return isHolder;
    },
  };
}
