import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readProofKey, type ProofAlgorithm } from './proof-key.ts';

type Jwk = Readonly<Record<string, unknown>>;

const rsa: Jwk = { ...generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' }) };
const ec: Jwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) };
const edPair = generateKeyPairSync('ed25519');
const ed: Jwk = { ...edPair.publicKey.export({ format: 'jwk' }) };

const base64url = (bytes: Buffer | readonly number[]): string => Buffer.from(bytes).toString('base64url');
const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url');

const P = 2n ** 255n - 19n;
/** 32 bytes, least significant first, with the sign of `x` in the last bit. */
function toPoint(y: bigint, isNegative: boolean): string {
  const bytes = [...Buffer.from((isNegative ? y | (1n << 255n) : y).toString(16).padStart(64, '0'), 'hex')];
  return base64url(bytes.toReversed());
}
/** The five `y` of points of order 1, 2, 4 and 8. */
const SMALL_ORDER = [
  0n,
  1n,
  P - 1n,
  2_707_385_501_144_840_649_318_225_287_225_658_788_936_804_267_575_313_519_463_743_609_750_303_402_022n,
  55_188_659_117_513_257_062_467_267_217_118_295_137_698_188_065_244_968_500_265_048_394_206_261_417_927n,
];
/** Every `y` that fits into 255 bits and is beyond the field. */
const BEYOND_FIELD = Array.from({ length: 19 }, (_, index) => P + BigInt(index));

// With a weak key any attacker can make proofs, so a token bound to it is not protected.
describe('a key for which anyone could sign is refused', () => {
  const edPoints: [string, string][] = [...SMALL_ORDER, ...BEYOND_FIELD].flatMap((y) =>
    [false, true].map((isNegative): [string, string] => [
      `y = ${y}, x ${isNegative ? 'odd' : 'even'}`,
      toPoint(y, isNegative),
    ]),
  );
  test.each(edPoints)('Ed25519 point of small order or beyond the field: %s', (_name, x) => {
    for (const algorithm of ['EdDSA', 'Ed25519'] as const) {
      expect(readProofKey({ kty: 'OKP', crv: 'Ed25519', x }, algorithm)).toBeNull();
    }
  });

  test('no other point is refused: a real key is accepted', () => {
    const key = readProofKey(ed, 'EdDSA');
    const signed = 'a text';
    expect(key?.verify(signed, sign(null, Buffer.from(signed), edPair.privateKey))).toBe(true);
    expect(key?.verify(signed, Buffer.alloc(64))).toBe(false);
  });

  const odd = bytesOf(rsa['n']);
  const even = Buffer.concat([odd.subarray(0, 255), Buffer.from([odd.readUInt8(255) & 0xfe])]);
  const short = Buffer.concat([Buffer.alloc(128), odd.subarray(128)]);
  const shorter = Buffer.concat([Buffer.from([0x7f]), odd.subarray(1)]);
  const longer = Buffer.concat([Buffer.from([0]), odd]);
  test.each<[string, ProofAlgorithm, Jwk]>([
    ['RSA, exponent 1', 'RS256', { ...rsa, e: base64url([1]) }],
    ['RSA, exponent 3', 'RS256', { ...rsa, e: base64url([3]) }],
    ['RSA, exponent 65535', 'RS256', { ...rsa, e: base64url([0xff, 0xff]) }],
    ['RSA, an even exponent', 'PS256', { ...rsa, e: base64url([1, 0, 2]) }],
    ['RSA, exponent 0', 'PS256', { ...rsa, e: base64url([0]) }],
    ['RSA, an exponent with a leading zero', 'RS256', { ...rsa, e: base64url([0, 1, 0, 1]) }],
    ['RSA, an exponent of five bytes', 'RS256', { ...rsa, e: base64url([1, 0, 0, 0, 1]) }],
    ['RSA, no exponent', 'RS256', { ...rsa, e: '' }],
    ['RSA, 1024 bits in 256 bytes', 'RS256', { ...rsa, n: base64url(short) }],
    ['RSA, 2047 bits', 'RS256', { ...rsa, n: base64url(shorter) }],
    ['RSA, a modulus with a leading zero', 'PS256', { ...rsa, n: base64url(longer) }],
    ['RSA, an even modulus', 'PS256', { ...rsa, n: base64url(even) }],
    ['RSA, a modulus of ones, which 3 divides', 'RS256', { ...rsa, n: base64url(Buffer.alloc(256, 0xff)) }],
    ['RSA, 1024 bits', 'RS256', { ...rsa, n: base64url(odd.subarray(128)) }],
    ['RSA, 4104 bits', 'RS256', { ...rsa, n: base64url(Buffer.alloc(513, 0xff)) }],
    ['P-256, a point off the curve', 'ES256', { ...ec, y: ec['x'] }],
    ['P-256, zeros', 'ES256', { ...ec, x: base64url(Buffer.alloc(32)), y: base64url(Buffer.alloc(32)) }],
    ['P-256, beyond the field', 'ES256', { ...ec, x: base64url(Buffer.alloc(32, 0xff)) }],
    ['P-256, a coordinate of 31 bytes', 'ES256', { ...ec, x: base64url(bytesOf(ec['x']).subarray(1)) }],
    ['P-256, a coordinate of 33 bytes', 'ES256', { ...ec, x: base64url([0, ...bytesOf(ec['x'])]) }],
    ['P-256, only one coordinate', 'ES256', { ...ec, y: undefined }],
    ['P-384', 'ES256', { ...generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }) }],
    ['secp256k1', 'ES256', { ...generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' }) }], // prettier-ignore
    ['X25519, for key agreement', 'EdDSA', { ...generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }) }],
    ['Ed448', 'EdDSA', { ...generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' }) }],
    ['Ed25519 of 31 bytes', 'EdDSA', { ...ed, x: base64url(bytesOf(ed['x']).subarray(1)) }],
    ['a symmetric key', 'ES256', { kty: 'oct', k: base64url(Buffer.alloc(32)) }],
    ['a symmetric key that says EC', 'ES256', { ...ec, k: base64url(Buffer.alloc(32)) }],
    ['an RSA key for ES256', 'ES256', rsa],
    ['an EC key for RS256', 'RS256', ec],
    ['an EC key for EdDSA', 'EdDSA', ec],
    ['an EC key without a type', 'ES256', { ...ec, kty: undefined }],
    ['an EC key without a curve', 'ES256', { ...ec, crv: undefined }],
  ])('%s', (_name, algorithm, jwk) => {
    expect(readProofKey(jwk, algorithm)).toBeNull();
  });

  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('a key with the private member %s', (member) => {
    for (const [jwk, algorithm] of [
      [ec, 'ES256'],
      [ed, 'EdDSA'],
      [rsa, 'RS256'],
    ] as const) {
      // prettier-ignore
      for (const value of ['AQAB', '', null, 0, []]) {
        expect(readProofKey({ ...jwk, [member]: value }, algorithm)).toBeNull();
      }
    }
  });

  test.each([null, undefined, true, 7, 'a key', [], {}, [ec]].map((value) => [JSON.stringify(value), value]))(
    'what is no key at all: %s',
    (_name, value) => {
      expect(readProofKey(value, 'ES256')).toBeNull();
    },
  );
});

test('a key has one spelling, and so one thumbprint', () => {
  const spellings = [
    [ec, 'x', 'ES256'],
    [ed, 'x', 'EdDSA'],
    [rsa, 'n', 'RS256'],
  ] as const;
  for (const [jwk, member, algorithm] of spellings) {
    const text = String(jwk[member]);
    for (const other of [`${text}=`, `${text}A`, `${text} `, text.slice(0, -1), `${text.slice(0, -1)}\n`, `=${text}`]) {
      expect(readProofKey({ ...jwk, [member]: other }, algorithm)).toBeNull();
    }
    expect(readProofKey(jwk, algorithm)).not.toBeNull();
  }
});
