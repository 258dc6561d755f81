import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createSoftAuthenticator, type Deviation } from '../testing/authenticator.ts';
import { readAssertion, readAttestation, verifyAssertion, verifyAttestation } from './passkey-responses.ts';

const ORIGIN = 'https://id.example';
const RELYING_PARTY = { rpId: 'id.example', origins: new Set([ORIGIN]) };

/** Verifies a registration of a new authenticator. */
async function register(deviation: Deviation) {
  const challenge = randomBytes(32);
  const authenticator = createSoftAuthenticator(ORIGIN);
  const options = { challenge: challenge.toString('base64url'), rp: { id: 'id.example' }, user: { id: 'AAAA' } };
  const attestation = readAttestation(authenticator.create(options, deviation));
  if (attestation === null) throw new Error('the test made no attestation');
  return verifyAttestation(attestation, challenge, RELYING_PARTY);
}

/** Verifies a sign-in by an authenticator that registered normally. */
async function signIn(deviation: Deviation) {
  const sub = '00000000-0000-4000-8000-000000000002';
  const userHandle = randomBytes(32);
  const authenticator = createSoftAuthenticator(ORIGIN);
  const challenge = randomBytes(32);
  const options = {
    challenge: challenge.toString('base64url'),
    rp: { id: 'id.example' },
    user: { id: userHandle.toString('base64url') },
  };
  const attestation = readAttestation(authenticator.create(options));
  const registered = attestation && (await verifyAttestation(attestation, challenge, RELYING_PARTY));
  const assertion = readAssertion(authenticator.get({ ...options, rpId: 'id.example' }, deviation));
  if (!registered || !assertion) throw new Error('the test made no assertion');
  const passkey = {
    ...registered,
    sub,
    userHandle,
    rpId: 'id.example',
    name: 'phone',
    createdAtMs: 0,
    lastUsedAtMs: null,
  };
  return verifyAssertion(assertion, challenge, passkey, RELYING_PARTY);
}

// Otherwise another site's page that frames ours could use the user's verification for its own purpose.
describe('a ceremony is valid only in a top-level window', () => {
  test.each<[string, Deviation]>([
    ['crossOrigin is false', {}],
    ['crossOrigin is left out', { crossOrigin: undefined }],
  ])('it is valid if %s', async (_case, deviation) => {
    expect(await register(deviation)).not.toBeNull();
    expect(await signIn(deviation)).not.toBeNull();
  });

  test.each<[string, Deviation]>([
    ...[true, 'true', 'false', '', 1, 0, null, [], {}, [false]].map((crossOrigin): [string, Deviation] => [
      `crossOrigin is ${JSON.stringify(crossOrigin)}`,
      { crossOrigin },
    ]),
    ['the site around it is named', { topOrigin: 'https://evil.example' }],
    ['our own site is around it', { topOrigin: ORIGIN }],
  ])('it is invalid if %s', async (_case, deviation) => {
    expect(await register(deviation)).toBeNull();
    expect(await signIn(deviation)).toBeNull();
  });
});

/** Encodes a COSE key in CBOR. */
function coseKey(entries: readonly (readonly [number, number | Buffer])[]): Buffer {
  const head = (major: number, value: number): Buffer => {
    if (value < 24) return Buffer.from([(major << 5) | value]);
    if (value < 256) return Buffer.from([(major << 5) | 24, value]);
    return Buffer.from([(major << 5) | 25, value >> 8, value & 0xff]);
  };
  const integer = (value: number): Buffer => (value < 0 ? head(1, -1 - value) : head(0, value));
  const item = (value: number | Buffer): Buffer =>
    typeof value === 'number' ? integer(value) : Buffer.concat([head(2, value.byteLength), value]);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([name, value]) => [integer(name), item(value)])]);
}

const edKey = (x: Buffer, crv = 6): Buffer => coseKey([[1, 1], [3, -8], [-1, crv], [-2, x]]); // prettier-ignore
const rsaKey = (n: Buffer, e: Buffer): Buffer => coseKey([[1, 3], [3, -257], [-1, n], [-2, e]]); // prettier-ignore
const ecKey = (x: Buffer, y: Buffer, crv = 1): Buffer =>
  coseKey([[1, 2], [3, -7], [-1, crv], [-2, x], [-3, y]]); // prettier-ignore
const bytesOf = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');

// A passkey's key comes without attestation. With one of these keys, anyone who knows its id could sign in as its user.
describe('a passkey with a key that anyone could use is not registered', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const exponent = Buffer.from([1, 0, 1]);

  test('sound keys of every kind are registered', async () => {
    for (const key of [edKey(bytesOf(ed.x)), rsaKey(bytesOf(rsa.n), exponent), ecKey(bytesOf(ec.x), bytesOf(ec.y))]) {
      expect(await register({ coseKey: key })).not.toBeNull();
    }
  });

  test.each<[string, Buffer]>([
    ['Ed25519 of zeros', edKey(Buffer.alloc(32))],
    ['Ed25519, the neutral point', edKey(Buffer.from([1, ...Buffer.alloc(31)]))],
    ['Ed25519 of 31 bytes', edKey(bytesOf(ed.x).subarray(1))],
    ['Ed25519 under the name of another curve', edKey(bytesOf(ed.x), 7)],
    ['P-256, a point off the curve', ecKey(bytesOf(ec.x), bytesOf(ec.x))],
    ['P-256 of zeros', ecKey(Buffer.alloc(32), Buffer.alloc(32))],
    ['P-256 under the name of another curve', ecKey(bytesOf(ec.x), bytesOf(ec.y), 2)],
    ['RSA with exponent 1', rsaKey(bytesOf(rsa.n), Buffer.from([1]))],
    ['RSA with exponent 3', rsaKey(bytesOf(rsa.n), Buffer.from([3]))],
    ['RSA of 1024 bits', rsaKey(bytesOf(rsa.n).subarray(128), exponent)],
    ['RSA with an even modulus', rsaKey(Buffer.concat([bytesOf(rsa.n).subarray(0, 255), Buffer.from([2])]), exponent)],
  ])('%s', async (_name, key) => {
    expect(await register({ coseKey: key })).toBeNull();
  });
});
