import { addressKeyOf } from '../kernel/client-address.ts';
import type { Policy } from '../kernel/policy.ts';

/** Limits the request rate of each address. */
export type AddressLimit = {
  /** Counts one request. @returns 0 if the request may pass, else the wait in milliseconds */
  readonly take: (address: string) => number;
};

/**
 * Creates a rate limit per address in this node's memory. It only keeps one sender from using up the node, so nodes
 * need not agree. It stores one number per address (generic cell rate algorithm: the time at which the budget is whole
 * again), for at most `rateLimitedAddresses` addresses: those whose requests passed last.
 *
 * @param monotonicMs a monotonic clock
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
      // Delete first, so that the address moves to the end of the eviction order.
      wholeAtMs.delete(key);
      wholeAtMs.set(key, nextMs);
      const [oldest] = wholeAtMs.size > rateLimitedAddresses ? wholeAtMs.keys() : [];
      if (oldest !== undefined) wholeAtMs.delete(oldest);
      return 0;
    },
  };
}
