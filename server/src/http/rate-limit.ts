import { addressKeyOf } from '../kernel/client-address.ts';
import type { Policy } from '../kernel/policy.ts';

/** Counts the requests of addresses. */
export type AddressLimit = {
  /** Takes one request. @returns 0 when it may pass, otherwise how long to wait, in milliseconds */
  readonly take: (address: string) => number;
};

/**
 * A limit by address, in this node's memory: it keeps one sender from taking the whole node, no more, so nodes need not
 * agree on it. Per address one number is kept (generic cell rate algorithm: the time at which its budget is whole again),
 * and of at most `rateLimitedAddresses` addresses, those heard of last.
 *
 * @param monotonicMs a clock that never steps
 */
export function createAddressLimit(
  policy: Pick<Policy, 'requestsPerSecond' | 'requestBurst' | 'rateLimitedAddresses'>,
  monotonicMs: () => number = () => performance.now(),
): AddressLimit {
  const { requestsPerSecond, requestBurst, rateLimitedAddresses } = policy;
  if (requestsPerSecond === 0) return { take: () => 0 };
  const intervalMs = 1_000 / requestsPerSecond;
  const allowanceMs = intervalMs * requestBurst;
  const wholeAtMs = new Map<string, number>();
  return {
    take: (address) => {
      const nowMs = monotonicMs();
      const key = addressKeyOf(address);
      const nextMs = Math.max(wholeAtMs.get(key) ?? 0, nowMs) + intervalMs;
      const waitMs = nextMs - nowMs - allowanceMs;
      if (waitMs > 0) return waitMs;
      // Heard of last: to the end of the line.
      wholeAtMs.delete(key);
      wholeAtMs.set(key, nextMs);
      const [oldest] = wholeAtMs.size > rateLimitedAddresses ? wholeAtMs.keys() : [];
      if (oldest !== undefined) wholeAtMs.delete(oldest);
      return 0;
    },
  };
}
