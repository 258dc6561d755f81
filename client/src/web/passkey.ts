import type { AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import {
  BEGINNING,
  beginRegistration,
  finishRegistration,
  readCeremony,
  type RegisteredPasskey,
  type RegistrationOptions,
} from '../platform/passkey-ceremony.ts';
import type { SignInMethod } from '../runtime/sign-in.ts';

export { explainPasskeyError } from '../platform/passkey-ceremony.ts';
export type { PasskeyFailure, RegisteredPasskey } from '../platform/passkey-ceremony.ts';

// Passkeys in browsers: the two ceremonies of WebAuthn between the page, the browser and the server.

/** How a passkey is asked for. */
export type PasskeyOptions = {
  /**
   * `optional`: by the browser's dialog, at once. `conditional`: by the autofill of a field with
   * `autocomplete="username webauthn"`, for as long as the page is open; nothing is shown until the user picks one.
   * Default: `optional`.
   */
  readonly mediation?: 'optional' | 'conditional';
  /** Ends the ceremony: a browser runs one at a time. Default: it ends by itself. */
  readonly signal?: AbortSignal;
};

/** Whether this browser can do what `passkey` and `registerPasskey` need: WebAuthn Level 3 §5.1.8, §5.1.9. */
export const isPasskeySupported = (): boolean =>
  typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** Whether this browser offers passkeys in the autofill of a form (`mediation: 'conditional'`). Never rejects. */
export async function isPasskeyAutofillSupported(): Promise<boolean> {
  if (!isPasskeySupported() || !('isConditionalMediationAvailable' in PublicKeyCredential)) return false;
  return PublicKeyCredential.isConditionalMediationAvailable().catch(() => false);
}

function requireSupport(): void {
  if (!isPasskeySupported()) throw new DOMException('this browser has no passkeys', 'NotSupportedError');
}

/** An unknown passkey is offered at every sign-in until its provider is told. @see WebAuthn Level 3 §5.1.10 */
async function reportUnknown(rpId: string, credentialId: string): Promise<void> {
  if (!('signalUnknownCredential' in PublicKeyCredential)) return;
  await PublicKeyCredential.signalUnknownCredential({ rpId, credentialId }).catch(() => {});
}

/** Used when the server names no `timeout`. */
const ASSUMED_TIMEOUT_MS = 300_000;

/** A ceremony is begun anew after this part of the challenge's life: what it brings must still reach the server. */
const RENEWED_AFTER = 0.9;

/** Asks the browser. `null`: the challenge has grown too old meanwhile. Rejects with a `DOMException`. */
async function getCredential(
  options: PublicKeyCredentialRequestOptionsJSON,
  mediation: 'optional' | 'conditional',
  signal: AbortSignal | undefined,
): Promise<PublicKeyCredential | null> {
  const lifetimeMs = (options.timeout ?? ASSUMED_TIMEOUT_MS) * RENEWED_AFTER;
  const endsAtMs = Date.now() + lifetimeMs;
  const renewal = AbortSignal.timeout(lifetimeMs);
  // Browsers ignore the timeout of autofill, and a dialog has one of its own.
  const ends = [...(signal ? [signal] : []), ...(mediation === 'conditional' ? [renewal] : [])];
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey, mediation, signal: AbortSignal.any(ends) });
    // The timer stands still while the device sleeps; the challenge grows old all the same.
    if (mediation === 'conditional' && Date.now() > endsAtMs) return null;
    if (credential === null) throw new DOMException('the browser gave no passkey', 'NotAllowedError');
    return credential as PublicKeyCredential;
  } catch (error) {
    if (mediation === 'conditional' && renewal.aborted && signal?.aborted !== true) return null;
    throw error;
  }
}

/**
 * Signs in with a passkey: `auth.signIn(passkey())`, or a stage of the reauthentication chain. The user is not named
 * before. Needs a server that answers `auth_session` and `passkey_options` to a challenge request without a credential.
 *
 * Rejects with the browser's `DOMException` (`explainPasskeyError` reads it), with the signal's reason, or with the
 * `HoldfastError` of `signIn`: `sign-in-rejected` for a passkey that the server does not know or could not verify.
 * One that it does not know is reported to the browser, where it can take the news.
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
 * Creates a passkey for the signed-in user and registers it with the server. The server wants a recent authentication for
 * it: when the last one is too old, `auth` asks for another first (a step-up), and the registration goes on by itself.
 *
 * Rejects with the browser's `DOMException` (`explainPasskeyError` reads it) or a `HoldfastError`: `step-up-declined`,
 * `http-status` when the server refuses (400 when the ceremony took too long, 409 when there are too many), or those of
 * `auth.fetch`.
 *
 * @param options.issuer the authorization server's issuer identifier
 * @param options.name what the user calls it, at most 64 characters. Default: the server's
 * @see WebAuthn Level 3 §7.1
 */
export async function registerPasskey(
  auth: Pick<AuthService, 'fetch'>,
  options: RegistrationOptions,
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
    // Refused, not lost on the way: the authenticator holds a passkey that opens nothing.
    if (error instanceof HoldfastError && !error.isRetryable)
      await reportUnknown(ceremony.options.rp.id ?? location.hostname, credential.id);
    throw error;
  }
}
