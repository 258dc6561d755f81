import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { OAuthError } from './answers.ts';
import type { EndpointParts } from './endpoint-parts.ts';

type ProofParts = Pick<EndpointParts, 'issuer' | 'proofs' | 'report'>;

/**
 * Verifies the DPoP proof of a request to one of our endpoints. The proof must name the endpoint's URL from the
 * metadata; the `Host` header is ignored.
 *
 * @returns the thumbprint of the proof's key; null if there is no proof
 * @throws OAuthError `invalid_dpop_proof`, `use_dpop_nonce`: neither says anything about a session
 * @see RFC 9449 §5, §8
 */
export function verifyRequestProof({ headers, method, path }: HttpRequest, parts: ProofParts): string | null {
  const { issuer, proofs, report } = parts;
  const proof = headers['dpop'];
  if (proof === undefined) return null;
  const verdict = proofs.verify(proof, { method, url: issuer + path, accessToken: null });
  switch (verdict.kind) {
    case 'valid':
      return verdict.jkt;
    case 'nonce_needed':
      throw new OAuthError(400, 'use_dpop_nonce', 'The DPoP proof needs the nonce of this answer');
    case 'invalid':
      report({ type: 'proof.refused', path, fault: verdict.fault });
      throw new OAuthError(400, 'invalid_dpop_proof', 'The DPoP proof is invalid', { reason: 'proof_invalid' });
  }
}

/** The request uses a bound session, code or client without a proof. */
export function proofMissing(): OAuthError {
  return new OAuthError(400, 'invalid_dpop_proof', 'A DPoP proof is needed', { reason: 'proof_missing' });
}

/** Sends the nonce for the next proof with every response to a request that had a proof or lacked a required one. */
export function nonceHeaders(
  { headers }: HttpRequest,
  failure: OAuthError | null,
  { proofs }: Pick<EndpointParts, 'proofs'>,
): HttpResponse['headers'] {
  const isWanted = headers['dpop'] !== undefined || failure?.error === 'invalid_dpop_proof';
  const nonce = isWanted ? proofs.nonce() : null;
  return nonce === null ? {} : { 'dpop-nonce': nonce };
}
