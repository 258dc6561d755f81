import { HoldfastError } from '../core/errors.ts';
import type { SecureStore, SecureStoreOptions } from './modules.ts';

/**
 * The accessibility class of the refresh token in the keychain. Every class stays on this device: another device cannot
 * read it from a backup.
 *
 * | value | readable | price |
 * | --- | --- | --- |
 * | `when-unlocked` | while the device is unlocked | no refresh in the background |
 * | `biometric` | after Face ID or Touch ID recognised a face or finger that was enrolled at the write; prompts at the app's start | no refresh in the background; after a change of the enrolled faces or fingers the user signs in again |
 * | `after-first-unlock` | from the first unlock after a restart, also while locked | a thief with the locked phone and an exploit of its system can read it |
 */
export type Protection = 'when-unlocked' | 'biometric' | 'after-first-unlock';

/** Receives a warning for the developer. */
export type Warn = (message: string) => void;

/** Named values in the keychain. Unless noted, methods throw or reject with `storage-unavailable` if it refuses. */
export type Keychain = {
  /** Reads an item. `null`: the keychain reports no such item now. */
  readonly read: (item: string) => string | null;
  /** Reads an item after Face ID or Touch ID. */
  readonly readByBiometry: (item: string) => Promise<string | null>;
  /** Writes an item. A new item gets `protection`; an existing item keeps its own. */
  readonly write: (item: string, value: string, protection: Protection) => void;
  /** Removes an item. Never rejects. Resolves with `false` while the device is locked to items of `protection`. */
  readonly remove: (item: string, protection: Protection) => Promise<boolean>;
  /** Writes and reads a test value. Throws if the keychain cannot store a value of `protection` now. */
  readonly probe: (protection: Protection) => void;
};

/** Options of every access to the keychain. */
export type KeychainOptions = {
  /** Shares the items with the apps and extensions whose entitlements name this keychain access group. */
  readonly accessGroup?: string | undefined;
  /** The text in the prompt of Face ID or Touch ID. */
  readonly biometricPrompt: string;
};

/** System messages for a locked device or a declined prompt. Warn the developer about any other. */
const EXPECTED = /User interaction is not allowed|User cancel|Authentication failed|cancel/iu;

/** System messages for an app without the entitlement for the keychain or its group: only a new build helps. */
const FOR_GOOD = /entitlement|not implemented/iu;

/** Encodes `text` as a key of `expo-secure-store`: replaces each character that a key may not have by its code. */
export const keychainName = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9_-]/gu, (character) => `.${(character.codePointAt(0) ?? 0).toString(16)}.`);

/** Opens the keychain items of one session. Their names begin with `prefix`. */
export function openKeychain(store: SecureStore, prefix: string, options: KeychainOptions, warn: Warn): Keychain {
  const { accessGroup, biometricPrompt } = options;
  const group = accessGroup === undefined ? {} : { accessGroup };
  const biometric = { ...group, requireAuthentication: true, authenticationPrompt: biometricPrompt };
  const optionsOf = (protection: Protection): SecureStoreOptions => {
    const keychainAccessible =
      protection === 'after-first-unlock'
        ? store.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY
        : store.WHEN_UNLOCKED_THIS_DEVICE_ONLY;
    return { ...(protection === 'biometric' ? biometric : group), keychainAccessible };
  };
  const refuse = (cause: unknown): HoldfastError => {
    const said = cause instanceof Error ? cause.message : '';
    const refusal = `the keychain refuses to keep the session: ${said}`;
    if (!EXPECTED.test(said)) warn(refusal);
    return FOR_GOOD.test(said)
      ? new HoldfastError('storage-unavailable', refusal, { cause, isRetryable: false })
      : new HoldfastError('storage-unavailable', 'the keychain is locked or refuses', { cause });
  };
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw refuse(cause);
    }
  };
  const nameOf = (item: string): string => `${prefix}.${item}`;
  let probes = 0;
  const probe = (protection: Protection): void =>
    attempt(() => {
      // A biometric probe would show a prompt. Probe an unguarded item instead: both need an unlocked device.
      const kept = protection === 'biometric' ? 'when-unlocked' : protection;
      const value = `${++probes}`;
      const name = nameOf(`probe.${kept}`);
      store.setItem(name, value, optionsOf(kept));
      if (store.getItem(name, group) !== value) throw new Error('it does not give back what it was given');
    });
  return {
    probe,
    read: (item) => attempt(() => store.getItem(nameOf(item), group)),
    readByBiometry: async (item) => {
      try {
        return await store.getItemAsync(nameOf(item), biometric);
      } catch (cause) {
        throw refuse(cause);
      }
    },
    write: (item, value, protection) => attempt(() => store.setItem(nameOf(item), value, optionsOf(protection))),
    remove: async (item, protection) => {
      try {
        // The module reports no failed deletion: probe first.
        probe(protection);
        await store.deleteItemAsync(nameOf(item), group);
        return true;
      } catch {
        return false;
      }
    },
  };
}
