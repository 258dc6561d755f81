import { HoldfastError } from '../core/errors.ts';
import type { SecureStore, SecureStoreOptions } from './modules.ts';

/**
 * Who can have the refresh token out of the keychain, and when. Never another device: no class is part of a backup that
 * another device can read.
 *
 * | value | can be read | price |
 * | --- | --- | --- |
 * | `when-unlocked` | while the device is unlocked | no refresh in the background |
 * | `biometric` | by the face or finger that was enrolled when it was written, asked for at the app's start | no refresh in the background; whoever changes what is enrolled signs in again |
 * | `after-first-unlock` | from the first unlock after a restart on, also while locked | a thief with the locked phone and a way into its system can have it |
 */
export type Protection = 'when-unlocked' | 'biometric' | 'after-first-unlock';

/** What the phone could not say without being asked. */
export type Warn = (message: string) => void;

/** Named values in the keychain. Every method throws or rejects with `storage-unavailable` when the keychain refuses. */
export type Keychain = {
  /** `null`: there is no such item, as far as the keychain says now. */
  readonly read: (item: string) => string | null;
  /** As `read`, after the face or finger was recognised. */
  readonly readByBiometry: (item: string) => Promise<string | null>;
  /** A new item gets the protection; one that is there keeps its own. */
  readonly write: (item: string, value: string, protection: Protection) => void;
  /** Never rejects. Answers whether it was removed: not while the device is locked to items of this protection. */
  readonly remove: (item: string, protection: Protection) => Promise<boolean>;
  /** Throws unless the keychain takes a value of this protection now, and gives it back. */
  readonly probe: (protection: Protection) => void;
};

/** How the keychain is addressed. */
export type KeychainOptions = {
  /** Shares the items with the apps and extensions that have this keychain access group in their entitlements. */
  readonly accessGroup?: string | undefined;
  /** What the system shows beside Face ID's or Touch ID's prompt. */
  readonly biometricPrompt: string;
};

/** What the system says when the device is locked, or the user declined. Anything else is worth a developer's attention. */
const EXPECTED = /User interaction is not allowed|User cancel|Authentication failed|cancel/iu;

/** The system’s words for an app without the right to the keychain or to this group of it: only another build of the app helps. */
const FOR_GOOD = /entitlement|not implemented/iu;

/** Characters that a key may have (`expo-secure-store`); others are written as their code. */
export const keychainName = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9_-]/gu, (character) => `.${(character.codePointAt(0) ?? 0).toString(16)}.`);

/** The items of one session, under names that begin with `prefix`. */
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
      // A probe behind Face ID would ask for it: what can be written without is as good a sign.
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
        // The module does not tell whether an item is gone.
        probe(protection);
        await store.deleteItemAsync(nameOf(item), group);
        return true;
      } catch {
        return false;
      }
    },
  };
}
