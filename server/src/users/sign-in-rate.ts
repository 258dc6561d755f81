import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { AttemptStore } from '../storage/user-store.ts';
import { attemptKeyOf } from './password-limits.ts';

/**
 * Counts a sign-in with a valid credential. Limits how many codes and networks one account can make us store.
 *
 * @returns the delay for the account in milliseconds; 0 if the sign-in may proceed
 * @throws HoldfastServerError `unavailable`
 */
export type SignInRate = (sub: string) => Promise<number>;

/**
 * Uses the burst and interval of exchanges but counts apart. A code issued within the rate is thus never refused
 * because of other codes that were not exchanged.
 */
export function createSignInRate(
  store: AttemptStore,
  keyRing: KeyRing,
  { signInBurstPerAccount, signInIntervalSeconds }: Pick<Policy, 'signInBurstPerAccount' | 'signInIntervalSeconds'>,
): SignInRate {
  const delays = { firstDelaySeconds: signInIntervalSeconds, maximumDelaySeconds: signInIntervalSeconds };
  return (sub) => {
    const key = attemptKeyOf(keyRing, ['sign-in', sub]);
    return store.take([{ key, allowance: signInBurstPerAccount, leakSeconds: signInIntervalSeconds }], delays);
  };
}
