import type { Clock } from '../core/ports.ts';
import { LONGEST_DELAY_MS } from '../platform/timer-clock.ts';

/**
 * Creates Node's clocks and timers.
 *
 * @param keepsAlive `true`: a pending wake-up keeps the process running, unless the wake-up is idle
 */
export const nodeClock = (keepsAlive: boolean): Clock => ({
  now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
  wake: (delayMs, callback, isIdle = false) => {
    const dueMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(look, Math.min(LONGEST_DELAY_MS, Math.ceil(leftMs)));
      if (isIdle || !keepsAlive) timer.unref();
    };
    // Node's timers round to whole milliseconds and may fire slightly early.
    const look = (): void => {
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) arm(leftMs);
      else callback();
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
});
