import type { Mutex } from '../core/ports.ts';
import { timerClock } from '../platform/timer-clock.ts';

/** Who is next at each lock: the promise settles when everybody before is done. */
const tails = new Map<string, Promise<void>>();

/**
 * Exclusion within the app: two services for one session share a lock. There is none between an app and its extensions; the
 * keychain is read before each refresh, and the server makes the rest safe.
 */
export const processMutex =
  (name: string): Mutex =>
  (waitMs, level) =>
    new Promise((resolve) => {
      const key = `${name} ${level}`;
      let isOver = false;
      const cancel = timerClock.wake(waitMs, () => {
        isOver = true;
        resolve(null);
      });
      const turn = (): Promise<void> =>
        new Promise((release) => {
          if (isOver) return release();
          cancel();
          resolve(release);
        });
      tails.set(key, (tails.get(key) ?? Promise.resolve()).then(turn));
    });
