import { createHash } from 'node:crypto';
import type { ProofFault } from '../kernel/events.ts';
import { CLOCK_AHEAD_SECONDS, type Policy } from '../kernel/policy.ts';
import type { DpopNonces } from './dpop-nonce.ts';
import { isProofAlgorithm, readProofKey } from './proof-key.ts';

/**
 * Verifies DPoP proofs. A client proves with each request that it holds the key to which its tokens are bound.
 *
 * Verification is synchronous and needs no database, so resource servers use it as the authorization server does.
 *
 * @see RFC 9449 §4.3
 */
export type ProofVerifier = {
  readonly verify: (proof: string, expected: ExpectedProof) => ProofVerdict;
  /** Value for `DPoP-Nonce`; null if this verifier uses no nonces. */
  readonly nonce: () => string | null;
};

/** The request that a proof must be made for. */
export type ExpectedProof = {
  readonly method: string;
  /** Absolute URL of the request as the client sees it; query and fragment are ignored. */
  readonly url: string;
  /** The access token of the request; null if it has none. */
  readonly accessToken: string | null;
};

export type ProofVerdict =
  | {
      readonly kind: 'valid';
      /** RFC 7638 thumbprint of the key. */
      readonly jkt: string;
    }
  /** `invalid_dpop_proof` */
  | { readonly kind: 'invalid'; readonly fault: ProofFault }
  /** `use_dpop_nonce`: the proof is right except that it lacks a current nonce. */
  | { readonly kind: 'nonce_needed' };

export type ProofVerifierParts = {
  /** Null: no nonces; `iat` alone shows the proof's age. */
  readonly nonces: DpopNonces | null;
  /** True to require a nonce even if `iat` is recent. */
  readonly isNonceRequired: boolean;
  readonly policy: Pick<
    Policy,
    'dpopProofLifetimeSeconds' | 'dpopNoncePeriodSeconds' | 'clockToleranceSeconds' | 'dpopReplayMemory'
  >;
  /** This host's wall clock, in milliseconds since the epoch. */
  readonly now: () => number;
};

export function createProofVerifier({ nonces, isNonceRequired, policy, now }: ProofVerifierParts): ProofVerifier {
  // A nonce is accepted in its own period and the next, and in the one before, because another node's clock may be
  // ahead.
  const acceptedSeconds = Math.max(
    nonces === null ? 0 : 3 * policy.dpopNoncePeriodSeconds,
    policy.dpopProofLifetimeSeconds + policy.clockToleranceSeconds + CLOCK_AHEAD_SECONDS,
  );
  const isFirstUse = createReplayMemory(acceptedSeconds * 1_000, policy.dpopReplayMemory, now);
  const isTimely = (iat: number): boolean => {
    const ageSeconds = now() / 1_000 - iat;
    const { dpopProofLifetimeSeconds, clockToleranceSeconds } = policy;
    return ageSeconds <= dpopProofLifetimeSeconds + clockToleranceSeconds && -ageSeconds <= CLOCK_AHEAD_SECONDS;
  };
  /** Checks 10 and 11 of RFC 9449 §4.3. A nonce replaces the check of `iat`, so a wrong clock locks no client out. */
  const judgeTime = ({ nonce, iat, exp, nbf }: ProofClaims): ProofVerdict | null => {
    // Both claims are optional. If present they must hold; `exp` has no leeway (RFC 7519 §4.1.4).
    if (exp !== null && exp * 1_000 <= now()) return invalid('exp');
    if (nbf !== null && nbf > now() / 1_000 + CLOCK_AHEAD_SECONDS) return invalid('nbf');
    if (nonces === null) return isTimely(iat) ? null : invalid('iat');
    const isFresh = nonce === null ? !isNonceRequired && isTimely(iat) : nonces.isFresh(nonce);
    return isFresh ? null : { kind: 'nonce_needed' };
  };
  return {
    nonce: () => nonces?.current() ?? null,
    verify: (proof, expected) => {
      const read = readProof(proof);
      if (typeof read === 'string') return invalid(read);
      const { jkt, claims } = read;
      const fault = findMismatch(claims, expected);
      if (fault !== null) return invalid(fault);
      return judgeTime(claims) ?? (isFirstUse(`${jkt}.${claims.jti}`) ? { kind: 'valid', jkt } : invalid('replayed'));
    },
  };
}

function invalid(fault: ProofFault): ProofVerdict {
  return { kind: 'invalid', fault };
}

type ProofClaims = {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly exp: number | null;
  readonly nbf: number | null;
  readonly nonce: string | null;
  readonly ath: string | null;
};

/** Rejects repeated header fields too: they arrive joined by a comma, which no JWT contains. */
const JWT = /^([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{86,683})$/;
/** Longest claims. `htu` fits any URL of a request; a `jti` is a UUID, or 96 random bits in 16 characters or more. */
const LENGTHS = { jti: 256, nonce: 256, htu: 1_024, ath: 256 } as const;

/** Does checks 2 to 7: a well-formed JWT of the right type, signed with the public key in its header. */
function readProof(proof: string): { readonly jkt: string; readonly claims: ProofClaims } | ProofFault {
  const [, encodedHeader, encodedClaims, encodedSignature] = JWT.exec(proof) ?? [];
  if (encodedHeader === undefined || encodedClaims === undefined || encodedSignature === undefined) return 'not_a_jwt';
  const header = decode(encodedHeader);
  const payload = decode(encodedClaims);
  if (header === null || payload === null) return 'not_a_jwt';
  if (header['typ'] !== 'dpop+jwt') return 'typ';
  // This server supports no extension, so it must refuse a critical one (RFC 7515 §4.1.11).
  if (header['crit'] !== undefined) return 'crit';
  if (!isProofAlgorithm(header['alg'])) return 'alg';
  // Cheap checks come first, so that a malformed proof costs no signature check.
  const claims = readClaims(payload);
  if (claims === null) return 'claims';
  const key = readProofKey(header['jwk'], header['alg']);
  if (key === null) return 'jwk';
  const isSigned = key.verify(`${encodedHeader}.${encodedClaims}`, Buffer.from(encodedSignature, 'base64url'));
  return isSigned ? { jkt: key.jkt, claims } : 'signature';
}

/** Does check 3: all required claims are there, and every claim has the right form. */
function readClaims({
  jti,
  htm,
  htu,
  iat,
  exp,
  nbf,
  nonce,
  ath,
}: Readonly<Record<string, unknown>>): ProofClaims | null {
  if (!isText(jti, LENGTHS.jti) || !isText(htm, 16) || !isText(htu, LENGTHS.htu) || !isTime(iat)) return null;
  if ((exp !== undefined && !isTime(exp)) || (nbf !== undefined && !isTime(nbf))) return null;
  if (nonce !== undefined && !isText(nonce, LENGTHS.nonce)) return null;
  if (ath !== undefined && !isText(ath, LENGTHS.ath)) return null;
  return { jti, htm, htu, iat, exp: exp ?? null, nbf: nbf ?? null, nonce: nonce ?? null, ath: ath ?? null };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isText(value: unknown, maximumLength: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maximumLength;
}

/** Does checks 8, 9 and 12: the proof was made for this request. The caller compares the key. */
function findMismatch({ htm, htu, ath }: ProofClaims, { method, url, accessToken }: ExpectedProof): ProofFault | null {
  // Methods are case-sensitive (RFC 9110 §9.1).
  if (htm !== method) return 'htm';
  if (htu !== url && !isSameTarget(htu, url)) return 'htu';
  if (accessToken !== null && ath !== createHash('sha256').update(accessToken).digest('base64url')) return 'ath';
  return null;
}

function isSameTarget(htu: string, url: string): boolean {
  const target = normalizeTarget(htu);
  return target !== null && target === normalizeTarget(url);
}

/**
 * Normalizes a URL by syntax and scheme (RFC 3986 §6.2), without query and fragment; null if no request can have it.
 */
function normalizeTarget(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { origin, pathname, username, password } = new URL(text);
  if (origin === 'null' || username !== '' || password !== '') return null;
  return origin + pathname.replaceAll(/%[0-9a-f]{2}/gi, normalizeEscape);
}

/** Normalizes an escape by RFC 3986 §6.2.2: decodes an unreserved character, else writes hexadecimal in upper case. */
function normalizeEscape(escape: string): string {
  const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
}

/**
 * Remembers used proofs, so that one node accepts a proof once.
 *
 * Two sets take turns, so a use is remembered for one to two spans, or less if a set is full. Other nodes do not know
 * of the use. There a replay is bounded by the span of the nonce or `iat`, by method and URL, and by the token that the
 * request must carry (RFC 9449 §11.1). A shared memory would cost a write per request, and an attacker can get a proof
 * only inside TLS.
 */
function createReplayMemory(spanMs: number, maximumEntries: number, now: () => number): (use: string) => boolean {
  let recent = new Set<string>();
  let previous = new Set<string>();
  let turnedAtMs = now();
  return (use) => {
    const key = createHash('sha256').update(use).digest('base64url').slice(0, 22);
    if (recent.size >= maximumEntries || Math.abs(now() - turnedAtMs) >= spanMs) {
      previous = recent;
      recent = new Set();
      turnedAtMs = now();
    }
    if (recent.has(key) || previous.has(key)) return false;
    recent.add(key);
    return true;
  };
}

function decode(encoded: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
