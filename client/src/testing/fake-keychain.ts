import type { SecureStore, SecureStoreOptions } from '../expo/modules.ts';

// The keychain of a phone, behind a module that keeps what `expo-secure-store` documents and does.

/** How far the phone is unlocked. `prewarmed`: not since its restart, and its keychain says "not found" instead of "locked". */
export type Lock = 'unlocked' | 'locked' | 'before-first-unlock' | 'prewarmed';

/** What happens at the prompt for the face. `waits`: nobody does anything yet. */
export type FaceAnswer = 'recognised' | 'cancelled' | 'locked-out' | 'waits';

/** What the owner of the phone decides. */
export type PhoneState = {
  lock: Lock;
  /** `full`: takes nothing more; `no-entitlement`: refuses all. */
  storage: 'fine' | 'full' | 'no-entitlement';
  face: FaceAnswer;
  /** Which faces are enrolled. */
  enrolment: number;
  appState: 'active' | 'inactive' | 'background';
  /** Prompts for the face so far. */
  prompts: number;
};

/** A value as it lies in the keychain. */
export type KeychainItem = {
  value: string;
  readonly accessible: number;
  /** Which faces were enrolled when it was written; `null`: it is not behind Face ID. */
  readonly enrolment: number | null;
};

const AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY = 1;
const WHEN_UNLOCKED = 5;
const WHEN_UNLOCKED_THIS_DEVICE_ONLY = 6;

/** As the module words an `OSStatus`. @see expo-secure-store, SecureStoreExceptions.swift */
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

/** `items` by name; `untilAnswered` resolves when the person who is asked for the face has done something. */
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
    // What was behind another face is gone for good.
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
      // What is there keeps its class, and asks for the face before it is changed; what is new does not.
      if (before && before.enrolment !== null) requireFace(phone);
      const enrolment = requireAuthentication ? phone.enrolment : null;
      if (before) before.value = value;
      else items.set(nameOf(key, options), { value, accessible, enrolment });
    },
    deleteItemAsync: (key, options) => {
      const item = items.get(nameOf(key, options));
      // The module does not look at what the system answers.
      if (item && isReadable(phone, item.accessible)) items.delete(nameOf(key, options));
      return Promise.resolve();
    },
  };
}
