import { generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/**
 * Algorithms that access tokens can be signed with.
 *
 * @see RFC 7518 §3.1, RFC 8037 §3.1
 */
export type SigningAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

/** A fresh key pair. RSA takes a good part of a second, the others none to speak of. */
export function generateSigningKeyPair(algorithm: SigningAlgorithm): {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
} {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}

/** The one algorithm that a key is for: a token cannot choose another one for it. */
export function algorithmOf(key: KeyObject): SigningAlgorithm | null {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : null;
    case 'ed25519':
      return 'EdDSA';
    case 'rsa':
      return 'RS256';
    default:
      return null;
  }
}

/**
 * Signs. Synchronous on purpose: twice the rate of WebCrypto, and 30 microseconds (ES256) do not hold anybody up.
 *
 * @param input `BASE64URL(header).BASE64URL(payload)`
 */
export function signJws(algorithm: SigningAlgorithm, privateKey: KeyObject, input: string): Buffer {
  const bytes = Buffer.from(input);
  if (algorithm === 'EdDSA') return sign(null, bytes, privateKey);
  return sign('sha256', bytes, algorithm === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' } : privateKey);
}

/** Verifies a signature made by {@link signJws}. */
export function verifyJws(
  algorithm: SigningAlgorithm,
  publicKey: KeyObject,
  input: string,
  signature: Buffer,
): boolean {
  const bytes = Buffer.from(input);
  if (algorithm === 'EdDSA') return verify(null, bytes, publicKey, signature);
  const key = algorithm === 'ES256' ? ({ key: publicKey, dsaEncoding: 'ieee-p1363' } as const) : publicKey;
  return verify('sha256', bytes, key, signature);
}
