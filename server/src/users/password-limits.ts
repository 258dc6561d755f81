import { createHmac } from 'node:crypto';
import { addressKeyOf } from '../kernel/client-address.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { AttemptBucket, AttemptStore } from '../storage/user-store.ts';

type LimitPolicy = Pick<
  Policy,
  | 'passwordAttemptsPerAccount'
  | 'passwordAttemptsPerAddress'
  | 'passwordAccountLeakSeconds'
  | 'passwordAddressLeakSeconds'
  | 'passwordFirstDelaySeconds'
  | 'passwordMaximumDelaySeconds'
  | 'passwordFamiliarSeconds'
  | 'passwordFamiliarNetworks'
>;

/** One password attempt. It is counted before the password is checked, so that parallel guesses cannot all pass. */
export type PasswordAttempt =
  | { readonly kind: 'counted'; /** The password was right. */ readonly forgive: () => Promise<void> }
  | { readonly kind: 'delayed'; readonly retryAfterMs: number };

/**
 * Computes the key of the bucket that counts the attempts at `parts`. The hash is keyed because users type passwords
 * into the username field, and addresses are personal data.
 */
export function attemptKeyOf(keyRing: KeyRing, parts: readonly string[]): Buffer {
  return createHmac('sha256', keyRing.minting.attemptKey).update(JSON.stringify(parts)).digest();
}

/** @throws HoldfastServerError `unavailable` */
export type PasswordLimits = (usernameKey: string, address: string) => Promise<PasswordAttempt>;

/**
 * Limits guesses per account, existing or not, and per address. An attempt during a delay is refused and not counted,
 * so that a delayed attacker cannot prolong anyone's delay. Passkeys and live sessions are not limited here.
 *
 * A network from which the account recently signed in has its own count. Attempts from other networks do not delay the
 * owner there. The owner's success there gives attackers elsewhere no new guesses.
 *
 * @see NIST SP 800-63B-4 §3.2.2; OWASP ASVS 5.0 6.3.1
 */
export function createPasswordLimits(store: AttemptStore, keyRing: KeyRing, policy: LimitPolicy): PasswordLimits {
  const keyOf = (...parts: readonly string[]): Buffer => attemptKeyOf(keyRing, parts);
  const delays = {
    firstDelaySeconds: policy.passwordFirstDelaySeconds,
    maximumDelaySeconds: policy.passwordMaximumDelaySeconds,
  };
  return async (usernameKey, address) => {
    const addressKey = addressKeyOf(address);
    // Without an address, all attempts share one network, so none can be familiar.
    const networkKey = addressKey === '' ? null : keyOf('familiar', usernameKey, addressKey);
    const isFamiliar = networkKey !== null && (await store.isFamiliar(networkKey));
    const account: AttemptBucket = {
      key: isFamiliar ? keyOf('account', usernameKey, addressKey) : keyOf('account', usernameKey),
      allowance: policy.passwordAttemptsPerAccount,
      leakSeconds: policy.passwordAccountLeakSeconds,
    };
    const network: AttemptBucket = {
      key: keyOf('address', addressKey),
      allowance: policy.passwordAttemptsPerAddress,
      leakSeconds: policy.passwordAddressLeakSeconds,
    };
    const retryAfterMs = await store.take(networkKey === null ? [account] : [account, network], delays);
    if (retryAfterMs > 0) return { kind: 'delayed', retryAfterMs };
    const forgive = (): Promise<void> =>
      store.forgive({
        returned: networkKey === null ? [] : [network.key],
        emptied: [account.key],
        network: networkKey && {
          networkKey,
          accountKey: keyOf('familiar', usernameKey),
          familiarSeconds: policy.passwordFamiliarSeconds,
          limit: policy.passwordFamiliarNetworks,
        },
      });
    return { kind: 'counted', forgive };
  };
}
