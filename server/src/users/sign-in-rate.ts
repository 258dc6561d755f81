import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { AttemptStore } from '../storage/user-store.ts';
import { attemptKeyOf } from './password-limits.ts';

/**
 * Counts a sign-in whose credential was right, so that one account cannot write codes and networks without end.
 *
 * @returns for how long the account has to wait, in milliseconds; 0 when the sign-in goes on
 * @throws HoldfastError `unavailable`
 */
export type SignInRate = (sub: string) => Promise<number>;

/**
 * The same burst and interval as for exchanges, counted apart: a code that was issued within the rate is never refused
 * because of a code that nobody exchanged.
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
