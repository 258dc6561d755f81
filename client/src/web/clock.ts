import { timerClock } from '../timer-clock.ts';

/** The browser's clocks. */
export const webClock = timerClock;
