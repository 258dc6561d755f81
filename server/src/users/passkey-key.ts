import { cose, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import { readProofKey, type ProofAlgorithm } from '../dpop/proof-key.ts';

/** Maps the members of COSE keys to members of JWKs. @see RFC 9053 §7.1, RFC 8230 §4 */
const KEY_TYPES: ReadonlyMap<
  unknown,
  { readonly algorithm: ProofAlgorithm; readonly toJwk: (key: CoseKey) => object }
> = new Map([
  [
    cose.COSEALG.ES256,
    {
      algorithm: 'ES256',
      toJwk: (key) => ({
        kty: 'EC',
        crv: curveOf(key),
        x: textOf(key, cose.COSEKEYS.x),
        y: textOf(key, cose.COSEKEYS.y),
      }),
    },
  ],
  [
    cose.COSEALG.EdDSA,
    { algorithm: 'EdDSA', toJwk: (key) => ({ kty: 'OKP', crv: curveOf(key), x: textOf(key, cose.COSEKEYS.x) }) },
  ],
  [
    cose.COSEALG.RS256,
    {
      algorithm: 'RS256',
      toJwk: (key) => ({ kty: 'RSA', n: textOf(key, cose.COSEKEYS.n), e: textOf(key, cose.COSEKEYS.e) }),
    },
  ],
]);

const CURVES: ReadonlyMap<unknown, string> = new Map([
  [1, 'P-256'],
  [6, 'Ed25519'],
]);

type CoseKey = {
  readonly get: (member: number) => unknown;
};

/**
 * Checks the public key of a new passkey. EC points must lie on the curve and not have a small order; RSA needs a large
 * modulus and exponent. Registration requests no attestation, and anyone could sign for a weak key. Other algorithms
 * pass unchecked.
 *
 * @param publicKey a COSE_Key from the authenticator data
 */
export function isSoundPasskey(publicKey: Uint8Array): boolean {
  const key = decodeCredentialPublicKey(new Uint8Array(publicKey)) as CoseKey;
  const type = KEY_TYPES.get(key.get(cose.COSEKEYS.alg));
  return type === undefined || readProofKey(type.toJwk(key), type.algorithm) !== null;
}

function curveOf(key: CoseKey): string | undefined {
  return CURVES.get(key.get(cose.COSEKEYS.crv));
}

function textOf(key: CoseKey, member: number): string | undefined {
  const bytes = key.get(member);
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64url') : undefined;
}
