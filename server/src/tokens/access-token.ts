import { randomUUID } from 'node:crypto';
import type { ProofVerifier } from '../dpop/dpop.ts';
import {
  readAuthorization,
  refuseUnbound,
  tokenForAnother,
  tokenInvalid,
  tokenMissing,
  toTokenRefusal,
  type PresentedRequest,
  type TokenFault,
  type TokenRefusal,
} from '../dpop/token-binding.ts';
import { HoldfastServerError } from '../kernel/errors.ts';
import { algorithmOf, signJws, verifyJws } from '../kernel/jws.ts';
import { CLOCK_AHEAD_SECONDS, type Policy } from '../kernel/policy.ts';
import type { SigningKey, SigningKeys } from '../keys/signing-keys.ts';
import { isSameAudience } from '../registrations/audiences.ts';
import type { SessionRecord } from '../storage/store.ts';

/**
 * Claims of an access token.
 *
 * @see RFC 9068 §2.2
 */
export type AccessTokenClaims = {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  /** The session, as a UUID. */
  readonly sid: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly scope: string;
  readonly auth_time: number;
  readonly amr: readonly string[];
  readonly acr: string;
  /** Confirmation: the RFC 7638 thumbprint of the key that the token is bound to. Absent from a bearer token. */
  readonly cnf?: { readonly jkt: string };
};

/** Result of the verification of an `Authorization` header. */
export type AccessTokenVerdict = { readonly ok: true; readonly claims: AccessTokenClaims } | TokenRefusal;

/** The protected resource that an access token must be for. */
export type ProtectedResource = {
  readonly audience: string;
  /** URL of its metadata, for the challenge of a refusal. @see RFC 9728 §5.1 */
  readonly metadataUrl?: string;
};

export type IssuedAccessToken = {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
};

/** Issues access tokens: its audience and signing key are already chosen. */
export type AccessTokenIssuer = {
  readonly audience: string;
  /**
   * Signs an access token for a session. It expires no later than the session's absolute lifetime, rounded down: in the
   * last second of a session the token has expired already.
   *
   * @param jkt thumbprint of the key to bind it to, null for a bearer token; default: the session's own
   */
  issue(session: SessionRecord, scope: readonly string[], jkt?: string | null): IssuedAccessToken;
};

export type AccessTokens = {
  /**
   * Chooses the audience and the key, and checks that the key signs. Call it before the row of a session is written, so
   * that these steps fail first: an answer that fails after the write is a lost answer.
   *
   * @param audience default: the server's default audience
   * @throws HoldfastServerError `unavailable` if no key can sign
   */
  readonly prepare: (audience?: string) => AccessTokenIssuer;
  /**
   * Verifies the access token of a request: issued by this server, current, for the audience, and with a DPoP proof by
   * the key that it is bound to.
   *
   * @param request needed for bound tokens only; without it they are refused
   * @param resource default: the server's default audience
   * @throws HoldfastServerError `unavailable` if an unknown key could not be looked up
   */
  readonly verify: (
    authorizationHeader: string | undefined,
    request?: PresentedRequest,
    resource?: ProtectedResource,
  ) => Promise<AccessTokenVerdict>;
  /**
   * Reads the claims of an access token that this server issued and that is current. Checks neither audience nor DPoP
   * proof.
   *
   * @returns null for any other token
   * @throws HoldfastServerError `unavailable` if an unknown key could not be looked up
   */
  readonly read: (token: string) => Promise<AccessTokenClaims | null>;
};

export type AccessTokensParts = {
  readonly issuer: string;
  readonly audience: string;
  readonly signingKeys: SigningKeys;
  /** Verifies the DPoP proofs of bound tokens. Default: none, and bound tokens are refused. */
  readonly proofs?: ProofVerifier;
  readonly policy: Pick<Policy, 'accessTokenLifetimeSeconds' | 'clockToleranceSeconds'>;
  /** This host's wall clock, in milliseconds since the epoch. */
  readonly now: () => number;
};

/**
 * Issues and verifies JWT access tokens.
 *
 * @see RFC 9068, RFC 7515
 */
export function createAccessTokens(parts: AccessTokensParts): AccessTokens {
  const { issuer, audience: defaultAudience, signingKeys, proofs = null, policy, now } = parts;
  const encodeHeader = createHeaderEncoder();
  const read = async (token: string): Promise<AccessTokenClaims | null> => {
    const claims = await verifySignature(token, signingKeys);
    if (claims === null || claims.iss !== issuer) return null;
    const nowSeconds = now() / 1_000;
    const { clockToleranceSeconds } = policy;
    const isCurrent = claims.exp > nowSeconds - clockToleranceSeconds && claims.iat <= nowSeconds + CLOCK_AHEAD_SECONDS;
    return isCurrent ? claims : null;
  };
  const prepare = (audience = defaultAudience): AccessTokenIssuer => {
    const key = signingKeys.current();
    const header = encodeHeader(key);
    return {
      audience,
      issue: (session, scope, jkt = session.jkt) => {
        const remainingSeconds = Math.floor((session.expiresAtMs - session.nowMs) / 1_000);
        const expiresInSeconds = Math.max(0, Math.min(policy.accessTokenLifetimeSeconds, remainingSeconds));
        const iat = Math.floor(now() / 1_000);
        const claims: Readonly<Record<keyof AccessTokenClaims, unknown>> = {
          iss: issuer,
          sub: session.sub,
          aud: audience,
          client_id: session.clientId,
          sid: session.sid,
          jti: randomUUID(),
          iat,
          exp: iat + expiresInSeconds,
          scope: scope.join(' '),
          auth_time: session.authTimeSeconds,
          amr: session.amr,
          acr: session.acr,
          cnf: jkt === null ? undefined : { jkt },
        };
        const signed = `${header}.${encode(claims)}`;
        const signature = signJws(key.algorithm, key.privateKey, signed);
        return { accessToken: `${signed}.${signature.toString('base64url')}`, expiresInSeconds };
      },
    };
  };
  return {
    read,
    prepare,
    verify: async (authorizationHeader, request, { audience, metadataUrl } = { audience: defaultAudience }) => {
      const refuse = (fault: TokenFault): AccessTokenVerdict => toTokenRefusal(fault, metadataUrl);
      const presented = readAuthorization(authorizationHeader);
      const hasProofs = request !== undefined && proofs !== null;
      if (presented === null) return refuse(hasProofs ? tokenMissing('Bearer', 'DPoP') : tokenMissing('Bearer'));
      const claims = await read(presented.token);
      if (claims === null) return refuse(tokenInvalid(presented.scheme));
      if (!isSameAudience(claims.aud, audience)) return refuse(tokenForAnother(presented.scheme));
      const fault = refuseUnbound(presented, claims.cnf?.jkt ?? null, request, proofs);
      return fault === null ? { ok: true, claims } : refuse(fault);
    },
  };
}

/** Encodes the header of a key's tokens, and makes each key sign once before its first token. */
function createHeaderEncoder(): (key: SigningKey) => string {
  const encodedHeaders = new Map<string, string>();
  return ({ kid, algorithm, privateKey }) => {
    const known = encodedHeaders.get(kid);
    if (known !== undefined) return known;
    const encoded = encode({ alg: algorithm, typ: 'at+jwt', kid });
    try {
      signJws(algorithm, privateKey, encoded);
    } catch (cause) {
      throw new HoldfastServerError('unavailable', 'the signing key cannot sign', { cause });
    }
    encodedHeaders.set(kid, encoded);
    return encoded;
  };
}

const JWS = /^([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]{86,512})$/;

/** Verifies type, published key, algorithm and signature of a token. @returns null if the token is not ours */
async function verifySignature(token: string, signingKeys: SigningKeys): Promise<AccessTokenClaims | null> {
  const [, encodedHeader, encodedClaims, encodedSignature] = JWS.exec(token) ?? [];
  if (encodedHeader === undefined || encodedClaims === undefined || encodedSignature === undefined) return null;
  const header = decode(encodedHeader);
  if (header === null || header['typ'] !== 'at+jwt') return null;
  const key = typeof header['kid'] === 'string' ? await signingKeys.find(header['kid']) : null;
  const algorithm = key === null ? null : algorithmOf(key);
  // The key determines the algorithm; the header must match it.
  if (key === null || algorithm === null || header['alg'] !== algorithm) return null;
  const signature = Buffer.from(encodedSignature, 'base64url');
  const isGenuine = verifyJws(algorithm, key, `${encodedHeader}.${encodedClaims}`, signature);
  // We signed it, so the claims have the form that `issue` writes.
  return isGenuine ? (decode(encodedClaims) as AccessTokenClaims | null) : null;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(encoded: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
