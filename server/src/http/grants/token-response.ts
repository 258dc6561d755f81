import type { HttpResponse } from '../../kernel/http-message.ts';
import { audienceKey } from '../../registrations/audiences.ts';
import type { RefreshAnswer } from '../../sessions/requests.ts';
import type { SessionRecord } from '../../storage/store.ts';
import type { AccessTokenIssuer } from '../../tokens/access-token.ts';
import { invalidTarget, jsonText } from '../answers.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import type { FormRequest } from '../endpoint.ts';
import { cookieNameOf, storeCookie } from '../refresh-cookies.ts';

/**
 * A granted request: the session, the refresh token to hand out if any, and the key that the access token is bound to.
 */
type Granted = Pick<Extract<RefreshAnswer, { readonly kind: 'granted' }>, 'session' | 'refreshToken' | 'jkt'>;

/**
 * Builds the token response.
 *
 * `sid` and `sub` are our additions: with them a client discards a response about another session than it asked for. Of
 * two sessions with one `device_id`, a client keeps the one with the larger `device_sequence`.
 *
 * @see RFC 6749 §5.1; draft-ietf-oauth-refresh-token-expiration
 */
export function tokenResponse(
  { session, refreshToken, jkt }: Granted,
  scope: readonly string[],
  { client }: FormRequest,
  { issuer, tokenIssuer }: { readonly issuer: string; readonly tokenIssuer: AccessTokenIssuer },
): HttpResponse {
  const { accessToken, expiresInSeconds } = tokenIssuer.issue(session, scope, jkt);
  const authorizationExpiresIn = secondsUntil(session.expiresAtMs, session);
  const isCookie = client.refreshTokenTransport === 'cookie';
  const members = JSON.stringify({
    token_type: jkt === null ? 'Bearer' : 'DPoP',
    expires_in: expiresInSeconds,
    scope: scope.join(' '),
    resource: tokenIssuer.audience,
    refresh_token: isCookie ? undefined : (refreshToken ?? undefined),
    refresh_token_timeout: secondsUntil(session.idleExpiresAtMs, session),
    authorization_expires_in: authorizationExpiresIn,
    sid: session.sid,
    sub: session.sub,
    device_id: session.deviceId,
    device_sequence: session.deviceSequence,
  });
  // A JWT needs no JSON escapes and is most of the response, so it skips the serializer.
  const body = `{"access_token":"${accessToken}",${members.slice(1)}`;
  if (refreshToken === null || !isCookie) return jsonText(200, body);
  const cookie = storeCookie(cookieNameOf(session.sid, issuer), refreshToken, authorizationExpiresIn);
  return jsonText(200, body, { 'set-cookie': [cookie] });
}

function secondsUntil(atMs: number, { nowMs }: SessionRecord): number {
  return Math.max(0, Math.floor((atMs - nowMs) / 1_000));
}

/**
 * Chooses the audience and the signing key. Both can fail, so this runs before the session's row is read.
 *
 * @throws OAuthError `invalid_target`; HoldfastError `unavailable`
 * @see RFC 8707 §2.2
 */
export function prepareAccessToken(
  { client, parameters }: FormRequest,
  { accessTokens }: EndpointParts,
): AccessTokenIssuer {
  const resource = parameters.get('resource');
  if (resource === undefined) return accessTokens.prepare();
  const audience = client.audiences.get(audienceKey(resource));
  if (audience === undefined) throw invalidTarget();
  return accessTokens.prepare(audience);
}
