import type { AuthService } from '../auth-service.ts';
import {
  BEGINNING,
  beginRegistration,
  finishRegistration,
  readCeremony,
  type RegisteredPasskey,
  type PasskeyRegistrationOptions,
} from '../platform/passkey-ceremony.ts';
import type { SignInMethod } from '../runtime/sign-in.ts';

export { explainPasskeyError } from '../platform/passkey-ceremony.ts';

// Passkeys on iOS: Face ID or Touch ID releases a key in the device's secure hardware, and the key signs the server's
// challenge. A local check of the face alone would prove nothing to a server.

/** The used part of `react-native-passkeys`: `import * as passkeys from 'react-native-passkeys'`. */
export type Passkeys = {
  readonly isSupported: () => boolean;
  // The server's options and the authenticator's responses pass through unchanged.
  readonly get: (options: never) => Promise<object | null>;
  readonly create: (options: never) => Promise<object | null>;
};

/** WebAuthn's error names for the native module's codes. A failed prompt counts as cancelled. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['ERR_USER_CANCELLED', 'NotAllowedError'],
  ['ERR_PASSKEY_REQUEST_FAILED', 'NotAllowedError'],
  ['ERR_PASSKEY_AUTHORIZATION_FAILED', 'NotAllowedError'],
  ['ERR_NOT_SUPPORTED', 'NotSupportedError'],
  // The user has enrolled no face or finger.
  ['ERR_BIOMETRIC', 'NotSupportedError'],
  ['ERR_PENDING_PASSKEY_REQUEST', 'OperationError'],
  // The site does not name this app in its association file.
  ['ERR_NOT_CONFIGURED', 'SecurityError'],
]);

function errorNamed(name: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { name });
}

/** Runs a ceremony of the native module. Gives its errors the names of WebAuthn, which `explainPasskeyError` reads. */
async function ask(ceremony: () => Promise<object | null>): Promise<object> {
  let credential: object | null;
  try {
    credential = await ceremony();
  } catch (error) {
    const { code = '' } = error as { readonly code?: string };
    const name = NAMES.get(code);
    throw name === undefined ? error : errorNamed(name, 'the passkey was not used', error);
  }
  if (credential === null) throw errorNamed('NotAllowedError', 'no passkey was given');
  return credential;
}

function requireSupport(passkeys: Passkeys): void {
  if (!passkeys.isSupported()) throw errorNamed('NotSupportedError', 'this device has no passkeys');
}

/**
 * Signs in with a passkey: `auth.signIn(passkey(passkeys))`, or as a stage of the reauthentication chain. The user
 * types no name. Rejects with an error that `explainPasskeyError` reads, or the `HoldfastError` of `signIn`.
 *
 * @param passkeys the module `react-native-passkeys`
 * @see WebAuthn Level 3 §7.2, draft-ietf-oauth-first-party-apps
 */
export function passkey(passkeys: Passkeys): SignInMethod {
  return async (send) => {
    requireSupport(passkeys);
    const begun = await send(BEGINNING);
    if (begun.kind !== 'rejected') return begun;
    const { session, options } = readCeremony<never>(begun.more);
    const credential = await ask(() => passkeys.get(options));
    return send({ auth_session: session, passkey_response: JSON.stringify(credential) });
  };
}

/**
 * Creates a passkey for the signed-in user and registers it with the server. The server requires a recent
 * authentication. If the last one is too old, `auth` starts a step-up, and the registration continues after it.
 *
 * Rejects with an error that `explainPasskeyError` reads, or a `HoldfastError`: `step-up-declined`, `http-status` if
 * the server refuses (400: the ceremony took too long; 409: the user has too many passkeys), or the errors of
 * `auth.fetch`.
 *
 * @param passkeys the module `react-native-passkeys`
 * @see WebAuthn Level 3 §7.1
 */
export async function registerPasskey(
  passkeys: Passkeys,
  auth: Pick<AuthService, 'fetch'>,
  options: PasskeyRegistrationOptions,
): Promise<RegisteredPasskey> {
  requireSupport(passkeys);
  const ceremony = await beginRegistration<never>(auth, options);
  const credential = await ask(() => passkeys.create(ceremony.options));
  return finishRegistration(auth, options, ceremony.session, credential);
}
