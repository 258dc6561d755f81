import { createHash } from 'node:crypto';
import type { ProofFault } from '../kernel/events.ts';
import { CLOCK_AHEAD_SECONDS, type Policy } from '../kernel/policy.ts';
import type { DpopNonces } from './dpop-nonce.ts';
import { isProofAlgorithm, readProofKey } from './proof-key.ts';

/**
 * DPoP proofs: a client shows, with each request, that it holds the key that its tokens are bound to.
 *
 * No database and no waiting: authorization server and resource servers check proofs alike.
 *
 * @see RFC 9449 §4.3
 */
export type ProofVerifier = {
  readonly verify: (proof: string, expected: ExpectedProof) => ProofVerdict;
  /** What to send in `DPoP-Nonce`; null when this verifier gives out none. */
  readonly nonce: () => string | null;
};

/** What a proof must be about. */
export type ExpectedProof = {
  readonly method: string;
  /** Absolute URL of the request, as the client knows it; query and fragment do not count. */
  readonly url: string;
  /** The access token that the request carries; null when it carries none. */
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
  /** `use_dpop_nonce`: the same proof with the nonce of the answer would do. */
  | { readonly kind: 'nonce_needed' };

export type ProofVerifierParts = {
  /** Null: no nonces, time is told by `iat` alone. */
  readonly nonces: DpopNonces | null;
  /** Whether a proof without a nonce is refused even when its `iat` is recent. */
  readonly isNonceRequired: boolean;
  readonly policy: Pick<
    Policy,
    'dpopProofLifetimeSeconds' | 'dpopNoncePeriodSeconds' | 'clockToleranceSeconds' | 'dpopReplayMemory'
  >;
  /** This host's wall clock, in milliseconds since the epoch. */
  readonly now: () => number;
};

export function createProofVerifier({ nonces, isNonceRequired, policy, now }: ProofVerifierParts): ProofVerifier {
  // A nonce serves for its own period and the next; neighbouring clocks add another.
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
  /** RFC 9449 §4.3, checks 10 and 11: the nonce tells the time where there is one, so a wrong clock locks nobody out. */
  const judgeTime = ({ nonce, iat, exp, nbf }: ProofClaims): ProofVerdict | null => {
    // A proof needs neither claim. One that brings them asks to be judged by them, and without leeway (RFC 7519 §4.1.4).
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

/** Several header fields arrive joined by a comma, which is no character of a JWT. */
const JWT = /^([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{86,683})$/;
/** Long enough for any URL of a request; a `jti` is at least 96 random bits, which need 16 characters, or a UUID. */
const LENGTHS = { jti: 256, nonce: 256, htu: 1_024, ath: 256 } as const;

/** Checks 2 to 7: a well-formed JWT of the right type, signed with the public key in its header. */
function readProof(proof: string): { readonly jkt: string; readonly claims: ProofClaims } | ProofFault {
  const [, encodedHeader, encodedClaims, encodedSignature] = JWT.exec(proof) ?? [];
  if (encodedHeader === undefined || encodedClaims === undefined || encodedSignature === undefined) return 'not_a_jwt';
  const header = decode(encodedHeader);
  const payload = decode(encodedClaims);
  if (header === null || payload === null) return 'not_a_jwt';
  if (header['typ'] !== 'dpop+jwt') return 'typ';
  // No extension is understood here, so a critical one must not be passed over (RFC 7515 §4.1.11).
  if (header['crit'] !== undefined) return 'crit';
  if (!isProofAlgorithm(header['alg'])) return 'alg';
  // What is cheap comes first: strangers pay for a signature check with a form that is right.
  const claims = readClaims(payload);
  if (claims === null) return 'claims';
  const key = readProofKey(header['jwk'], header['alg']);
  if (key === null) return 'jwk';
  const isSigned = key.verify(`${encodedHeader}.${encodedClaims}`, Buffer.from(encodedSignature, 'base64url'));
  return isSigned ? { jkt: key.jkt, claims } : 'signature';
}

/** Check 3. */
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

/** Checks 8, 9 and 12: the proof was made for this request. Whose key it must be is for the caller to say. */
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

/** Syntax- and scheme-based normalization without query and fragment; null for what is no URL of a request. */
function normalizeTarget(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { origin, pathname, username, password } = new URL(text);
  if (origin === 'null' || username !== '' || password !== '') return null;
  return origin + pathname.replaceAll(/%[0-9a-f]{2}/gi, normalizeEscape);
}

/** RFC 3986 §6.2.2: an escaped unreserved character is the character, and hexadecimal digits are upper case. */
function normalizeEscape(escape: string): string {
  const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
}

/**
 * Each proof is good for one use on one node while its time lasts.
 *
 * Two sets take turns, so a use is remembered for one to two spans; a set that is full gives way early. Other nodes do not
 * know: what bounds a replay there is the nonce's or `iat`'s span, method and URL, and the token that must go with it
 * (RFC 9449 §11.1). A shared memory would cost a write per request for a proof that an attacker can only get inside TLS.
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
