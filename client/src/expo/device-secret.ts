import type { Platform } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';

const ITEM = 'device';

/**
 * Stores the device secret in one keychain item. Read and write happen in one task, so no other code runs in between.
 */
export function keychainDeviceSecret(keychain: Keychain, protection: Protection): Platform['deviceSecret'] {
  // A sign-in must not show a biometric prompt for the device secret.
  const kept = protection === 'biometric' ? 'when-unlocked' : protection;
  return async (candidate) => {
    const stored = keychain.read(ITEM);
    if (stored) return stored;
    keychain.write(ITEM, candidate, kept);
    return candidate;
  };
}
