import type { SecureStore, SecureStoreOptions } from '../expo/modules.ts';

// The keychain of a phone, behind a module that behaves as `expo-secure-store` does.

/**
 * The lock of the phone. `prewarmed`: not unlocked since its restart, and the keychain reports "not found", not
 * "locked".
 */
export type Lock = 'unlocked' | 'locked' | 'before-first-unlock' | 'prewarmed';

/** The user's answer to the prompt of Face ID. `waits`: none yet. */
export type FaceAnswer = 'recognised' | 'cancelled' | 'locked-out' | 'waits';

/** The state of the phone, which a test sets. */
export type PhoneState = {
  lock: Lock;
  /** `full`: refuses writes; `no-entitlement`: refuses everything. */
  storage: 'fine' | 'full' | 'no-entitlement';
  face: FaceAnswer;
  /** Changes with the enrolled faces. */
  enrolment: number;
  appState: 'active' | 'inactive' | 'background';
  /** The number of prompts so far. */
  prompts: number;
};

/** A stored item of the keychain. */
export type KeychainItem = {
  value: string;
  readonly accessible: number;
  /** The enrolled faces at the first write. `null`: the item is not behind Face ID. */
  readonly enrolment: number | null;
};

const AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY = 1;
const WHEN_UNLOCKED = 5;
const WHEN_UNLOCKED_THIS_DEVICE_ONLY = 6;

/** Creates the module's error for an `OSStatus`. @see expo-secure-store, SecureStoreExceptions.swift */
function keychainError(reason: string): Error {
  const message = `Calling the 'getValueWithKeySync' function has failed\n→ Caused by: ${reason}`;
  return Object.assign(new Error(message), { code: 'ERR_KEY_CHAIN' });
}

const nameOf = (key: string, { accessGroup = 'own' }: SecureStoreOptions): string => `${accessGroup}/${key}`;

const isReadable = ({ lock }: PhoneState, accessible: number): boolean =>
  lock === 'unlocked' || (lock === 'locked' && accessible === AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY);

function requireAccess(phone: PhoneState, accessible: number): void {
  if (phone.storage === 'no-entitlement') throw keychainError("A required entitlement isn't present.");
  if (!isReadable(phone, accessible)) throw keychainError('User interaction is not allowed.');
}

function requireFace(phone: PhoneState): void {
  phone.prompts++;
  if (phone.appState === 'background') throw keychainError('User interaction is not allowed.');
  if (phone.face === 'locked-out') throw keychainError('Authentication failed. Provided passphrase/PIN is incorrect.');
  if (phone.face !== 'recognised') throw keychainError('User canceled the operation.');
}

/** Creates a keychain of `items` by name. `untilAnswered` resolves once the user has answered the prompt. */
export function createFakeKeychain(
  phone: PhoneState,
  items: Map<string, KeychainItem>,
  untilAnswered: () => Promise<void>,
): SecureStore {
  const find = (key: string, options: SecureStoreOptions): KeychainItem | null => {
    const item = items.get(nameOf(key, options));
    if (phone.storage === 'no-entitlement') requireAccess(phone, WHEN_UNLOCKED);
    if (!item || phone.lock === 'prewarmed') return null;
    requireAccess(phone, item.accessible);
    // After a change of the enrolled faces the item is lost.
    return item.enrolment === null || item.enrolment === phone.enrolment ? item : null;
  };
  return {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY,
    WHEN_UNLOCKED_THIS_DEVICE_ONLY,
    getItem: (key, options) => {
      const item = find(key, options);
      if (item?.enrolment) requireFace(phone);
      return item?.value ?? null;
    },
    getItemAsync: async (key, options) => {
      const item = find(key, options);
      if (item?.enrolment) {
        await untilAnswered();
        requireFace(phone);
      }
      return item?.value ?? null;
    },
    setItem: (key, value, options) => {
      const { keychainAccessible: accessible = WHEN_UNLOCKED, requireAuthentication = false } = options;
      const before = items.get(nameOf(key, options));
      requireAccess(phone, before?.accessible ?? accessible);
      if (phone.storage === 'full') throw keychainError('I/O error.');
      // An existing item keeps its class, and a change to a guarded one prompts. A new item does not prompt.
      if (before && before.enrolment !== null) requireFace(phone);
      const enrolment = requireAuthentication ? phone.enrolment : null;
      if (before) before.value = value;
      else items.set(nameOf(key, options), { value, accessible, enrolment });
    },
    deleteItemAsync: (key, options) => {
      const item = items.get(nameOf(key, options));
      // The module ignores the system's result.
      if (item && isReadable(phone, item.accessible)) items.delete(nameOf(key, options));
      return Promise.resolve();
    },
  };
}
