import { REFRESH_TOKEN_PREFIX } from '../refresh-token.ts';
import { invalidGrant, invalidRequest, json, OAuthError } from './answers.ts';
import { peerOf } from './endpoint.ts';
import type { EndpointParts, FormEndpoint } from './endpoint.ts';
import { readFlag, requireParameter } from './form.ts';
import { proofMissing, verifyRequestProof } from './proof.ts';
import { chooseCookie, clearCookie, cookieNameOf, readRefreshCookies } from './refresh-cookies.ts';
import { readSid } from './token-endpoint.ts';

/**
 * Ends the session of a refresh token; with `everywhere`, every session of its user, for a device that was offline when they
 * asked for it. A token that means nothing is answered like one that was revoked, and ends nothing.
 *
 * @see RFC 7009
 */
export const REVOCATION_ENDPOINT: FormEndpoint = {
  kind: 'form',
  path: '/revoke',
  hasCookies: true,
  isRepeatable: true,
  answer: async ({ parameters, client, request }, parts) => {
    const { issuer, sessions, keyRing, findLive } = parts;
    const isCookie = client.delivery === 'cookie';
    // A value that is misread would be answered 200 for less than was asked (RFC 6749 §5.2: an unsupported parameter value).
    const isEverywhere = readFlag(parameters, 'everywhere', false);
    const sid = isCookie ? readSid(parameters, 'sid') : null;
    if (isCookie && sid === null) throw invalidRequest('The parameter sid is missing');
    const headers = sid === null ? {} : { 'set-cookie': [clearCookie(cookieNameOf(sid, issuer))] };
    const cookies = readRefreshCookies(request.headers['cookie'], issuer);
    const refreshToken =
      sid === null
        ? requireParameter(parameters, 'token')
        : await chooseCookie({ cookies, sid, client, issuer, keyRing, findLive }).then(
            ({ value }) => value,
            (error: unknown) => {
              // No cookie of that session: nothing to revoke.
              if (error instanceof OAuthError && error.error === 'invalid_grant') return null;
              throw error;
            },
          );
    if (refreshToken === null) return json(200, {}, headers);
    await refuseAccessToken(refreshToken, parts);
    const verifyProof = (): string | null => verifyRequestProof(request, parts);
    const outcome = await sessions.signOut({ refreshToken, client, isEverywhere, verifyProof, ...peerOf(request) });
    if (outcome.kind === 'wrong_holder') {
      throw outcome.reason === 'proof_missing' ? proofMissing() : invalidGrant(outcome.reason);
    }
    if (outcome.kind === 'wait') {
      throw new OAuthError(429, 'temporarily_unavailable', 'The session is being refreshed elsewhere', {
        reason: 'wait',
        headers: { 'retry-after': String(Math.ceil(outcome.retryAfterMs / 1000)) },
      });
    }
    return json(200, {}, headers);
  },
};

/**
 * "Revoked" would be a lie: an access token lives to its own expiry, or ends with its session.
 *
 * @throws OAuthError `unsupported_token_type`
 * @see RFC 7009 §2.2.1
 */
async function refuseAccessToken(token: string, { accessTokens }: EndpointParts): Promise<void> {
  if (token.startsWith(REFRESH_TOKEN_PREFIX) || (await accessTokens.read(token)) === null) return;
  throw new OAuthError(
    400,
    'unsupported_token_type',
    'An access token ends with its session: revoke the refresh token',
  );
}
