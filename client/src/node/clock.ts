import type { Clock } from '../core/ports.ts';

/** `setTimeout` counts in 31 bits; a longer delay would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Node's clocks. `keepsAlive`: whether a process goes on for a wake-up that is still to come. */
export const nodeClock = (keepsAlive: boolean): Clock => ({
  now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
  wake: (delayMs, callback, isIdle = false) => {
    const dueMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(look, Math.min(LONGEST_DELAY_MS, Math.ceil(leftMs)));
      if (isIdle || !keepsAlive) timer.unref();
    };
    // Node's timers round to whole milliseconds and may come a moment early.
    const look = (): void => {
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) arm(leftMs);
      else callback();
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
});
