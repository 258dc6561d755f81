import type { AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { encodeForm } from '../core/wire.ts';
import { whyFailed } from '../runtime/why-failed.ts';

// The parts of WebAuthn's two ceremonies that all platforms share: requests to the server, its answers, and errors.

/**
 * The reason why a ceremony failed.
 *
 * | value | meaning |
 * | --- | --- |
 * | `cancelled` | declined, timed out, not verified, or no passkey for this site: platforms do not tell which |
 * | `unavailable` | this platform or authenticator does not support passkeys |
 * | `already-registered` | the authenticator already holds a passkey of this account |
 * | `not-allowed-here` | the page's origin, or the app, does not belong to the RP ID, or is not secure |
 * | `failed` | any other reason; for a `HoldfastError`, see its `code` |
 */
export type PasskeyFailure = 'cancelled' | 'unavailable' | 'already-registered' | 'not-allowed-here' | 'failed';

/** A registered passkey: its credential id in base64url, and its name. */
export type RegisteredPasskey = { readonly id: string; readonly name: string };

/** Tells why a ceremony rejected, by the name of its error. @see WebAuthn Level 3 §5.1.3, §5.1.4 */
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
 * Asks the challenge endpoint for the options of a sign-in. A Holdfast server answers 200, because browsers log every
 * 4xx as an error in the console. Other servers ignore the field and answer 403 `insufficient_authorization`.
 */
export const BEGINNING = { passkey_options: 'true' };

/** The server's data for a ceremony: its session at the server, and the options for the authenticator. */
export type Ceremony<Options> = { readonly session: string; readonly options: Options };

/** Reads the ceremony from the server's answer. Throws `misconfigured` if the server offers no passkeys. */
export function readCeremony<Options>(json: Readonly<Record<string, unknown>>): Ceremony<Options> {
  const { auth_session: session, passkey_options: options } = json;
  if (typeof session !== 'string' || typeof options !== 'object' || options === null)
    throw new HoldfastError('misconfigured', 'the server offers no passkeys');
  return { session, options: options as Options };
}

/** Options of a registration: the issuer, the name of the passkey, and a signal that ends the ceremony. */
export type PasskeyRegistrationOptions = {
  readonly issuer: string;
  readonly name?: string;
  readonly signal?: AbortSignal;
};

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
    // Set the content type explicitly: Expo's `fetch` sets none for a `URLSearchParams`.
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
  { issuer, signal }: PasskeyRegistrationOptions,
): Promise<Ceremony<Options>> => readCeremony(await post(auth, issuer, 'passkeys/options', {}, signal));

/** Registers the new credential of the authenticator. */
export async function finishRegistration(
  auth: Fetch,
  { issuer, name, signal }: PasskeyRegistrationOptions,
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
