import { orNull } from '../core/or-null.ts';
import type { HttpResponse } from '../core/ports.ts';
import type { RejectionReason, TokenResult, TokenResponseReader } from '../core/token-result.ts';
import { claimsOf, parseObject, readTokenResponse, seconds } from '../core/wire.ts';

const REASONS: readonly RejectionReason[] = ['expired', 'revoked', 'reuse-detected'];

const isAmountOrNull = (value: unknown): boolean => value === null || (typeof value === 'number' && value >= 0);

/**
 * True if the result of `classify` is valid. A duration that is no number would stop every timer of the machine, and an
 * unknown reason would be shown to the user.
 */
function isUsable(answer: TokenResult): boolean {
  if (answer.kind === 'rejected') return REASONS.includes(answer.reason);
  if (answer.kind !== 'tokens') return isAmountOrNull(answer.retryAfterMs) && typeof (answer.words ?? '') === 'string';
  const { accessToken, lifetimeMs, sessionLifetimeMs } = answer.tokens;
  return (
    typeof accessToken === 'string' && lifetimeMs !== null && [lifetimeMs, sessionLifetimeMs].every(isAmountOrNull)
  );
}

/** Reads the lifetime of a JWT from its `iat` and `exp`, in seconds; `null` for any other token. @see RFC 7519 §4.1 */
function lifetimeOfJwt(token: unknown): number | null {
  const claims = claimsOf(String(token));
  const lifetime = Number(claims?.['exp']) - Number(claims?.['iat']);
  return lifetime > 0 ? seconds(lifetime) : null;
}

/** Adds `expires_in` from the access token to an answer without one. */
function withLifetime(answer: HttpResponse): HttpResponse {
  const json = parseObject(answer.body);
  const lifetime = json && seconds(json['expires_in']) === null ? lifetimeOfJwt(json['access_token']) : null;
  return lifetime === null ? answer : { ...answer, body: JSON.stringify({ ...json, expires_in: lifetime }) };
}

/**
 * Reads the responses of a token endpoint that differs from RFC 6749 or omits `expires_in`. Use it as
 * `createAuthService({ readTokenResponse: foreignTokenResponses(classify) })`. Without `expires_in`, a JWT is valid from its `iat` to
 * its `exp`. If the response has `sid` or `sub`, they replace those of `classify`: with others, the server would refuse
 * every later refresh.
 *
 * @param classify reads a response first. If it returns `null`, throws or returns an invalid result, the response is
 * read as RFC 6749 says. Default: always `null`
 */
export const foreignTokenResponses =
  (classify: (answer: HttpResponse) => TokenResult | null = () => null): TokenResponseReader =>
  (answer) => {
    const standard = readTokenResponse(withLifetime(answer));
    const read = orNull(() => {
      const own = classify(answer);
      return own && isUsable(own) ? own : null;
    });
    if (read?.kind !== 'tokens' || standard.kind !== 'tokens') return read ?? standard;
    const { sid, sub } = standard.tokens;
    return { kind: 'tokens', tokens: { ...read.tokens, ...(sid && { sid }), ...(sub && { sub }) } };
  };
