import type { Clock, Signals } from '../core/ports.ts';

/** The interval between two checks of the clocks. */
const INTERVAL_MS = 5_000;

/** A check that comes more than this late means that the machine slept or the process was stopped. */
const LATE_MS = 10_000;

/**
 * Emits `resumed` after the machine slept or the process was stopped: then a check of the clocks comes much too late.
 * It compares the wall clock too, because the monotonic one may stop during sleep. A clock that is set forward emits
 * `resumed` as well, which does no harm. Node offers no other signal: no foreground, and no change of the network.
 *
 * @param lookAtStore called at each check of the clocks
 */
export const sleepSignals =
  (clock: Clock, lookAtStore: () => void = () => {}): Signals =>
  (emit) => {
    let before = clock.now();
    const look = (): void => {
      const now = clock.now();
      const passedMs = Math.max(now.wallMs - before.wallMs, now.monotonicMs - before.monotonicMs);
      before = now;
      cancel = clock.wake(INTERVAL_MS, look);
      if (passedMs - INTERVAL_MS > LATE_MS) emit('resumed');
      lookAtStore();
    };
    let cancel = clock.wake(INTERVAL_MS, look);
    return () => cancel();
  };
