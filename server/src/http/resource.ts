import { formatChallenges } from '../kernel/challenge.ts';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Client } from '../registrations/clients.ts';
import type { EndingProgress } from '../sessions/mass-endings.ts';
import type { AccessTokenClaims } from '../tokens/access-token.ts';
import { requireAuthentication } from '../tokens/step-up.ts';
import { json, OAuthError } from './answers.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import { hasForm, readForm, type Parameters } from './form.ts';

/** Path of the account endpoints' resource metadata. @see RFC 9728 §3 */
export const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource';

/** A request with a valid access token and a live session. */
export type Access = {
  readonly request: HttpRequest;
  readonly claims: AccessTokenClaims;
  readonly client: Client;
  /** The path's `{id}`; empty if the endpoint has none. */
  readonly id: string;
  /** Form parameters of POST and PATCH; empty for other methods. */
  readonly parameters: Parameters;
};

/**
 * Admits a request to an account endpoint.
 *
 * Looks the session up: after a sign-out, the rest of the access token's life must not suffice to add a passkey.
 *
 * @throws OAuthError 401 with an error of RFC 6750 or RFC 9449, and the errors of {@link readForm}
 * @see RFC 6750 §3
 */
export async function admit(request: HttpRequest, id: string, parts: EndpointParts): Promise<Access> {
  const { authorization, dpop } = request.headers;
  const url = parts.issuer + request.path;
  // APIs receive tokens of the other audiences and must not act on the account with them (RFC 9700 §2.3).
  const account = { audience: parts.issuer, metadataUrl: parts.issuer + RESOURCE_METADATA_PATH };
  const verdict = await parts.accessTokens.verify(authorization, { method: request.method, url, dpop }, account);
  if (!verdict.ok) throw unauthorized(verdict.wwwAuthenticate, verdict.error, verdict.reason);
  const { claims } = verdict;
  const client = parts.clients.get(claims.client_id);
  const [live] = await parts.findLive([claims.sid]);
  if (client === undefined || live?.sub !== claims.sub) {
    const ended = { error: 'invalid_token', errorDescription: 'The session has ended' } as const;
    const resourceMetadata = account.metadataUrl;
    throw unauthorized(formatChallenges({ scheme: 'Bearer', ...ended, resourceMetadata }));
  }
  const parameters = hasForm(request.method)
    ? readForm(request, parts.policy.bodyLimitBytes)
    : new Map<string, string>();
  return { request, claims, client, id, parameters };
}

function unauthorized(wwwAuthenticate: string, error = 'invalid_token', reason = 'access_token'): OAuthError {
  return new OAuthError(401, error, 'A valid access token for this audience is needed', {
    reason,
    headers: { 'www-authenticate': wwwAuthenticate },
  });
}

/**
 * Requires a recent authentication to change credentials or end other sessions.
 *
 * @throws OAuthError 401 `insufficient_user_authentication` with `max_age`
 * @see RFC 9470 §3
 */
export function requireRecentAuthentication({ claims }: Access, { policy }: EndpointParts): void {
  const challenge = requireAuthentication(
    claims,
    { maxAgeSeconds: policy.recentAuthenticationSeconds },
    { toleranceSeconds: policy.clockToleranceSeconds },
  );
  if (challenge === null) return;
  throw new OAuthError(401, 'insufficient_user_authentication', 'A more recent authentication is needed', {
    reason: 'authentication_age',
    headers: { 'www-authenticate': challenge.wwwAuthenticate },
  });
}

/** 404 for a missing resource and for another user's resource: the two must look alike. */
export function unknownResource(): OAuthError {
  return new OAuthError(404, 'not_found', 'There is no such thing of this user');
}

/** 409: a user must keep a credential to sign in with. */
export function lastCredential(): OAuthError {
  return new OAuthError(409, 'access_denied', 'This is the only way to sign in that is left', {
    reason: 'last_credential',
  });
}

/** Returns how many sessions have ended. With `is_complete: false` the server ends the rest soon. */
export function endedSessions({ count, isComplete }: EndingProgress): HttpResponse {
  return json(200, { ended: count, is_complete: isComplete });
}

export function noContent(): HttpResponse {
  const { headers } = json(204, {});
  return { status: 204, headers: { 'cache-control': headers['cache-control'] ?? 'no-store' }, body: '' };
}

/** NumericDate (RFC 7519 §2). */
export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1_000);
}
