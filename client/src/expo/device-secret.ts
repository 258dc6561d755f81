import type { Platform } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';

const ITEM = 'device';

/** The device secret, in one item: reading and writing is one task without a pause. */
export function keychainDeviceSecret(keychain: Keychain, protection: Protection): Platform['deviceSecret'] {
  // A sign-in asks for no face or finger beside its own.
  const kept = protection === 'biometric' ? 'when-unlocked' : protection;
  return async (candidate) => {
    const stored = keychain.read(ITEM);
    if (stored) return stored;
    keychain.write(ITEM, candidate, kept);
    return candidate;
  };
}
