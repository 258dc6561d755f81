import { constants, createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';

/**
 * Signature algorithms of DPoP proofs: asymmetric ones only, each for one kind of key.
 *
 * @see RFC 9449 §4.2; RFC 7518 §3.1; RFC 9864
 */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const;
export type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number];

/** The checked public key of a proof. */
export type ProofKey = {
  /** RFC 7638 thumbprint, SHA-256. */
  readonly jkt: string;
  readonly verify: (signed: string, signature: Buffer) => boolean;
};

/** The required members of a key, in the order of RFC 7638 §3.2. Other members are ignored, except private ones. */
type PublicJwk =
  | { readonly crv: 'P-256'; readonly kty: 'EC'; readonly x: string; readonly y: string }
  | { readonly crv: 'Ed25519'; readonly kty: 'OKP'; readonly x: string }
  | { readonly e: string; readonly kty: 'RSA'; readonly n: string };

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;
const COORDINATE_BYTES = 32;
/** RFC 7518 §3.3 requires 2048 bits. Longer keys than 4096 bits would only cost this server time. */
const MODULUS_BYTES = { least: 256, most: 512 } as const;
const EXPONENT_BYTES = 4;
/**
 * FIPS 186-5 §5.4. With exponent 1 every text is its own signature; small exponents have broken many implementations.
 */
const LEAST_EXPONENT = 65_537;

export function isProofAlgorithm(alg: unknown): alg is ProofAlgorithm {
  return (PROOF_ALGORITHMS as readonly unknown[]).includes(alg);
}

/**
 * Reads the `jwk` of a proof's header.
 *
 * @returns null if it is no sound public key for the algorithm, or holds any private member
 */
export function readProofKey(jwk: unknown, algorithm: ProofAlgorithm): ProofKey | null {
  if (typeof jwk !== 'object' || jwk === null || PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) {
    return null;
  }
  const publicJwk = readPublicJwk(jwk as Readonly<Record<string, unknown>>, algorithm);
  if (publicJwk === null) return null;
  let key: KeyObject;
  try {
    // Throws for a point that is not on the curve.
    key = createPublicKey({ key: { ...publicJwk }, format: 'jwk' });
  } catch {
    return null;
  }
  return {
    jkt: createHash('sha256').update(JSON.stringify(publicJwk)).digest('base64url'),
    verify: (signed, signature) => verifyWith(key, algorithm, Buffer.from(signed), signature),
  };
}

function readPublicJwk(jwk: Readonly<Record<string, unknown>>, algorithm: ProofAlgorithm): PublicJwk | null {
  const { kty, crv, x, y, n, e } = jwk;
  switch (algorithm) {
    case 'ES256': {
      const isKey = kty === 'EC' && crv === 'P-256' && isBytes(x, COORDINATE_BYTES) && isBytes(y, COORDINATE_BYTES);
      return isKey ? { crv, kty, x, y } : null;
    }
    case 'EdDSA':
    case 'Ed25519': {
      const isKey = kty === 'OKP' && crv === 'Ed25519' && isBytes(x, COORDINATE_BYTES) && isSoundPoint(x);
      return isKey ? { crv, kty, x } : null;
    }
    case 'PS256':
    case 'RS256': {
      const { least, most } = MODULUS_BYTES;
      const isKey = kty === 'RSA' && isBytes(n, least, most) && isBytes(e, 1, EXPONENT_BYTES);
      return isKey && isSoundModulus(n) && isSoundExponent(e) ? { e, kty, n } : null;
    }
  }
}

/** Checks for canonical base64url of `least` to `most` bytes: a key with two spellings would have two thumbprints. */
function isBytes(value: unknown, least: number, most = least): value is string {
  if (typeof value !== 'string' || value.length > Math.ceil((most * 4) / 3)) return false;
  const bytes = Buffer.from(value, 'base64url');
  return bytes.length >= least && bytes.length <= most && bytes.toString('base64url') === value;
}

const FIELD_PRIME = 2n ** 255n - 19n;
/** `y` of the points whose order divides 8. The sign of `x` only selects one of two points of the same order. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  0x05_fc_53_6d_88_02_38_b1_39_33_c6_d3_05_ac_df_d5_f0_98_ef_f2_89_f4_c3_45_b0_27_b2_c2_8f_95_e8_26n,
  0x7a_03_ac_92_77_fd_c7_4e_c6_cc_39_2c_fa_53_20_2a_0f_67_10_0d_76_0b_3c_ba_4f_d8_4d_3d_70_6a_17_c7n,
]);

/**
 * Refuses Ed25519 keys of small order, and those spelled with a `y` beyond the field. Signatures of zeros verify under
 * a key of small order, so anyone could sign for it. A second spelling of a point would give one key two thumbprints.
 *
 * @see RFC 8032 §5.1.3; RFC 7748 §7
 */
function isSoundPoint(x: string): boolean {
  const y =
    BigInt(`0x${Buffer.from([...Buffer.from(x, 'base64url')].toReversed()).toString('hex')}`) & (2n ** 255n - 1n);
  return y < FIELD_PRIME && !SMALL_ORDER_Y.has(y);
}

/** Checks a modulus: at least 2048 bits, no leading zero byte, odd, and no small factor. @see NIST SP 800-89 §5.3.3 */
function isSoundModulus(n: string): boolean {
  const bytes = Buffer.from(n, 'base64url');
  const isLong = bytes.byteLength > MODULUS_BYTES.least ? bytes[0] !== 0 : bytes.readUInt8(0) >= 0x80;
  return isLong && !hasSmallFactor(BigInt(`0x${bytes.toString('hex')}`));
}

const SMALL_PRIMES: readonly bigint[] = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n];
const PRODUCT_OF_SMALL_PRIMES = SMALL_PRIMES.reduce((product, prime) => product * prime);

function hasSmallFactor(n: bigint): boolean {
  const remainder = n % PRODUCT_OF_SMALL_PRIMES;
  return SMALL_PRIMES.some((prime) => remainder % prime === 0n);
}

/**
 * Checks an exponent: odd, large enough, and without leading zeros, which would give one key several thumbprints.
 *
 * @see RFC 7518 §6.3.1.2
 */
function isSoundExponent(e: string): boolean {
  const bytes = Buffer.from(e, 'base64url');
  const exponent = bytes.readUIntBE(0, bytes.byteLength);
  return bytes[0] !== 0 && exponent >= LEAST_EXPONENT && exponent % 2 === 1;
}

function verifyWith(key: KeyObject, algorithm: ProofAlgorithm, signed: Buffer, signature: Buffer): boolean {
  switch (algorithm) {
    case 'ES256':
      return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'EdDSA':
    case 'Ed25519':
      return verify(null, signed, key, signature);
    case 'PS256': {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify('sha256', signed, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
    }
    case 'RS256':
      return verify('sha256', signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  }
}
