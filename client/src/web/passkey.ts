import type { AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
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
export type { PasskeyFailure, RegisteredPasskey } from '../platform/passkey-ceremony.ts';

// Passkeys in browsers: authentication and registration ceremony of WebAuthn.

/** Options of `passkey()`. */
export type PasskeyOptions = {
  /**
   * `optional` (default): the browser shows its dialog at once. `conditional`: the browser offers passkeys in the
   * autofill of a field with `autocomplete="username webauthn"`, as long as the page is open; it shows no dialog before
   * the user picks one.
   */
  readonly mediation?: 'optional' | 'conditional';
  /** Ends the ceremony, because a browser runs only one at a time. Default: the ceremony ends by itself. */
  readonly signal?: AbortSignal;
};

/** Tells if this browser supports `passkey` and `registerPasskey`. @see WebAuthn Level 3 §5.1.8, §5.1.9 */
export const isPasskeySupported = (): boolean =>
  typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** Tells if this browser offers passkeys in the autofill of a form (`mediation: 'conditional'`). Never rejects. */
export async function isPasskeyAutofillSupported(): Promise<boolean> {
  if (!isPasskeySupported() || !('isConditionalMediationAvailable' in PublicKeyCredential)) return false;
  return PublicKeyCredential.isConditionalMediationAvailable().catch(() => false);
}

function requireSupport(): void {
  if (!isPasskeySupported()) throw new DOMException('this browser has no passkeys', 'NotSupportedError');
}

/**
 * Tells the passkey provider that the server does not know this credential. Otherwise the provider offers it at every
 * sign-in. @see WebAuthn Level 3 §5.1.10
 */
async function reportUnknown(rpId: string, credentialId: string): Promise<void> {
  if (!('signalUnknownCredential' in PublicKeyCredential)) return;
  await PublicKeyCredential.signalUnknownCredential({ rpId, credentialId }).catch(() => {});
}

/** The assumed lifetime of a challenge if the server sends no `timeout`. */
const ASSUMED_TIMEOUT_MS = 300_000;

/**
 * Restarts a ceremony after this part of the challenge's lifetime: its response must still reach the server in time.
 */
const RENEWED_AFTER = 0.9;

/**
 * Asks the browser for a credential. Resolves with `null` if the challenge got too old. Rejects with a `DOMException`.
 */
async function getCredential(
  options: PublicKeyCredentialRequestOptionsJSON,
  mediation: 'optional' | 'conditional',
  signal: AbortSignal | undefined,
): Promise<PublicKeyCredential | null> {
  const lifetimeMs = (options.timeout ?? ASSUMED_TIMEOUT_MS) * RENEWED_AFTER;
  const endsAtMs = Date.now() + lifetimeMs;
  const renewal = AbortSignal.timeout(lifetimeMs);
  // Browsers ignore `timeout` for autofill, so it needs our timer. Their dialog has its own.
  const ends = [...(signal ? [signal] : []), ...(mediation === 'conditional' ? [renewal] : [])];
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey, mediation, signal: AbortSignal.any(ends) });
    // The timer stops while the device sleeps, but the challenge still expires.
    if (mediation === 'conditional' && Date.now() > endsAtMs) return null;
    if (credential === null) throw new DOMException('the browser gave no passkey', 'NotAllowedError');
    return credential as PublicKeyCredential;
  } catch (error) {
    if (mediation === 'conditional' && renewal.aborted && signal?.aborted !== true) return null;
    throw error;
  }
}

/**
 * Signs in with a passkey: `auth.signIn(passkey())`, or as a stage of the reauthentication chain. The user types no
 * name. The server must answer a challenge request without a credential with `auth_session` and `passkey_options`.
 *
 * Rejects with the browser's `DOMException` (`explainPasskeyError` reads it), with the signal's reason, or with the
 * `HoldfastError` of `signIn`: `sign-in-rejected` for a passkey that the server does not know or could not verify.
 * Reports an unknown passkey to its provider, if the browser supports that.
 *
 * @example
 * await auth.signIn(passkey())
 * @see WebAuthn Level 3 §7.2, draft-ietf-oauth-first-party-apps
 */
export function passkey({ mediation = 'optional', signal: ownSignal }: PasskeyOptions = {}): SignInMethod {
  return async (ask, chainSignal) => {
    requireSupport();
    const signals = [ownSignal, chainSignal].filter((each) => each !== undefined);
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    for (;;) {
      signal?.throwIfAborted();
      const begun = await ask(BEGINNING);
      if (begun.kind !== 'rejected') return begun;
      signal?.throwIfAborted();
      const { session, options } = readCeremony<PublicKeyCredentialRequestOptionsJSON>(begun.more);
      const credential = await getCredential(options, mediation, signal);
      if (credential === null) continue;
      signal?.throwIfAborted();
      const answer = await ask({ auth_session: session, passkey_response: JSON.stringify(credential) });
      if (answer.kind === 'rejected' && answer.more['reason'] === 'passkey_unknown')
        await reportUnknown(options.rpId ?? location.hostname, credential.id);
      return answer;
    }
  };
}

/**
 * Creates a passkey for the signed-in user and registers it with the server. The server requires a recent
 * authentication. If the last one is too old, `auth` starts a step-up, and the registration continues after it.
 *
 * Rejects with the browser's `DOMException` (`explainPasskeyError` reads it) or a `HoldfastError`: `step-up-declined`,
 * `http-status` if the server refuses (400: the ceremony took too long; 409: the user has too many passkeys), or the
 * errors of `auth.fetch`.
 *
 * @param options.issuer the authorization server's issuer identifier
 * @param options.name the user's name for the passkey, at most 64 characters. Default: chosen by the server
 * @see WebAuthn Level 3 §7.1
 */
export async function registerPasskey(
  auth: Pick<AuthService, 'fetch'>,
  options: PasskeyRegistrationOptions,
): Promise<RegisteredPasskey> {
  requireSupport();
  const ceremony = await beginRegistration<PublicKeyCredentialCreationOptionsJSON>(auth, options);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(ceremony.options);
  const credential = (await navigator.credentials.create({
    publicKey,
    ...(options.signal ? { signal: options.signal } : {}),
  })) as PublicKeyCredential | null;
  if (credential === null) throw new DOMException('the browser made no passkey', 'NotAllowedError');
  try {
    return await finishRegistration(auth, options, ceremony.session, credential);
  } catch (error) {
    // The server refused the passkey (the response was not lost): tell the authenticator to remove it.
    if (error instanceof HoldfastError && !error.isRetryable)
      await reportUnknown(ceremony.options.rp.id ?? location.hostname, credential.id);
    throw error;
  }
}
