/**
 * One moment, read from two clocks. The wall clock jumps when it is set. The monotonic clock may stand still while the
 * device sleeps. Neither can be trusted alone, so deadlines are kept on both.
 */
export type Instant = {
  /** Milliseconds since 1970 by the device's clock. */
  readonly wallMs: number;
  /** Milliseconds since an arbitrary start; never goes backwards. */
  readonly monotonicMs: number;
};

/** The instant `ms` milliseconds after `instant`. */
export const after = (instant: Instant, ms: number): Instant => ({
  wallMs: instant.wallMs + ms,
  monotonicMs: instant.monotonicMs + ms,
});

/** Milliseconds until `deadline` by the clock that is nearer to it; negative once one clock has passed it. */
export const untilEither = (deadline: Instant, now: Instant): number =>
  Math.min(deadline.wallMs - now.wallMs, deadline.monotonicMs - now.monotonicMs);

/** Milliseconds until both clocks have passed `deadline`; negative once both have. */
export const untilBoth = (deadline: Instant, now: Instant): number =>
  Math.max(deadline.wallMs - now.wallMs, deadline.monotonicMs - now.monotonicMs);

/** True if at least one clock has passed `deadline`. */
export const hasPassed = (deadline: Instant, now: Instant): boolean => untilEither(deadline, now) <= 0;
