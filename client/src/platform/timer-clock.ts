import type { Clock } from '../core/ports.ts';

/** `setTimeout` counts in 31 bits; a longer delay would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The clocks and timers that browsers and React Native have. */
export const timerClock: Clock = {
  now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
  wake: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(LONGEST_DELAY_MS, Math.ceil(delayMs)));
    return () => clearTimeout(timer);
  },
};
