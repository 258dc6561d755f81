import type { HttpResponse } from '../../kernel/http-message.ts';
import { isSid } from '../../kernel/ids.ts';
import { audienceKey } from '../../registrations/audiences.ts';
import { parseScope } from '../../registrations/clients.ts';
import type { CodeExchange } from '../../sessions/authorization-codes.ts';
import type { RefreshAnswer } from '../../sessions/requests.ts';
import type { SessionRecord } from '../../storage/store.ts';
import type { AccessTokenIssuer } from '../../tokens/access-token.ts';
import { invalidGrant, invalidRequest, invalidScope, invalidTarget, jsonText, OAuthError } from '../answers.ts';
import { chooseCookie, clearingDead, copiesOf, EMPTY_JAR, endSurplus, readJar, replaced } from '../cookie-jar.ts';
import { tooManySignIns } from '../credentials.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import { peerOf, type FormEndpoint, type FormRequest } from '../endpoint.ts';
import { readFlag, requireParameter, type Parameters } from '../form.ts';
import { proofMissing, verifyRequestProof } from '../proof.ts';
import { clearCookie, cookieNameOf, storeCookie, type RefreshCookie, type CookieJar } from '../refresh-cookies.ts';

/** @see RFC 6749 §4.1.3, §6 */
export const TOKEN_ENDPOINT: FormEndpoint = {
  kind: 'form',
  path: '/token',
  hasCookies: true,
  isRepeatable: false,
  answer: async (form, parts) => {
    const jar = form.client.delivery === 'cookie' ? readJar(form.request, parts) : null;
    if (jar === null) return answerGrant(form, EMPTY_JAR, parts);
    const isUse = form.parameters.get('grant_type') === 'refresh_token';
    return clearingDead(jar, parts, () => answerGrant(form, jar, parts), isUse);
  },
};

async function answerGrant(form: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<HttpResponse> {
  switch (requireParameter(form.parameters, 'grant_type')) {
    case 'refresh_token':
      return refresh(form, jar, parts);
    case 'authorization_code':
      return exchangeCode(form, jar, parts);
    default:
      throw new OAuthError(400, 'unsupported_grant_type', 'The grant type is not supported');
  }
}

/** RFC 7636 §4.1, and the form of our codes. Other values cannot match, so they need no look-up. */
const CODE_VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;
const CODE = /^[A-Za-z0-9_-]{43}$/;

async function exchangeCode(form: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<HttpResponse> {
  const { client, parameters, request } = form;
  const code = requireParameter(parameters, 'code');
  const codeVerifier = requireParameter(parameters, 'code_verifier');
  if (!CODE.test(code) || !CODE_VERIFIER.test(codeVerifier)) throw invalidGrant('code');
  const device = readDevice(form, jar);
  const jkt = verifyRequestProof(request, parts);
  if (jkt === null && client.isProofRequired) throw proofMissing();
  const tokenIssuer = prepareAccessToken(form, parts);
  const answer = await parts.codes.exchange({ client, code, codeVerifier, jkt, ...device, ...peerOf(request) });
  switch (answer.kind) {
    case 'exchanged': {
      const { session, refreshToken } = answer;
      await endSurplus(jar, session, device.replaces, request.remoteAddress, parts);
      return tokenResponse({ session, refreshToken, jkt }, session.scope, form, { issuer: parts.issuer, tokenIssuer });
    }
    case 'refused':
      throw answer.reason === 'proof_missing' ? proofMissing() : invalidGrant(answer.reason);
    case 'too_many_sessions':
      throw new OAuthError(
        429,
        'too_many_sessions',
        'The user is signed in on too many devices: sign out on one of them',
      );
    case 'delayed':
      throw tooManySignIns(form, answer, parts);
  }
}

/** The base64url of 32 bytes. */
const DEVICE_SECRET = CODE;

/**
 * Reads the device's proofs in an exchange: its secret, the session that it replaces, and refresh tokens of its
 * sessions.
 */
function readDevice({ client, parameters }: FormRequest, jar: CookieJar): DeviceParameters {
  const deviceSecret = readDeviceSecret(parameters);
  const token = parameters.get('replaces_token');
  const body = token === undefined ? [] : [token];
  const copies = client.delivery === 'cookie' ? copiesOf(jar) : body;
  return { deviceSecret, replaces: readSid(parameters, 'replaces'), copies };
}

/** @throws OAuthError `invalid_request` if the parameter is present and malformed */
export function readDeviceSecret(parameters: Parameters): string | null {
  const secret = parameters.get('device_secret') ?? null;
  if (secret !== null && !DEVICE_SECRET.test(secret))
    throw invalidRequest('device_secret is the base64url of 32 bytes');
  return secret;
}

type DeviceParameters = Pick<CodeExchange, 'deviceSecret' | 'replaces' | 'copies'>;

async function refresh(form: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<HttpResponse> {
  const { client, parameters, request } = form;
  const scope = readScope(parameters);
  const isUserActive = readFlag(parameters, 'user_active', true);
  const isExtension = readFlag(parameters, 'extend', false);
  const tokenIssuer = prepareAccessToken(form, parts);
  const cookie = client.delivery === 'cookie' ? await readCookie(form, jar, parts) : null;
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

/**
 * A granted request: the session, the refresh token to hand out if any, and the key that the access token is bound to.
 */
type Grant = Pick<Extract<RefreshAnswer, { readonly kind: 'granted' }>, 'session' | 'refreshToken' | 'jkt'>;

/**
 * Builds the token response.
 *
 * `sid` and `sub` are our additions: with them a client discards a response about another session than it asked for. Of
 * two sessions with one `device_id`, a client keeps the one with the larger `device_sequence`.
 *
 * @see RFC 6749 §5.1; draft-ietf-oauth-refresh-token-expiration
 */
function tokenResponse(
  { session, refreshToken, jkt }: Grant,
  scope: readonly string[],
  { client }: FormRequest,
  { issuer, tokenIssuer }: { readonly issuer: string; readonly tokenIssuer: AccessTokenIssuer },
): HttpResponse {
  const { accessToken, expiresInSeconds } = tokenIssuer.issue(session, scope, jkt);
  const authorizationExpiresIn = secondsUntil(session.expiresAtMs, session);
  const isCookie = client.delivery === 'cookie';
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
function prepareAccessToken({ client, parameters }: FormRequest, { accessTokens }: EndpointParts): AccessTokenIssuer {
  const resource = parameters.get('resource');
  if (resource === undefined) return accessTokens.prepare();
  const audience = client.audiences.get(audienceKey(resource));
  if (audience === undefined) throw invalidTarget();
  return accessTokens.prepare(audience);
}

function readScope(parameters: Parameters): readonly string[] | null {
  const parameter = parameters.get('scope');
  if (parameter === undefined) return null;
  const scope = parseScope(parameter);
  if (scope === null) throw invalidScope();
  return scope;
}

/** @throws OAuthError `invalid_request` if the parameter is present and not a UUID */
export function readSid(parameters: Parameters, name: string): string | null {
  const parameter = parameters.get(name)?.toLowerCase();
  if (parameter === undefined) return null;
  if (!isSid(parameter)) throw invalidRequest(`${name} is a UUID`);
  return parameter;
}
