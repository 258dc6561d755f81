import type { ProofAlgorithm } from '../dpop/proof-key.ts';
import { CLOCK_AHEAD_SECONDS } from '../kernel/policy.ts';
import { isSameAudience } from '../registrations/audiences.ts';
import type { AccessTokenClaims } from '../tokens/access-token.ts';
import type { KeySet } from './key-set.ts';

/** The requirements on an access token. */
export type TokenExpectation = {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: ReadonlySet<string>;
  readonly clockToleranceSeconds: number;
};

/** Bounds the input that is decoded: 8 KiB is more than HTTP servers accept in one header. */
const JWS = /^([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{1,8192})\.([A-Za-z0-9_-]{86,683})$/;
/** RFC 9068 §2.1: in any case, with or without the prefix. */
const TYPE = /^(application\/)?at\+jwt$/i;

/**
 * Verifies a JWT access token. Only `kid` of its header selects a key, from the issuer's own keys. `jwk`, `jku`, `x5c`
 * and `x5u` are never read.
 *
 * @returns null if the token is invalid; `other-audience` if it is valid for another audience
 * @throws AuthorizationServerUnavailable
 * @see RFC 9068 §4, RFC 8725
 */
export async function verifyToken(
  token: string,
  expectation: TokenExpectation,
  keys: KeySet,
  nowSeconds: number,
): Promise<AccessTokenClaims | 'other-audience' | null> {
  const [, encodedHeader, encodedClaims, encodedSignature] = JWS.exec(token) ?? [];
  if (encodedHeader === undefined || encodedClaims === undefined || encodedSignature === undefined) return null;
  const { typ, alg, kid, crit } = decode(encodedHeader);
  if (typeof typ !== 'string' || !TYPE.test(typ)) return null;
  // We support no extension, so a critical one must not be ignored (RFC 7515 §4.1.11).
  if (crit !== undefined || typeof kid !== 'string') return null;
  if (typeof alg !== 'string' || !expectation.algorithms.has(alg)) return null;
  // Check the claims before the key: an expired or foreign token costs no look-up and no signature check.
  const claims = readClaims(decode(encodedClaims), expectation, nowSeconds);
  if (claims === null) return null;
  const key = await keys.find(kid, alg as ProofAlgorithm);
  if (key === null) return null;
  const isSigned = key.verify(`${encodedHeader}.${encodedClaims}`, Buffer.from(encodedSignature, 'base64url'));
  if (!isSigned) return null;
  return isForAudience(claims.aud, expectation) ? claims : 'other-audience';
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the claims. Requires every claim of RFC 9068 §2.2 that our server writes, with its type, valid now; `aud` may
 * name any audience.
 */
function readClaims(claims: Json, expectation: TokenExpectation, nowSeconds: number): AccessTokenClaims | null {
  const {
    iss,
    aud,
    exp,
    nbf,
    iat,
    sub,
    sid,
    jti,
    client_id: clientId,
    scope,
    acr,
    amr,
    auth_time: authTime,
    cnf,
  } = claims;
  if (iss !== expectation.issuer || !isAudienceClaim(aud)) return null;
  if (!isTime(exp) || !isTime(iat) || !isTime(authTime) || (nbf !== undefined && !isTime(nbf))) return null;
  const earliest = nowSeconds - expectation.clockToleranceSeconds;
  const latest = nowSeconds + CLOCK_AHEAD_SECONDS;
  if (exp <= earliest || iat > latest || (nbf !== undefined && nbf > latest)) return null;
  if (![sub, sid, jti, clientId, scope, acr].every((claim) => typeof claim === 'string')) return null;
  if (!Array.isArray(amr) || !amr.every((value) => typeof value === 'string')) return null;
  // Reject an unknown confirmation method: the token must not pass as an unbound one.
  if (cnf !== undefined && !isJkt(cnf)) return null;
  return claims as unknown as AccessTokenClaims;
}

function isAudienceClaim(aud: unknown): boolean {
  return (
    typeof aud === 'string' || (Array.isArray(aud) && aud.length > 0 && aud.every((each) => typeof each === 'string'))
  );
}

/** Rejects tokens that also name the issuer: they open the user's account. */
function isForAudience(aud: unknown, { issuer, audience }: TokenExpectation): boolean {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const includes = (wanted: string): boolean =>
    audiences.some((each) => typeof each === 'string' && isSameAudience(each, wanted));
  return includes(audience) && !includes(issuer);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isJkt(cnf: unknown): boolean {
  return (
    typeof cnf === 'object' &&
    cnf !== null &&
    Object.keys(cnf).length === 1 &&
    'jkt' in cnf &&
    typeof cnf.jkt === 'string'
  );
}

/** Decodes a JSON object. Anything else yields an empty object, which lacks every required claim. */
function decode(encoded: string): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}
