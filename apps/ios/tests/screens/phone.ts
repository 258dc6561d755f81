import { createFakePhone, type FakePhone } from '../../../../client/src/testing/fake-phone.ts';
import { createSoftAuthenticator, type CeremonyOptions } from '../../../../server/src/testing/authenticator.ts';

// The phone that the native modules of the tests belong to. It outlives the app: a test starts the app on it as often as it likes.

/** The answers of iOS at a passkey's prompt: the native module's error codes, or `recognised`. */
export type PasskeyAnswer =
  | 'recognised'
  | 'ERR_USER_CANCELLED'
  | 'ERR_PASSKEY_REQUEST_FAILED'
  | 'ERR_BIOMETRIC'
  | 'ERR_NOT_CONFIGURED';

/** The phone, with what only the app's own modules reach. */
export type Phone = FakePhone & {
  passkeyAnswer: PasskeyAnswer;
  readonly createPasskey: (options: CeremonyOptions) => Promise<object>;
  readonly getPasskey: (options: CeremonyOptions) => Promise<object>;
  /** The files that the app wrote. */
  readonly fileTexts: Map<string, string>;
  /** The app's tasks in the background, by name. */
  readonly tasks: Map<string, () => Promise<unknown>>;
  readonly expirationListeners: Set<() => void>;
};

export function createPhone(): Phone {
  // As the origin of an app iOS gives the site that the passkey belongs to.
  const authenticator = createSoftAuthenticator('https://localhost');
  const answer = (make: () => string): Promise<object> =>
    phone.passkeyAnswer === 'recognised'
      ? Promise.resolve(JSON.parse(make()) as object)
      : Promise.reject(Object.assign(new Error('from the native module'), { code: phone.passkeyAnswer }));
  const recognised: PasskeyAnswer = 'recognised';
  const phone: Phone = Object.assign(createFakePhone(), {
    passkeyAnswer: recognised,
    createPasskey: (options: CeremonyOptions) => answer(() => authenticator.create(options)),
    getPasskey: (options: CeremonyOptions) => answer(() => authenticator.get(options)),
    fileTexts: new Map<string, string>(),
    tasks: new Map<string, () => Promise<unknown>>(),
    expirationListeners: new Set<() => void>(),
  });
  return phone;
}

const held = globalThis as { holdfastPhone?: Phone };

/** The phone of this test. */
export function currentPhone(): Phone {
  if (held.holdfastPhone === undefined) throw new Error('no phone is in use');
  return held.holdfastPhone;
}

/** From now on the native modules are this phone's. */
export function usePhone(phone: Phone): void {
  held.holdfastPhone = phone;
}
