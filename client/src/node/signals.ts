import type { Clock, Signals } from '../core/ports.ts';

/** How often the clocks are looked at. */
const INTERVAL_MS = 5_000;

/** A look that comes this late means that the machine, or the process, stood still. */
const LATE_MS = 10_000;

/**
 * Notices that the machine was asleep or the process stopped: a look at the clocks comes much later than it should, by the
 * wall clock where the monotonic one stands still in sleep. Somebody setting the clock forward looks the same, and does no harm.
 * There is nothing else to notice: no foreground, and no news of the network. `lookAtStore` is called at each look at the clocks.
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
