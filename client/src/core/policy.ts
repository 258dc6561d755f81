/** Every duration and limit of the client. `sessionPolicy` makes one of those that differ from the defaults. */
export type SessionPolicy = {
  /** How long before its expiry an access token is refreshed, at most, in ms. Default 300 000 (5 minutes). */
  readonly refreshMarginMs: number;
  /** The margin as a part of the token's lifetime, at most: a 5-minute token must not be refreshed without end. Default 1/3. */
  readonly refreshMarginRatio: number;
  /** How much of the margin is spread over tabs, so that they do not all wake at once. Default 0.2. */
  readonly refreshMarginJitter: number;
  /**
   * How long an answer of the token endpoint may take, by wall and by monotonic clock, in ms. Default 15 000.
   * The server counts on it: its `rotationInterval` must be longer than this plus the longest life of a message.
   */
  readonly responseDeadlineMs: number;
  /**
   * How long to wait for the lock between tabs, in ms. After that one of the waiting tabs sends a second refresh, for the holder may
   * be slow or frozen. Default 3 000.
   */
  readonly lockWaitMs: number;
  /** Deadlines are looked at this often at least, in ms, because timers stand still while a device sleeps. Default 30 000. */
  readonly tickMs: number;
  /** How long a read or write of the vault may take before it counts as unavailable, in ms. Default 5 000. */
  readonly vaultWaitMs: number;
  /** First step of the exponential back-off, in ms. Default 500. */
  readonly backoffBaseMs: number;
  /** Longest step of the exponential back-off, in ms. Default 60 000. */
  readonly backoffCapMs: number;
  /** The same while requests are parked, in ms: an outage costs them little more than it lasts. Default 8 000. */
  readonly parkedBackoffCapMs: number;
  /** The longest `Retry-After` that is believed, in ms: a mistaken one must not last for a day. Default 300 000. */
  readonly retryAfterCapMs: number;
  /** How many refreshes may be sent in a burst, whatever the server answers. Default 10. */
  readonly refreshBurst: number;
  /** How often one more refresh is allowed after a burst, in ms. Default 6 000. */
  readonly refreshRefillMs: number;
  /** How many requests may be parked at once. Default 1 000. */
  readonly parkedRequestsMax: number;
  /** How long a request may wait, all its waits together, before it fails with `deadline-exceeded`, in ms. Default 120 000. */
  readonly parkDeadlineMs: number;
  /** When to warn that the session is about to end, in ms before its end, longest first. Default 5 min and 1 min. */
  readonly expiryWarningsMs: readonly number[];
};

/** The defaults, each with its reason in `SessionPolicy`. */
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
  parkDeadlineMs: 120_000,
  expiryWarningsMs: [300_000, 60_000],
};

/** With 0 for one of these nothing would be sent, or everything without a pause. */
const POSITIVE: readonly string[] = [
  'refreshBurst',
  'refreshRefillMs',
  'responseDeadlineMs',
  'backoffBaseMs',
  'tickMs',
];

/** A policy that was checked: the function that `sessionPolicy` returns, so that no plain object passes for one. */
export type CheckedPolicy = () => SessionPolicy;

/**
 * A policy for `createAuthService({ policy })`: fills in the defaults, and throws a `TypeError` that names the field where a value
 * could not work. Apps that keep the defaults do not carry the checks.
 *
 * @example
 * createAuthService({ ..., policy: sessionPolicy({ parkDeadlineMs: 60_000 }) })
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
