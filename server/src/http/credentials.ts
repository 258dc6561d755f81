import type { User } from '../storage/user-store.ts';
import { invalidRequest, OAuthError } from './answers.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import type { FormRequest } from './endpoint.ts';
import { requireParameter } from './form.ts';

/** The user who signed in, and the means of authentication. */
export type Authentication = {
  readonly user: User;
  readonly signInEpoch: number;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
  readonly acr: string;
};

/**
 * Checks the credential in a challenge request: a password or a passkey's response.
 *
 * @param codeChallenge of this sign-in; a passkey's challenge is bound to it, so a stolen response signs no attacker in
 * @throws OAuthError `insufficient_authorization` with the missing credentials, `access_denied`, `invalid_session`, 429
 */
export async function checkCredential(
  form: FormRequest,
  codeChallenge: string,
  parts: EndpointParts,
): Promise<Authentication> {
  const { parameters } = form;
  if (parameters.has('passkey_response')) return checkPasskey(form, codeChallenge, parts);
  const username = parameters.get('username');
  const password = parameters.get('password');
  if (username !== undefined && password !== undefined) return checkPassword(username, password, form, parts);
  throw await insufficientAuthorization(form, codeChallenge, parts);
}

/** Answers a request without a credential: it lists the accepted ones. The answer is the same for every user. */
async function insufficientAuthorization(
  form: FormRequest,
  codeChallenge: string,
  parts: EndpointParts,
): Promise<OAuthError> {
  const members = await beginPasskey(form, codeChallenge, parts);
  return new OAuthError(403, 'insufficient_authorization', 'A username and a password, or a passkey, are needed', {
    reason: 'credentials_missing',
    members,
  });
}

/** Starts a sign-in with a passkey. @returns members of the response */
export async function beginPasskey(
  { client }: FormRequest,
  codeChallenge: string,
  { passkeys }: EndpointParts,
): Promise<Readonly<Record<string, unknown>>> {
  const { session, options } = await passkeys.requestOptions(client, codeChallenge);
  return { auth_session: session, passkey_options: options };
}

async function checkPassword(
  username: string,
  password: string,
  { client, request }: FormRequest,
  { passwordSignIn, report }: EndpointParts,
): Promise<Authentication> {
  const { remoteAddress } = request;
  const verdict = await passwordSignIn.authenticate(username, password, remoteAddress);
  switch (verdict.kind) {
    case 'authenticated':
      return { user: verdict.user, signInEpoch: verdict.signInEpoch, amr: ['pwd'], acr: 'aal1' };
    case 'refused':
      report({ type: 'sign_in.failed', clientId: client.clientId, address: remoteAddress });
      throw wrongCredentials();
    case 'delayed': {
      const { retryAfterMs } = verdict;
      report({ type: 'sign_in.delayed', clientId: client.clientId, address: remoteAddress, retryAfterMs });
      throw new OAuthError(429, 'temporarily_unavailable', 'Too many wrong passwords: try again later', {
        reason: 'password_attempts',
        headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) },
      });
    }
  }
}

async function checkPasskey(
  { client, parameters, request }: FormRequest,
  codeChallenge: string,
  { passkeys, report }: EndpointParts,
): Promise<Authentication> {
  const session = requireParameter(parameters, 'auth_session');
  const response = requireParameter(parameters, 'passkey_response');
  const verdict = await passkeys.authenticate({ client, codeChallenge, session, response });
  switch (verdict.kind) {
    case 'authenticated':
      // The authenticator verified the user and holds the key: two factors. Without attestation, hardware stays
      // unproven.
      return { user: verdict.user, signInEpoch: verdict.signInEpoch, amr: ['swk', 'user', 'mfa'], acr: 'aal2' };
    case 'malformed':
      throw invalidRequest('passkey_response is the JSON of a PublicKeyCredential');
    case 'invalid_session':
      throw invalidSession();
    case 'unknown':
    case 'refused':
      report({ type: 'sign_in.failed', clientId: client.clientId, address: request.remoteAddress });
      // A credential id is as random as a key. `passkey_unknown` lets the client tell the passkey provider to remove
      // it.
      throw verdict.kind === 'unknown' ? wrongCredentials('passkey_unknown') : wrongCredentials();
  }
}

function wrongCredentials(reason = 'credentials'): OAuthError {
  return new OAuthError(400, 'access_denied', 'The credentials are wrong', { reason });
}

/** @see draft-ietf-oauth-first-party-apps §5.2.2 */
export function invalidSession(): OAuthError {
  return new OAuthError(
    400,
    'invalid_session',
    'The passkey challenge was answered before, expired or is another one',
    {
      reason: 'session',
    },
  );
}

/** Reports an account that signs in too often. @returns the error response */
export function tooManySignIns(
  { client, request }: FormRequest,
  { sub, retryAfterMs }: { readonly sub: string; readonly retryAfterMs: number },
  { report }: EndpointParts,
): OAuthError {
  const { clientId } = client;
  report({ type: 'sign_in.rate_exceeded', sub, clientId, address: request.remoteAddress, retryAfterMs });
  return new OAuthError(429, 'temporarily_unavailable', 'The account signs in too often: try again later', {
    reason: 'sign_in_rate',
    headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) },
  });
}
