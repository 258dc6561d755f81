import type { AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { encodeForm } from '../core/wire.ts';
import { whyFailed } from '../runtime/why-failed.ts';

// What the two ceremonies of WebAuthn are made of wherever they run: what the server says, what it is told, how it is put.

/**
 * Why a ceremony did not work out.
 *
 * | value | what happened |
 * | --- | --- |
 * | `cancelled` | declined, timed out, not verified, or no passkey of this site here: platforms do not tell which |
 * | `unavailable` | this platform or authenticator cannot do it |
 * | `already-registered` | the authenticator holds a passkey of this account |
 * | `not-allowed-here` | the page's origin, or the app, does not belong to the RP ID, or is not secure |
 * | `failed` | anything else; a `HoldfastError` says in its `code` what |
 */
export type PasskeyFailure = 'cancelled' | 'unavailable' | 'already-registered' | 'not-allowed-here' | 'failed';

/** A passkey that the server has registered: its credential id in base64url, and its name. */
export type RegisteredPasskey = { readonly id: string; readonly name: string };

/** Says why a ceremony rejected, from the name of its error. @see WebAuthn Level 3 §5.1.3, §5.1.4 */
export function explainPasskeyError(error: unknown): PasskeyFailure {
  switch (error instanceof Error ? error.name : '') {
    case 'InvalidStateError':
      return 'already-registered';
    case 'SecurityError':
      return 'not-allowed-here';
    default:
      return whyFailed(error);
  }
}

/**
 * Asks the challenge endpoint for the options of a sign-in. Our servers answer 200: a browser shows every 4xx as an error in its
 * console. Other servers ignore the field and answer 403 `insufficient_authorization`.
 */
export const BEGINNING = { passkey_options: 'true' };

/** What the server says to begin a ceremony with. */
export type Ceremony<Options> = { readonly session: string; readonly options: Options };

/** Reads the server's part of an answer. Throws `misconfigured` where it offers no passkeys. */
export function readCeremony<Options>(json: Readonly<Record<string, unknown>>): Ceremony<Options> {
  const { auth_session: session, passkey_options: options } = json;
  if (typeof session !== 'string' || typeof options !== 'object' || options === null)
    throw new HoldfastError('misconfigured', 'the server offers no passkeys');
  return { session, options: options as Options };
}

/** Where a passkey is registered, under which name; `signal` ends it. */
export type RegistrationOptions = { readonly issuer: string; readonly name?: string; readonly signal?: AbortSignal };

type Fetch = Pick<AuthService, 'fetch'>;

const endpoint = (issuer: string, path: string): string =>
  new URL(path, issuer.endsWith('/') ? issuer : `${issuer}/`).href;

async function post(
  auth: Fetch,
  issuer: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await auth.fetch(endpoint(issuer, path), {
    method: 'POST',
    resource: issuer,
    // In words: Expo's fetch names no type for a `URLSearchParams`.
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: encodeForm(fields),
    signal: signal ?? null,
  });
  if (response.ok) return (await response.json()) as Readonly<Record<string, unknown>>;
  if (response.status === 401) throw new HoldfastError('step-up-declined', 'authenticate again to register a passkey');
  throw new HoldfastError('http-status', `the server answered ${response.status}`, { response });
}

/** Asks the server for the options of a new passkey. */
export const beginRegistration = async <Options>(
  auth: Fetch,
  { issuer, signal }: RegistrationOptions,
): Promise<Ceremony<Options>> => readCeremony(await post(auth, issuer, 'passkeys/options', {}, signal));

/** Registers what the authenticator made. */
export async function finishRegistration(
  auth: Fetch,
  { issuer, name, signal }: RegistrationOptions,
  session: string,
  credential: unknown,
): Promise<RegisteredPasskey> {
  const fields = {
    auth_session: session,
    passkey_response: JSON.stringify(credential),
    ...(name === undefined ? {} : { name }),
  };
  const registered = await post(auth, issuer, 'passkeys', fields, signal);
  return { id: String(registered['id']), name: String(registered['name']) };
}
