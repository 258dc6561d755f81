import type { HttpResponse } from '../../kernel/http-message.ts';
import type { SignOutRequest } from '../../sessions/requests.ts';
import { REFRESH_TOKEN_PREFIX } from '../../tokens/refresh-token.ts';
import { invalidGrant, invalidRequest, json, OAuthError } from '../answers.ts';
import { clearingDead, findNamed, readJar } from '../cookie-jar.ts';
import { CLIENT_ID, flag, text } from '../description.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import { peerOf, type Endpoint, type FormRequest } from '../endpoint.ts';
import { readDeviceSecret, readFlag, readSid, requireParameter } from '../form.ts';
import { proofMissing, verifyRequestProof } from '../proof.ts';
import { clearCookie, cookieNameOf } from '../refresh-cookies.ts';

/**
 * Signs a device out by a refresh token of its chain. `everywhere` ends every session of the user; a device that was
 * offline at the user's request sends it later. `discard` ends only the session of a sign-in that lost to another tab.
 * An unknown token is answered like a revoked one and ends nothing. `everywhere` without a live session is refused,
 * because the other sessions continue.
 *
 * @see RFC 7009
 */
export const REVOCATION_ENDPOINT: Endpoint<'form'> = {
  kind: 'form',
  path: '/revoke',
  hasCookies: true,
  methods: {
    POST: {
      isRepeatable: true,
      description: {
        operationId: 'revoke',
        summary: 'Sign a device out by a refresh token of its chain, or end all sessions of its user',
        description: 'RFC 7009. A token that means nothing is answered 200 as well, and ends nothing.',
        form: {
          required: ['client_id'],
          fields: {
            client_id: CLIENT_ID,
            token: text('The refresh token, of clients that receive it in the body'),
            sid: text('Of clients with cookies: the session that is meant'),
            everywhere: flag(
              'Whether all other sessions of the user end as well, if this one lives; and sign-ins under way',
            ),
            discard: flag(
              'Whether this session ends alone: a sign-in that lost to another tab. Not together with everywhere',
            ),
            device_secret: text('Of clients with cookies: proves the device where the cookie is lost'),
          },
        },
        responses: { 200: { description: 'There is no such session any more' } },
      },
      answer: async (form, parts) => {
        if (form.client.refreshTokenTransport !== 'cookie') {
          const { parameters } = form;
          return signOut(form, { refreshToken: requireParameter(parameters, 'token'), device: null }, parts);
        }
        const sid = readSid(form.parameters, 'sid');
        if (sid === null) throw invalidRequest('The parameter sid is missing');
        const jar = readJar(form.request, parts);
        return clearingDead(jar, parts, async () => {
          // If the session's cookie is missing, the device secret may still prove that this is the same browser.
          const refreshToken = findNamed(jar, sid, parts.issuer)?.value ?? null;
          const secret = readDeviceSecret(form.parameters);
          const proof = { refreshToken, device: secret === null ? null : { sid, secret } };
          return signOut(form, proof, parts, { 'set-cookie': [clearCookie(cookieNameOf(sid, parts.issuer))] });
        });
      },
    },
  },
};

async function signOut(
  { parameters, client, request }: FormRequest,
  proof: Pick<SignOutRequest, 'refreshToken' | 'device'>,
  parts: EndpointParts,
  headers: HttpResponse['headers'] = {},
): Promise<HttpResponse> {
  // Refuse malformed flags: a misread value would get 200 for less than was requested (RFC 6749 §5.2).
  const isEverywhere = readFlag(parameters, 'everywhere', false);
  const isDiscard = readFlag(parameters, 'discard', false);
  if (isEverywhere && isDiscard)
    throw invalidRequest('discard ends one session, everywhere ends all: ask for one of them');
  if (proof.refreshToken !== null) await refuseAccessToken(proof.refreshToken, parts);
  const verifyProof = (): string | null => verifyRequestProof(request, parts);
  const asked = { ...proof, client, isEverywhere, isDiscard, verifyProof, ...peerOf(request) };
  const outcome = await parts.sessions.signOut(asked);
  if (outcome.kind === 'wrong_holder') {
    throw outcome.reason === 'proof_missing' ? proofMissing() : invalidGrant(outcome.reason);
  }
  if (outcome.kind === 'wait') {
    throw new OAuthError(429, 'temporarily_unavailable', 'The session is being refreshed elsewhere', {
      reason: 'wait',
      headers: { 'retry-after': String(Math.ceil(outcome.retryAfterMs / 1_000)) },
    });
  }
  if (outcome.kind === 'not_everywhere') throw invalidGrant('not_everywhere', headers);
  return json(200, {}, headers);
}

/**
 * Refuses access tokens. To report success would be false: an access token lives to its expiry, or ends with its
 * session.
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
