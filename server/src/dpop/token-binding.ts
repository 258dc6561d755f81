import type { ProofVerifier } from './dpop.ts';
import { PROOF_ALGORITHMS } from './proof-key.ts';

/** The access token of a request, with its scheme. */
export type PresentedToken = {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
};

/** The request that carries an access token; its DPoP proof must match it. */
export type ResourceRequest = {
  readonly method: string;
  /** Absolute URL as the client sees it; behind a proxy this host sees another one. */
  readonly url: string;
  /** The `DPoP` header. */
  readonly dpop: string | undefined;
};

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

const AUTHORIZATION = /^(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*) *$/i;
const ALGORITHMS = `algs="${PROOF_ALGORITHMS.join(' ')}"`;
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
 * Refuses a request without a token: the challenge names the schemes and no error.
 *
 * @param hasProofs true if DPoP can be checked here
 * @see RFC 6750 §3.1
 */
export function tokenMissing(hasProofs: boolean): TokenRefusal {
  return { ok: false, status: 401, wwwAuthenticate: hasProofs ? `Bearer, DPoP ${ALGORITHMS}` : 'Bearer' };
}

/** Refuses an expired, revoked or invalid token. */
export function tokenInvalid(scheme: PresentedToken['scheme']): TokenRefusal {
  return refuse(scheme, 'invalid_token');
}

/** Refuses a current token of this issuer that is for another audience. @see RFC 9068 §4 */
export function tokenForAnother(scheme: PresentedToken['scheme']): TokenRefusal {
  const refusal = refuse(scheme, 'invalid_token', 'The access token is for another audience');
  return { ...refusal, reason: 'audience', wwwAuthenticate: `${refusal.wwwAuthenticate}, reason="audience"` };
}

/**
 * Refuses a valid access token if the request does not prove possession of the key that it is bound to. A bound token
 * under the `Bearer` scheme is refused; otherwise a thief could leave the proof out.
 *
 * @param jkt `cnf.jkt` of the token; null for a bearer token
 * @param proofs null if DPoP cannot be checked here; bound tokens are then refused
 * @returns null if the token may be used
 * @see RFC 9449 §7.1, §7.2
 */
export function refuseUnbound(
  { scheme, token }: PresentedToken,
  jkt: string | null,
  request: ResourceRequest | undefined,
  proofs: ProofVerifier | null,
): TokenRefusal | null {
  if (scheme === 'Bearer') return jkt === null ? null : tokenInvalid('DPoP');
  if (jkt === null || request === undefined || proofs === null) return tokenInvalid('DPoP');
  const { dpop, method, url } = request;
  if (dpop === undefined) return refuseProof('invalid_dpop_proof', proofs);
  const verdict = proofs.verify(dpop, { method, url, accessToken: token });
  switch (verdict.kind) {
    case 'valid':
      return verdict.jkt === jkt ? null : tokenInvalid('DPoP');
    case 'nonce_needed':
      return refuseProof('use_dpop_nonce', proofs);
    case 'invalid':
      return refuseProof('invalid_dpop_proof', proofs);
  }
}

function refuseProof(error: 'invalid_dpop_proof' | 'use_dpop_nonce', proofs: ProofVerifier): TokenRefusal {
  const nonce = proofs.nonce();
  return { ...refuse('DPoP', error), ...(nonce !== null && { dpopNonce: nonce }) };
}

function refuse(
  scheme: PresentedToken['scheme'],
  error: TokenRefusalError,
  description = DESCRIPTIONS[error],
): TokenRefusal {
  const parameters = [`error="${error}"`, `error_description="${description}"`];
  if (scheme === 'DPoP') parameters.push(ALGORITHMS);
  return { ok: false, status: 401, error, wwwAuthenticate: `${scheme} ${parameters.join(', ')}` };
}
