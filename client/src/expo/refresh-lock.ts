import type { RefreshLock } from '../core/ports.ts';
import { timerClock } from '../platform/timer-clock.ts';

/** The end of each lock's queue: the promise settles when all earlier holders have released. */
const tails = new Map<string, Promise<void>>();

/**
 * Creates the refresh lock within the app: two services for one session share it. An app and its extensions share no
 * lock. There the client reads the keychain before each refresh, and the server keeps concurrent refreshes safe.
 */
export const processRefreshLock =
  (name: string): RefreshLock =>
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
