import { HoldfastServerError } from '../kernel/errors.ts';
import type { HttpResponse } from '../kernel/http-message.ts';
import { RowFault } from '../storage/store.ts';

/**
 * An OAuth error response. Endpoints throw it; the pipeline turns it into a response.
 *
 * The description is fixed text and never echoes input.
 *
 * @see RFC 6749 §5.2
 */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly status: number;
  readonly error: string;
  readonly reason: string | null;
  readonly headers: HttpResponse['headers'];
  /** Additional members of the JSON body. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    error: string,
    description: string,
    extras: {
      readonly reason?: string;
      readonly headers?: HttpResponse['headers'];
      readonly members?: Readonly<Record<string, unknown>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(description, { cause: extras.cause });
    this.status = status;
    this.error = error;
    this.reason = extras.reason ?? null;
    this.headers = extras.headers ?? {};
    this.members = extras.members ?? {};
  }
}

export function invalidRequest(description: string): OAuthError {
  return new OAuthError(400, 'invalid_request', description);
}

export function invalidScope(): OAuthError {
  return new OAuthError(400, 'invalid_scope', 'The scope is malformed, or beyond what may be granted', {
    reason: 'scope',
  });
}

/** The client may not request this `resource`, or requested more than one. @see RFC 8707 §2 */
export function invalidTarget(): OAuthError {
  return new OAuthError(400, 'invalid_target', 'The resource is none that this client may ask for, or not one alone', {
    reason: 'resource',
  });
}

/** `invalid_grant` with a machine-readable reason, which tells clients why the user must sign in again. */
export function invalidGrant(
  reason: string,
  headers: HttpResponse['headers'] = {},
  members: Readonly<Record<string, unknown>> = {},
): OAuthError {
  return new OAuthError(400, 'invalid_grant', 'The authorization grant is invalid, expired or revoked', {
    reason,
    headers,
    members,
  });
}

/** Copies the error with additional headers. */
export function withErrorHeaders(failure: OAuthError, headers: HttpResponse['headers']): OAuthError {
  const { status, error, message, reason, members, cause } = failure;
  const extras = { ...(reason !== null && { reason }), members, cause, headers: { ...failure.headers, ...headers } };
  return new OAuthError(status, error, message, extras);
}

/** 429: one address sends too many requests. @see RFC 6585 §4 */
export function tooManyRequests(waitMs: number): OAuthError {
  return new OAuthError(429, 'temporarily_unavailable', 'Too many requests come from this address', {
    reason: 'rate_limited',
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
  });
}

/** 503: the request may be valid, so the client must repeat it and sign no user out. */
export function temporarilyUnavailable(retryAfterSeconds: number, cause?: unknown): OAuthError {
  return new OAuthError(503, 'temporarily_unavailable', 'The server cannot answer now', {
    reason: 'unavailable',
    headers: { 'retry-after': String(retryAfterSeconds) },
    cause,
  });
}

const JSON_HEADERS: HttpResponse['headers'] = {
  'content-type': 'application/json;charset=UTF-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

/** A JSON response with `no-store`. */
export function json(status: number, body: object, headers?: HttpResponse['headers']): HttpResponse {
  return jsonText(status, JSON.stringify(body), headers);
}

/** A JSON response whose body is already serialized. */
export function jsonText(status: number, body: string, headers?: HttpResponse['headers']): HttpResponse {
  return { status, headers: headers ? { ...JSON_HEADERS, ...headers } : JSON_HEADERS, body };
}

export function errorResponse(error: OAuthError): HttpResponse {
  const { status, headers, members, reason } = error;
  const body = { error: error.error, error_description: error.message, ...(reason && { reason }), ...members };
  return json(status, body, headers);
}

/** Maps a thrown value to an OAuth error. An unexpected value becomes a 500 without details. */
export function toOAuthError(thrown: unknown, retryAfterSeconds: number): OAuthError {
  if (thrown instanceof OAuthError) return thrown;
  // A locked or contended row reveals no fault of the request.
  if (thrown instanceof RowFault) {
    const cause = new HoldfastServerError('unavailable', 'a row is held by another transaction', { cause: thrown });
    return temporarilyUnavailable(retryAfterSeconds, cause);
  }
  if (thrown instanceof HoldfastServerError && thrown.isRetryable)
    return temporarilyUnavailable(retryAfterSeconds, thrown);
  return new OAuthError(500, 'server_error', 'The server failed unexpectedly', { cause: thrown });
}
