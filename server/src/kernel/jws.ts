import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

/**
 * Algorithms that access tokens can be signed with.
 *
 * @see RFC 7518 §3.1, RFC 8037 §3.1
 */
export type SigningAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

/** Generates a key pair. RSA takes a good part of a second, the others almost no time. */
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
      return generateKeyPairSync('rsa', { modulusLength: 2_048 });
  }
}

/** Returns the one algorithm of a key, so that a token cannot choose another one; null if the key fits none. */
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
 * Signs. Synchronous on purpose: twice the rate of WebCrypto, and 30 microseconds (ES256) delay no other request.
 *
 * @param input `BASE64URL(header).BASE64URL(payload)`
 */
export function signJws(algorithm: SigningAlgorithm, privateKey: KeyObject, input: string): Buffer {
  const bytes = Buffer.from(input);
  if (algorithm === 'EdDSA') return sign(null, bytes, privateKey);
  const signature = sign('sha256', bytes, privateKey);
  // `dsaEncoding` would write this form in node:crypto; on Node 24 it takes twice the time of the signature.
  return algorithm === 'ES256' ? toConcatenation(signature) : signature;
}

/** Bytes of each of the two integers of an ES256 signature. */
const INTEGER_BYTES = 32;

/**
 * Converts an ECDSA signature from DER, with integers of variable length, to the two integers at full length.
 *
 * @see RFC 7518 §3.4, RFC 3279 §2.2.3
 */
function toConcatenation(der: Buffer): Buffer {
  const rAt = 4;
  const sAt = rAt + der.readUInt8(rAt - 1) + 2;
  const concatenation = Buffer.alloc(2 * INTEGER_BYTES);
  // A longer integer begins with the zero byte that keeps it positive.
  const r = der.subarray(rAt, sAt - 2).subarray(-INTEGER_BYTES);
  const s = der.subarray(sAt).subarray(-INTEGER_BYTES);
  r.copy(concatenation, INTEGER_BYTES - r.byteLength);
  s.copy(concatenation, 2 * INTEGER_BYTES - s.byteLength);
  return concatenation;
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
