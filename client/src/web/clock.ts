/** The browser's clocks. */
export { timerClock as webClock } from '../timer-clock.ts';
