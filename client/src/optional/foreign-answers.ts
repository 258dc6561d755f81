import { orNull } from '../core/or-null.ts';
import type { HttpAnswer } from '../core/ports.ts';
import type { RejectionReason, TokenAnswer, TokenAnswerReader } from '../core/token-result.ts';
import { claimsOf, parseObject, readTokenAnswer, seconds } from '../core/wire.ts';

const REASONS: readonly RejectionReason[] = ['expired', 'revoked', 'reuse-detected'];

const isAmountOrNull = (value: unknown): boolean => value === null || (typeof value === 'number' && value >= 0);

/**
 * True if an app's reading can be used: a duration that is no number would stop every timer of the machine, and a reason that
 * does not exist would be shown.
 */
function isUsable(answer: TokenAnswer): boolean {
  if (answer.kind === 'rejected') return REASONS.includes(answer.reason);
  if (answer.kind !== 'tokens') return isAmountOrNull(answer.retryAfterMs) && typeof (answer.words ?? '') === 'string';
  const { accessToken, lifetimeMs, sessionLifetimeMs } = answer.tokens;
  return (
    typeof accessToken === 'string' && lifetimeMs !== null && [lifetimeMs, sessionLifetimeMs].every(isAmountOrNull)
  );
}

/** The life of a token that is a JWT and says so itself, in seconds; `null` for any other. @see RFC 7519 §4.1 */
function lifetimeOfJwt(token: unknown): number | null {
  const claims = claimsOf(String(token));
  const lifetime = Number(claims?.['exp']) - Number(claims?.['iat']);
  return lifetime > 0 ? seconds(lifetime) : null;
}

/** The answer with the lifetime that its token states, where the answer states none. */
function withLifetime(answer: HttpAnswer): HttpAnswer {
  const json = parseObject(answer.body);
  const lifetime = json && seconds(json['expires_in']) === null ? lifetimeOfJwt(json['access_token']) : null;
  return lifetime === null ? answer : { ...answer, body: JSON.stringify({ ...json, expires_in: lifetime }) };
}

/**
 * Reads the answers of a token endpoint that differs from RFC 6749, or leaves out `expires_in`:
 * `createAuthService({ readAnswer: foreignAnswers(classify) })`.
 *
 * - Without `expires_in`, a JWT lives from its `iat` to its `exp`.
 * - `classify` reads an answer first; `null` leaves it to the standard reading. So does a reading that throws or cannot be used.
 *   If the answer itself names `sid` and `sub`, those count: under another name, every later refresh would be refused.
 */
export const foreignAnswers =
  (classify: (answer: HttpAnswer) => TokenAnswer | null = () => null): TokenAnswerReader =>
  (answer) => {
    const standard = readTokenAnswer(withLifetime(answer));
    const read = orNull(() => {
      const own = classify(answer);
      return own && isUsable(own) ? own : null;
    });
    if (read?.kind !== 'tokens' || standard.kind !== 'tokens') return read ?? standard;
    const { sid, sub } = standard.tokens;
    return { kind: 'tokens', tokens: { ...read.tokens, ...(sid && { sid }), ...(sub && { sub }) } };
  };
