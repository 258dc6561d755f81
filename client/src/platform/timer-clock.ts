import type { Clock } from '../core/ports.ts';

/** The longest delay of `setTimeout`: it counts in 31 bits, and a longer delay would fire at once. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The clocks and timers of browsers and React Native. */
export const timerClock: Clock = {
  now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
  wake: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(LONGEST_DELAY_MS, Math.ceil(delayMs)));
    return () => clearTimeout(timer);
  },
};
