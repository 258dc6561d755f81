import type { HttpResponse } from '../../kernel/http-message.ts';
import { parseScope } from '../../registrations/clients.ts';
import type { RefreshAnswer } from '../../sessions/requests.ts';
import { invalidGrant, invalidRequest, invalidScope, OAuthError } from '../answers.ts';
import { chooseCookie, copiesOf, replaced } from '../cookie-jar.ts';
import { flag, text } from '../description.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import { peerOf, type FormRequest } from '../endpoint.ts';
import { readFlag, readSid, requireParameter, type Parameters } from '../form.ts';
import { proofMissing, verifyRequestProof } from '../proof.ts';
import { clearCookie, type CookieJar, type RefreshCookie } from '../refresh-cookies.ts';
import type { Grant } from './grant.ts';
import { prepareAccessToken, tokenResponse } from './token-response.ts';

/** @see RFC 6749 §6 */
export const REFRESH_TOKEN: Grant = {
  grantType: 'refresh_token',
  provesSession: true,
  fields: {
    refresh_token: text('For refresh_token, of clients that receive it in the body'),
    sid: text('For refresh_token, of clients with cookies: the session that is meant'),
    scope: text('For refresh_token: a part of the grant'),
    user_active: flag('Whether the user is behind this refresh'),
    extend: flag('Whether the user asked to extend the session: the inactivity timeout starts anew. Default: false'),
  },
  answer: refresh,
};

async function refresh(form: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<HttpResponse> {
  const { client, parameters, request } = form;
  const scope = readScope(parameters);
  const isUserActive = readFlag(parameters, 'user_active', true);
  const isExtension = readFlag(parameters, 'extend', false);
  const tokenIssuer = prepareAccessToken(form, parts);
  const cookie = client.refreshTokenTransport === 'cookie' ? await readCookie(form, jar, parts) : null;
  const refreshToken = cookie === null ? requireParameter(parameters, 'refresh_token') : cookie.value;
  const { address, userAgent } = peerOf(request);
  const answer = await parts.sessions.refresh({
    refreshToken,
    client,
    scope,
    isUserActive,
    isExtension,
    verifyProof: () => verifyRequestProof(request, parts),
    address,
    userAgent,
    copies: copiesOf(jar),
  });
  if (answer.kind === 'granted') {
    return tokenResponse(answer, scope ?? answer.session.scope, form, { issuer: parts.issuer, tokenIssuer });
  }
  throw toError(answer, cookie);
}

function readCookie({ client, parameters }: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<RefreshCookie> {
  if (parameters.has('refresh_token')) {
    throw invalidRequest('This client presents its refresh token in a cookie');
  }
  return chooseCookie(jar, readSid(parameters, 'sid'), client, parts);
}

/** Reasons that do not end the session: its owner may still use a token that another client or key presented. */
const NOT_TERMINAL: ReadonlySet<string> = new Set(['wrong_client', 'wrong_key']);

function toError(answer: Exclude<RefreshAnswer, { kind: 'granted' }>, cookie: RefreshCookie | null): OAuthError {
  if (answer.kind === 'wait') {
    return new OAuthError(429, 'temporarily_unavailable', 'The session is being refreshed elsewhere', {
      reason: 'wait',
      headers: { 'retry-after': String(Math.ceil(answer.retryAfterMs / 1_000)) },
    });
  }
  if (answer.error === 'invalid_scope') return invalidScope();
  if (answer.error === 'invalid_dpop_proof') return proofMissing();
  const isTerminal = cookie !== null && !NOT_TERMINAL.has(answer.reason);
  const headers = isTerminal ? { 'set-cookie': [clearCookie(cookie.name)] } : {};
  return answer.successor === null ? invalidGrant(answer.reason, headers) : replaced(answer.successor, headers);
}

function readScope(parameters: Parameters): readonly string[] | null {
  const parameter = parameters.get('scope');
  if (parameter === undefined) return null;
  const scope = parseScope(parameter);
  if (scope === null) throw invalidScope();
  return scope;
}
