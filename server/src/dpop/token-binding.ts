import { formatChallenges, type Challenge } from '../kernel/challenge.ts';
import type { ProofVerifier } from './dpop.ts';
import { PROOF_ALGORITHMS } from './proof-key.ts';

/** The scheme of an access token: `DPoP` if it is bound to a key. */
export type Scheme = 'Bearer' | 'DPoP';

/** The access token of a request, with its scheme. */
export type PresentedToken = {
  readonly scheme: Scheme;
  readonly token: string;
};

/** The request that carries an access token; its DPoP proof must match it. */
export type PresentedRequest = {
  readonly method: string;
  /** Absolute URL as the client sees it; behind a proxy this host sees another one. */
  readonly url: string;
  /** The `DPoP` header. */
  readonly dpop: string | undefined;
};

/** Why a token or its proof is refused. @see RFC 6750 §3.1, RFC 9449 §7.1 */
export type TokenRefusalError = 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce';

/** A refusal of a request without a valid access token. */
export type TokenRefusal = {
  readonly ok: false;
  readonly status: 401;
  /** As in `wwwAuthenticate`; absent if the request has no token. */
  readonly error?: TokenRefusalError;
  /**
   * Detail of `invalid_token`: the token is valid for another audience. A new token of that audience would not help.
   */
  readonly reason?: 'audience';
  /** Value for `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1). */
  readonly wwwAuthenticate: string;
  /** Value for `DPoP-Nonce`, if the client must use a nonce. */
  readonly dpopNonce?: string;
};

/** The fault of a presented token, before it becomes a response: the server and the guard of an API share it. */
export type TokenFault = Pick<TokenRefusal, 'error' | 'reason' | 'dpopNonce'> & {
  readonly challenges: readonly Challenge[];
};

const AUTHORIZATION = /^(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*) *$/i;
const DESCRIPTIONS: Readonly<Record<TokenRefusalError, string>> = {
  invalid_token: 'The access token is expired, revoked or invalid',
  invalid_dpop_proof: 'A valid DPoP proof is needed',
  use_dpop_nonce: 'The DPoP proof needs the nonce of this answer',
};

/** Reads an `Authorization` header. @returns null if it holds no access token */
export function readAuthorization(header: string | undefined): PresentedToken | null {
  const [, scheme, token] = AUTHORIZATION.exec(header ?? '') ?? [];
  if (scheme === undefined || token === undefined) return null;
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token };
}

/**
 * The request has no token: the challenge names the schemes and no error.
 *
 * @see RFC 6750 §3.1
 */
export function tokenMissing(...schemes: readonly Scheme[]): TokenFault {
  return { challenges: schemes.map((scheme) => challengeOf(scheme)) };
}

/** The token is expired, revoked or invalid. */
export function tokenInvalid(scheme: Scheme): TokenFault {
  return { error: 'invalid_token', challenges: [challengeOf(scheme, 'invalid_token')] };
}

/** The token is a current one of this issuer, for another audience. @see RFC 9068 §4 */
export function tokenForAnother(scheme: Scheme): TokenFault {
  const errorDescription = 'The access token is for another audience';
  const challenge = { ...challengeOf(scheme, 'invalid_token'), errorDescription, reason: 'audience' };
  return { error: 'invalid_token', reason: 'audience', challenges: [challenge] };
}

/**
 * Finds the fault of a valid access token whose request does not prove possession of the key that it is bound to. A
 * bound token under the `Bearer` scheme is refused; otherwise a thief could leave the proof out.
 *
 * @param jkt `cnf.jkt` of the token; null for a bearer token
 * @param proofs null if DPoP cannot be checked here; bound tokens are then refused
 * @returns null if the token may be used
 * @see RFC 9449 §7.1, §7.2
 */
export function refuseUnbound(
  { scheme, token }: PresentedToken,
  jkt: string | null,
  request: PresentedRequest | undefined,
  proofs: ProofVerifier | null,
): TokenFault | null {
  if (scheme === 'Bearer') return jkt === null ? null : tokenInvalid('DPoP');
  if (jkt === null || request === undefined || proofs === null) return tokenInvalid('DPoP');
  const { dpop, method, url } = request;
  if (dpop === undefined) return proofFault('invalid_dpop_proof', proofs);
  const verdict = proofs.verify(dpop, { method, url, accessToken: token });
  switch (verdict.kind) {
    case 'valid':
      return verdict.jkt === jkt ? null : tokenInvalid('DPoP');
    case 'nonce_needed':
      return proofFault('use_dpop_nonce', proofs);
    case 'invalid':
      return proofFault('invalid_dpop_proof', proofs);
  }
}

function proofFault(error: 'invalid_dpop_proof' | 'use_dpop_nonce', proofs: ProofVerifier): TokenFault {
  const nonce = proofs.nonce();
  return { error, challenges: [challengeOf('DPoP', error)], ...(nonce !== null && { dpopNonce: nonce }) };
}

/**
 * Makes the 401 that a host sends for a fault.
 *
 * @param resourceMetadata URL of the metadata that names the audience (RFC 9728 §5.1)
 */
export function toTokenRefusal({ challenges, ...fault }: TokenFault, resourceMetadata?: string): TokenRefusal {
  const last = challenges.length - 1;
  const completed = challenges.map((each, index) => (index === last ? { ...each, resourceMetadata } : each));
  return { ok: false, status: 401, ...fault, wwwAuthenticate: formatChallenges(...completed) };
}

function challengeOf(scheme: Scheme, error?: TokenRefusalError): Challenge {
  const algs = scheme === 'DPoP' ? PROOF_ALGORITHMS : undefined;
  return { scheme, error, errorDescription: error && DESCRIPTIONS[error], algs };
}
