import { orNull } from './or-null.ts';
import type { HttpResponse, HttpRequest, PendingRevocation } from './ports.ts';
import type { TransientFailure, RejectionReason, TokenResult, Tokens, TransientCause } from './token-result.ts';

/** This client's identity and the endpoints of its authorization server. */
export type WireConfig = {
  readonly issuer: string;
  readonly clientId: string;
  readonly tokenEndpoint: string;
  readonly challengeEndpoint: string;
  readonly revocationEndpoint: string;
  readonly sessionsEndpoint: string;
  readonly scope: string | null;
  readonly hasCookie: boolean;
};

/** Assumed if the server does not name a lifetime. A 401 corrects it. */
const ASSUMED_LIFETIME_SECONDS = 3_600;

/** Encodes one form value. A lone surrogate is sent as U+FFFD, as browsers do. */
const encode = (text: string): string => encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\uFFFD'));

/** Encodes `application/x-www-form-urlencoded`, without the null fields. */
export function encodeForm(fields: Readonly<Record<string, string | null>>): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => (value === null ? [] : `${encode(name)}=${encode(value)}`))
    .join('&');
}

function post(url: string, config: WireConfig, fields: Readonly<Record<string, string | null>>): HttpRequest {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  return {
    url,
    method: 'POST',
    // A cross-site form cannot send this header: the server requires it wherever a cookie counts.
    headers: config.hasCookie ? { ...headers, 'holdfast-request': '1' } : headers,
    body: encodeForm({ client_id: config.clientId, ...fields }),
  };
}

/** The contents of a refresh request. */
export type Refresh = {
  readonly session: { readonly refreshToken: string | null; readonly sid: string | null };
  /** Reports user activity. Default of our servers: true. */
  readonly isUserActive: boolean;
  /** The user asked to extend the session: the server then writes the inactivity timeout even if it moves little. */
  readonly isExtension: boolean;
  /** The resource that the access token is for; `null`: the server's default. @see RFC 8707 §2.2 */
  readonly resource: string | null;
};

/**
 * The refresh request. With cookie delivery the browser adds the refresh token, and `sid` names the session.
 * @see RFC 6749 §6
 */
export function refreshRequest(
  config: WireConfig,
  { session, isUserActive, isExtension, resource }: Refresh,
): HttpRequest {
  return post(config.tokenEndpoint, config, {
    grant_type: 'refresh_token',
    refresh_token: session.refreshToken,
    sid: session.refreshToken === null ? session.sid : null,
    user_active: isUserActive ? null : 'false',
    extend: isExtension ? 'true' : null,
    resource,
  });
}

/**
 * The authorization code exchange. `replaced` is the session that this store holds. The new session joins its device
 * chain; the device secret, or a copy of that session, proves that it may. Other servers ignore these parameters.
 * @see RFC 6749 §4.1.3, RFC 7636 §4.5
 */
export const codeRequest = (
  config: WireConfig,
  code: string,
  codeVerifier: string,
  deviceSecret: string,
  replaced: { readonly refreshToken: string | null; readonly sid: string | null } | null,
): HttpRequest =>
  post(config.tokenEndpoint, config, {
    grant_type: 'authorization_code',
    code,
    code_verifier: codeVerifier,
    device_secret: deviceSecret,
    replaces: replaced && replaced.sid,
    replaces_token: replaced && replaced.refreshToken,
  });

/** First-party sign-in with a credential. @see draft-ietf-oauth-first-party-apps */
export const challengeRequest = (
  config: WireConfig,
  fields: Readonly<Record<string, string | null>>,
  codeChallenge: string,
): HttpRequest =>
  post(config.challengeEndpoint, config, {
    ...fields,
    scope: config.scope,
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
  });

/**
 * Ends the session at the server. `everywhere` ends the user's other sessions as well; other servers ignore it. @see
 * RFC 7009 §2.1
 */
export const revocationRequest = (
  config: WireConfig,
  session: PendingRevocation,
  deviceSecret: string,
): HttpRequest => ({
  ...post(config.revocationEndpoint, config, {
    token: session.refreshToken,
    ...(session.refreshToken === null && { sid: session.sid, device_secret: deviceSecret }),
    everywhere: session.everywhere ? 'true' : null,
    discard: session.discard ? 'true' : null,
  }),
  keepalive: true,
});

/** Parses a JSON object; `null` for any other text. JSON that begins with a brace is an object. */
export const parseObject = (body: string): Readonly<Record<string, unknown>> | null =>
  orNull(() => (/^\s*\{/u.test(body) ? (JSON.parse(body) as Readonly<Record<string, unknown>>) : null));

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Reads seconds from the wire; some servers send them as a string. */
export function seconds(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && number >= 0 && number < Infinity ? number : null;
}

declare const atob: (encoded: string) => string;

/**
 * The claims of a JWT; `null` for any other token, and in an engine too old to decode it. Only the issuer can verify
 * them. @see RFC 7519 §4
 */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | null {
  try {
    return parseObject(atob(token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? ''));
  } catch {
    return null;
  }
}

/** Reads a token answer into our units; `null` without an access token. @see RFC 6749 §5.1 */
function readTokens(json: Readonly<Record<string, unknown>>): Tokens | null {
  const accessToken = text(json['access_token']);
  if (accessToken === null) return null;
  const inactivitySeconds = seconds(json['refresh_token_timeout']) ?? Infinity;
  const authorizationSeconds = seconds(json['authorization_expires_in']) ?? Infinity;
  const endSeconds = Math.min(inactivitySeconds, authorizationSeconds);
  const lifetimeSeconds = seconds(json['expires_in']) ?? ASSUMED_LIFETIME_SECONDS;
  return {
    accessToken,
    tokenType: text(json['token_type'])?.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer',
    lifetimeMs: lifetimeSeconds * 1_000,
    refreshToken: text(json['refresh_token']),
    scope: text(json['scope']),
    sid: text(json['sid']),
    sub: text(json['sub']),
    deviceId: text(json['device_id']),
    deviceSequence: seconds(json['device_sequence']),
    sessionLifetimeMs: endSeconds < Infinity ? endSeconds * 1_000 : null,
    isEndFixed: authorizationSeconds === endSeconds && endSeconds < Infinity,
  };
}

/** `Retry-After` in ms: seconds, or a date measured against the answer's own `Date`. @see RFC 9110 §10.2.3 */
export function readRetryAfterMs(headers: Readonly<Record<string, string>>): number | null {
  const value = headers['retry-after'];
  if (value === undefined) return null;
  const delay = seconds(value);
  if (delay !== null) return delay * 1_000;
  const wait = Date.parse(value) - Date.parse(headers['date'] ?? '');
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}

function rejectionReason(reason: string | null): RejectionReason {
  if (reason === 'reuse') return 'reuse-detected';
  return reason === 'expired' || reason === 'idle_expired' ? 'expired' : 'revoked';
}

/**
 * Classifies an answer of the token endpoint. A session ends only by an OAuth error object with `invalid_grant`. A
 * captive portal's page, a proxy's 401 or a server's temporary failure says nothing about the session.
 * @see RFC 6749 §5.1, §5.2
 */
export function readTokenResponse({ status, headers, body }: HttpResponse): TokenResult {
  const json = parseObject(body);
  const error = text(json?.['error']);
  const isRefusal = status >= 400 && status < 500;
  const tokens = status >= 200 && status < 300 && json ? readTokens(json) : null;
  if (tokens) return { kind: 'tokens', tokens };
  if (isRefusal && error === 'invalid_grant')
    return {
      kind: 'rejected',
      reason: rejectionReason(text(json?.['reason'])),
      successor: text(json?.['successor']),
    };
  return {
    kind: 'transient',
    cause: transientCause(status, error, json !== null),
    retryAfterMs: readRetryAfterMs(headers),
    words:
      json && status < 500 && status !== 429
        ? quote(error ?? `status ${status}`, text(json['error_description']))
        : null,
  };
}

/**
 * Quotes a server's words for people and logs. A run of 20 characters or more may be a token, so it is cut, unless it
 * is a code such as `interaction_required`. @see RFC 6749 §5.2
 */
const quote = (code: string, description: string | null): string =>
  (description ? `${code}: ${description}` : code)
    .replaceAll(/[^ ]{20,}|[^ !#-[\]-~]/gu, (run) => (/^[a-z]+_[_a-z:]+$/u.test(run) ? run : '?'))
    .slice(0, 200);

function transientCause(status: number, error: string | null, isJson: boolean): TransientCause {
  if (status === 429) return 'rate-limited';
  if (status >= 500) return 'server-error';
  if (error === 'use_dpop_nonce') return 'nonce-required';
  // No retry of this client cures any other error code.
  if (error && error !== 'invalid_dpop_proof') return 'misconfigured';
  return !isJson || status < 300 ? 'not-json' : 'server-error';
}

/** A classified answer of the sign-in endpoint. */
export type ChallengeResult =
  | { readonly kind: 'code'; readonly code: string }
  /**
   * The credential was not accepted, or is not enough yet. `more`: the server's answer, for methods that take several
   * steps.
   */
  | { readonly kind: 'rejected'; readonly more: Readonly<Record<string, unknown>> }
  | TransientFailure;

/** Error codes about the credential, or about a ceremony that has to begin again. */
const REFUSALS = /^(access_denied|insufficient_authorization|invalid_(grant|session))$/u;

/** Classifies an answer of the authorization challenge endpoint. @see draft-ietf-oauth-first-party-apps */
export function readChallengeAnswer(answer: HttpResponse): ChallengeResult {
  const json = parseObject(answer.body);
  const code = text(json?.['authorization_code']);
  const isSuccess = answer.status >= 200 && answer.status < 300;
  if (isSuccess && code !== null) return { kind: 'code', code };
  const error = text(json?.['error']);
  const isRefusal = error !== null && REFUSALS.test(error);
  const isRejection = answer.status >= 400 && answer.status < 500 && isRefusal && text(json?.['reason']) !== 'csrf';
  // A success with `auth_session` is the first step of a ceremony that the client asked for.
  if (isSuccess ? text(json?.['auth_session']) : isRejection) return { kind: 'rejected', more: json ?? {} };
  const classified = readTokenResponse(answer);
  return classified.kind === 'transient' ? classified : { kind: 'transient', cause: 'not-json', retryAfterMs: null };
}
