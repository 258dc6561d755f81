/** Every duration and limit of the client. `sessionPolicy` fills in the defaults. */
export type SessionPolicy = {
  /** Longest time before its expiry at which an access token is refreshed, in ms. Default 300 000 (5 minutes). */
  readonly refreshMarginMs: number;
  /**
   * Longest margin as a fraction of the token's lifetime: a 5-minute token must not be refreshed all the time. Default
   * 1/3.
   */
  readonly refreshMarginRatio: number;
  /** Fraction of the margin that is spread over tabs, so that they do not all wake at once. Default 0.2. */
  readonly refreshMarginJitter: number;
  /**
   * How long an answer of the token endpoint may take, by wall and by monotonic clock, in ms. Default 15 000.
   * The server relies on it: its `rotationInterval` must be longer than this plus the longest life of a message.
   */
  readonly responseDeadlineMs: number;
  /**
   * How long to wait for the lock between tabs, in ms. After that, one of the waiting tabs sends a second refresh,
   * because the holder may be slow or frozen. Default 3 000.
   */
  readonly lockWaitMs: number;
  /**
   * Longest time between two checks of the deadlines, in ms: timers stand still while a device sleeps. Default 30 000.
   */
  readonly tickMs: number;
  /** How long a read or write of the vault may take before it counts as unavailable, in ms. Default 5 000. */
  readonly vaultWaitMs: number;
  /** First step of the exponential back-off, in ms. Default 500. */
  readonly backoffBaseMs: number;
  /** Longest step of the exponential back-off, in ms. Default 60 000. */
  readonly backoffCapMs: number;
  /**
   * Longest back-off step while requests are parked, in ms: an outage delays them little longer than it lasts. Default
   * 8 000.
   */
  readonly parkedBackoffCapMs: number;
  /** Longest wait that `Retry-After` may cause, in ms: a mistaken one must not last for a day. Default 300 000. */
  readonly retryAfterCapMs: number;
  /** Number of refreshes that may be sent in a burst, whatever the server answers. Default 10. */
  readonly refreshBurst: number;
  /** Time after which one more refresh is allowed once a burst is used up, in ms. Default 6 000. */
  readonly refreshRefillMs: number;
  /** Number of requests that may be parked at once. Default 1 000. */
  readonly parkedRequestsMax: number;
  /** How long a request may wait in total before it fails with `deadline-exceeded`, in ms. Default 120 000. */
  readonly deadlineMs: number;
  /** When to warn of the end of the session, in ms before it, longest first. Default 5 min and 1 min. */
  readonly expiryWarningsMs: readonly number[];
};

/** The defaults. `SessionPolicy` gives the reasons. */
export const defaultPolicy: SessionPolicy = {
  refreshMarginMs: 300_000,
  refreshMarginRatio: 1 / 3,
  refreshMarginJitter: 0.2,
  responseDeadlineMs: 15_000,
  lockWaitMs: 3_000,
  tickMs: 30_000,
  vaultWaitMs: 5_000,
  backoffBaseMs: 500,
  backoffCapMs: 60_000,
  parkedBackoffCapMs: 8_000,
  retryAfterCapMs: 300_000,
  refreshBurst: 10,
  refreshRefillMs: 6_000,
  parkedRequestsMax: 1_000,
  deadlineMs: 120_000,
  expiryWarningsMs: [300_000, 60_000],
};

/** With 0 for one of these, the client would send nothing, or send without a pause. */
const POSITIVE: readonly string[] = [
  'refreshBurst',
  'refreshRefillMs',
  'responseDeadlineMs',
  'backoffBaseMs',
  'tickMs',
];

/** A checked policy. It is the function that `sessionPolicy` returns, so that no plain object passes for one. */
export type CheckedPolicy = () => SessionPolicy;

/**
 * Makes a policy for `createAuthService({ policy })` and fills in the defaults. Apps that keep the defaults do not
 * carry the checks.
 *
 * @throws TypeError that names the field whose value could not work
 *
 * @example
 * createAuthService({ ..., policy: sessionPolicy({ deadlineMs: 60_000 }) })
 */
export function sessionPolicy(partial: Partial<SessionPolicy>): CheckedPolicy {
  const policy = { ...defaultPolicy, ...partial };
  for (const [name, value] of Object.entries(policy)) {
    const isInRange = (n: number): boolean =>
      Number.isFinite(n) && (POSITIVE.includes(name) ? n > 0 : n >= 0) && !(name === 'refreshMarginRatio' && n >= 1);
    if (![value].flat().every(isInRange)) throw new TypeError(`policy.${name} is out of range`);
  }
  const checked = { ...policy, expiryWarningsMs: policy.expiryWarningsMs.toSorted((a, b) => b - a) };
  return () => checked;
}
