/** The browser's clocks. */
export { timerClock as webClock } from '../platform/timer-clock.ts';
