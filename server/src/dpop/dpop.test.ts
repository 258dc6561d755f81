import * as fc from 'fast-check';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { athOf, createProver, type ProofClaims } from '../testing/proof.ts';
import { createDpopNonces } from './dpop-nonce.ts';
import { createProofVerifier, type ProofVerdict, type ProofVerifier, type ProofVerifierParts } from './dpop.ts';
import { PROOF_ALGORITHMS } from './proof-key.ts';

const URL_OF_TOKEN = 'https://id.example/token';
const EXPECTED = { method: 'POST', url: URL_OF_TOKEN, accessToken: null };
const NOW_SECONDS = 1_800_000_000;
const POLICY = {
  dpopProofLifetimeSeconds: 60,
  dpopNoncePeriodSeconds: 300,
  clockToleranceSeconds: 5,
  dpopReplayMemory: 1_000,
};
const KEY = Buffer.alloc(32, 1);
const prover = createProver();

type Clock = {
  seconds: number;
};
function startVerifier(overrides: Partial<ProofVerifierParts> = {}, clock: Clock = { seconds: NOW_SECONDS }) {
  const now = (): number => clock.seconds * 1_000;
  const verifier = createProofVerifier({ nonces: null, isNonceRequired: false, policy: POLICY, now, ...overrides });
  return { verifier, clock, nonces: createDpopNonces([KEY], POLICY.dpopNoncePeriodSeconds, now) };
}
const prove = (claims: ProofClaims = {}, header: Readonly<Record<string, unknown>> = {}): string =>
  prover.prove({ htu: URL_OF_TOKEN, iat: NOW_SECONDS, ...claims }, header);
const verify = (proof: string, verifier: ProofVerifier = startVerifier().verifier): ProofVerdict =>
  verifier.verify(proof, EXPECTED);
const valid = { kind: 'valid', jkt: prover.jkt };
const invalid = (fault: string): object => ({ kind: 'invalid', fault });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A JWT with a signature that no check reaches. */
const unsigned = (header: unknown, claims: unknown = { jti: 'x', htm: 'POST', htu: URL_OF_TOKEN, iat: NOW_SECONDS }) =>
  `${encode(header)}.${encode(claims)}.${'A'.repeat(86)}`;
const HUGE_IAT = Buffer.from(`{"jti":"x","htm":"POST","htu":"${URL_OF_TOKEN}","iat":1e999}`).toString('base64url');
const HEADER = { typ: 'dpop+jwt', alg: 'ES256', jwk: prover.publicJwk };

describe('the checks of RFC 9449 section 4.3', () => {
  test('a valid proof gives the RFC 7638 thumbprint of its key', async () => {
    expect(verify(prove())).toEqual(valid);
    expect(prover.jkt).toBe(await calculateJwkThumbprint({ ...prover.publicJwk, kty: 'EC' }));
  });

  // Each of these proofs, if accepted, would let an attacker use a token without its key or for another request.
  test.each<[string, string, string]>([
    ['1: two proofs in two fields', `${prove()}, ${prove()}`, 'not_a_jwt'],
    ['2: no JWT', 'garbage', 'not_a_jwt'],
    ['2: a header that is no JSON', `${Buffer.from('{').toString('base64url')}.e30.${'A'.repeat(86)}`, 'not_a_jwt'],
    ['2: a header that is no object', unsigned(7), 'not_a_jwt'],
    ['3: no jti', prove({ jti: undefined }), 'claims'],
    ['3: a jti that is no text', prove({ jti: 7 }), 'claims'],
    ['3: an endless jti', prove({ jti: 'x'.repeat(257) }), 'claims'],
    ['3: no htm', prove({ htm: undefined }), 'claims'],
    ['3: no htu', prove({ htu: undefined }), 'claims'],
    ['3: no iat', prove({ iat: undefined }), 'claims'],
    ['3: an iat that is no number', prove({ iat: String(NOW_SECONDS) }), 'claims'],
    ['4: an access token', prove({}, { typ: 'at+jwt' }), 'typ'],
    ['4: no typ', prove({}, { typ: undefined }), 'typ'],
    ['5: no signature', unsigned({ ...HEADER, alg: 'none' }), 'alg'],
    ['5: a symmetric algorithm', unsigned({ ...HEADER, alg: 'HS256' }), 'alg'],
    ['5: an algorithm that is not on the list', unsigned({ ...HEADER, alg: 'ES512' }), 'alg'],
    ["5: the key's algorithm misnamed", prove({}, { alg: 'RS256' }), 'jwk'],
    ['6: a wrong signature', unsigned(HEADER), 'signature'],
    ['6: the key of somebody else', prove({}, { jwk: createProver().publicJwk }), 'signature'],
    ['7: a private key', prove({}, { jwk: prover.privateJwk }), 'jwk'],
    ['7: a symmetric key', unsigned({ ...HEADER, jwk: { kty: 'oct', k: 'AAAA' } }), 'jwk'],
    ['7: no key', unsigned({ ...HEADER, jwk: undefined }), 'jwk'],
    [
      '7: a point that is not on the curve',
      unsigned({ ...HEADER, jwk: { ...prover.publicJwk, x: 'A'.repeat(43) } }),
      'jwk',
    ],
    ['8: another method', prove({ htm: 'GET' }), 'htm'],
    ['8: a method in lower case', prove({ htm: 'post' }), 'htm'],
    ['9: another path', prove({ htu: 'https://id.example/revoke' }), 'htu'],
    ['9: another host', prove({ htu: 'https://id.example.evil/token' }), 'htu'],
    ['9: another port', prove({ htu: 'https://id.example:8443/token' }), 'htu'],
    ['9: without TLS', prove({ htu: 'http://id.example/token' }), 'htu'],
    ['9: credentials in the URL', prove({ htu: 'https://id.example@evil.example/token' }), 'htu'],
    ['9: no URL', prove({ htu: '/token' }), 'htu'],
    ['11: too old', prove({ iat: NOW_SECONDS - 66 }), 'iat'],
    ['11: from the future', prove({ iat: NOW_SECONDS + 11 }), 'iat'],
    ['11: from a minute ahead', prove({ iat: NOW_SECONDS + 60 }), 'iat'],
    ['11: an iat beyond every number', prove({ iat: 'huge' }).replace(/\.[^.]*\./, `.${HUGE_IAT}.`), 'claims'],
    ['11: expired by its own word', prove({ exp: NOW_SECONDS - 1 }), 'exp'],
    ['11: expired at this moment', prove({ exp: NOW_SECONDS }), 'exp'],
    ['11: expired at its birth', prove({ exp: NOW_SECONDS - 1, iat: NOW_SECONDS + 5 }), 'exp'],
    ...[null, '', true, ['x'], {}].flatMap((value): [string, string, string][] => [
      [`3: a nonce of ${JSON.stringify(value)}`, prove({ nonce: value }), 'claims'],
      [`3: an ath of ${JSON.stringify(value)}`, prove({ ath: value }), 'claims'],
    ]),
    ['11: not valid yet', prove({ nbf: NOW_SECONDS + 11 }), 'nbf'],
    ['11: not valid for an hour', prove({ nbf: NOW_SECONDS + 3_600, exp: NOW_SECONDS + 7_200 }), 'nbf'],
    ...[null, String(NOW_SECONDS + 60), true, [NOW_SECONDS + 60], {}].flatMap((value): [string, string, string][] => [
      [`3: an exp of ${JSON.stringify(value)}`, prove({ exp: value }), 'claims'],
      [`3: an nbf of ${JSON.stringify(value)}`, prove({ nbf: value }), 'claims'],
      [`3: an iat of ${JSON.stringify(value)}`, prove({ iat: value }), 'claims'],
    ]),
    ['an extension that must be understood', prove({}, { crit: ['x'], x: 1 }), 'crit'],
  ])('%s', (_, proof, fault) => {
    expect(verify(proof)).toEqual(invalid(fault));
  });

  test.each([
    'https://id.example/token?a=b',
    'https://id.example/token#x',
    'HTTPS://ID.EXAMPLE/token',
    'https://id.example:443/token',
    'https://id.example/%74oken',
    'https://id.example/x/../token',
  ])('9: %s is the same target', (htu) => {
    expect(verify(prove({ htu }))).toEqual(valid);
  });

  // Accept proofs of devices whose clocks are a few seconds ahead, but none made in advance for the next minute.
  test.each([0, 1, 5, 8, 10])('11: %i seconds ahead is the present', (seconds) => {
    expect(verify(prove({ iat: NOW_SECONDS + seconds }))).toEqual(valid);
    expect(verify(prove({ nbf: NOW_SECONDS + seconds, exp: NOW_SECONDS + 60 }))).toEqual(valid);
  });

  test('12: with an access token, the proof must name that token', () => {
    const { verifier } = startVerifier();
    const expected = { ...EXPECTED, accessToken: 'the token' };
    const verifyWith = (claims: ProofClaims): ProofVerdict => verifier.verify(prove(claims), expected);
    expect(verifyWith({ ath: athOf('the token') })).toEqual(valid);
    expect(verifyWith({ ath: athOf('another') })).toEqual(invalid('ath'));
    expect(verifyWith({ ath: 'the token' })).toEqual(invalid('ath'));
    expect(verifyWith({})).toEqual(invalid('ath'));
  });

  test.each(PROOF_ALGORITHMS)('a real %s key of another implementation', async (alg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    const proof = await new SignJWT({ jti: 'x', htm: 'POST', htu: URL_OF_TOKEN, iat: NOW_SECONDS })
      .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
      .sign(privateKey);
    expect(verify(proof)).toEqual({ kind: 'valid', jkt: await calculateJwkThumbprint(jwk) });
    const short = proof.slice(0, -4);
    expect(verify(`${short}AAAA`)).toEqual(invalid('signature'));
  });

  test('an RSA key of 1024 bits is refused', () => {
    const jwk = { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB' };
    expect(verify(unsigned({ ...HEADER, alg: 'RS256', jwk }))).toEqual(invalid('jwk'));
  });

  test('no input makes the verifier throw, and only a signed proof is valid', () => {
    const { verifier } = startVerifier();
    const anyHeader = fc.oneof(
      fc.json(),
      fc.jsonValue().map((jwk) => JSON.stringify({ ...HEADER, jwk })),
    );
    const text = (value: string): string => Buffer.from(value).toString('base64url');
    fc.assert(
      fc.property(anyHeader, fc.json(), fc.string({ unit: 'grapheme' }), (header, claims, junk) => {
        for (const proof of [junk, `${text(header)}.${text(claims)}.${'A'.repeat(86)}`]) {
          expect(verifier.verify(proof, EXPECTED).kind).toBe('invalid');
        }
      }),
    );
  });

  test('a proof with any character changed is refused', () => {
    const proof = prove();
    for (let at = 0; at < proof.length - 1; at++) {
      const changed = proof.slice(0, at) + (proof[at] === 'A' ? 'B' : 'A') + proof.slice(at + 1);
      expect(verify(changed).kind).toBe('invalid');
    }
  });
});

describe('nonces', () => {
  const start = (isNonceRequired: boolean) => {
    const clock = { seconds: NOW_SECONDS };
    const { nonces } = startVerifier({}, clock);
    return { ...startVerifier({ nonces, isNonceRequired }, clock), nonces };
  };

  test('if required, a proof without a nonce is refused and the answer has the nonce', () => {
    const { verifier } = start(true);
    expect(verifier.verify(prove(), EXPECTED)).toEqual({ kind: 'nonce_needed' });
    expect(verifier.verify(prove({ nonce: verifier.nonce() }), EXPECTED)).toEqual(valid);
  });

  // Otherwise a device whose clock is a year off would be locked out of every bound session.
  test('with a nonce the clock of the client does not matter', () => {
    const { verifier } = start(true);
    for (const iat of [0, NOW_SECONDS + 31_536_000]) {
      expect(verifier.verify(prove({ nonce: verifier.nonce(), iat }), EXPECTED)).toEqual(valid);
    }
  });

  test('do not replace the checks of `exp` and `nbf`', () => {
    const { verifier } = start(true);
    const nonce = verifier.nonce();
    expect(verifier.verify(prove({ nonce, exp: NOW_SECONDS - 1 }), EXPECTED)).toEqual(invalid('exp'));
    expect(verifier.verify(prove({ nonce, nbf: NOW_SECONDS + 60 }), EXPECTED)).toEqual(invalid('nbf'));
  });

  test('if not required, are asked for only when the clocks disagree', () => {
    const { verifier } = start(false);
    expect(verifier.verify(prove(), EXPECTED)).toEqual(valid);
    expect(verifier.verify(prove({ iat: 0 }), EXPECTED)).toEqual({ kind: 'nonce_needed' });
  });

  test('are accepted in their period and the next, and no longer', () => {
    const { verifier, clock } = start(true);
    const nonce = verifier.nonce();
    const isAccepted = (): boolean => verifier.verify(prove({ nonce }), EXPECTED).kind === 'valid';
    clock.seconds = NOW_SECONDS + 599;
    expect(isAccepted()).toBe(true);
    expect(verifier.nonce()).not.toBe(nonce);
    clock.seconds = NOW_SECONDS + 600;
    expect(isAccepted()).toBe(false);
  });

  test("of a node whose clock is ahead, or whose key is the roll-over's other one, are accepted", () => {
    const now = (): number => NOW_SECONDS * 1_000;
    const other = Buffer.alloc(32, 2);
    const here = createDpopNonces([KEY, other], 300, now);
    expect(here.isFresh(createDpopNonces([KEY], 300, () => now() + 299_000).current())).toBe(true);
    expect(here.isFresh(createDpopNonces([other, KEY], 300, now).current())).toBe(true);
    expect(here.isFresh(createDpopNonces([Buffer.alloc(32, 3)], 300, now).current())).toBe(false);
  });

  test('that no node gave out are refused', () => {
    const { verifier } = start(true);
    for (const nonce of ['', 'x', 'A'.repeat(22), `${verifier.nonce()}A`]) {
      expect(verifier.verify(prove({ nonce }), EXPECTED).kind).not.toBe('valid');
    }
  });
});

describe('a proof is good for one use', () => {
  test('a second use is refused; the same jti by another key is another proof', () => {
    const { verifier } = startVerifier();
    const proof = prove({ jti: 'one' });
    expect(verifier.verify(proof, EXPECTED)).toEqual(valid);
    expect(verifier.verify(proof, EXPECTED)).toEqual(invalid('replayed'));
    const other = createProver();
    expect(verifier.verify(other.prove({ jti: 'one', htu: URL_OF_TOKEN, iat: NOW_SECONDS }), EXPECTED).kind).toBe(
      'valid',
    );
  });

  test('a replay is refused for as long as its iat or its nonce is accepted', () => {
    const clock = { seconds: NOW_SECONDS };
    const { nonces } = startVerifier({}, clock);
    const { verifier } = startVerifier({ nonces, isNonceRequired: true }, clock);
    const proof = prove({ nonce: nonces.current() });
    expect(verifier.verify(proof, EXPECTED)).toEqual(valid);
    for (let seconds = 0; seconds < 600; seconds += 50) {
      clock.seconds = NOW_SECONDS + seconds;
      expect(verifier.verify(proof, EXPECTED)).toEqual(invalid('replayed'));
      expect(verifier.verify(prove({ nonce: nonces.current() }), EXPECTED)).toEqual(valid);
    }
  });

  test('the memory of used proofs is bounded: a flood makes it forget the oldest', () => {
    const { verifier } = startVerifier({ policy: { ...POLICY, dpopReplayMemory: 10 } });
    const proof = prove();
    expect(verifier.verify(proof, EXPECTED)).toEqual(valid);
    for (let count = 0; count < 9; count++) verifier.verify(prove(), EXPECTED);
    expect(verifier.verify(proof, EXPECTED)).toEqual(invalid('replayed'));
    for (let count = 0; count < 20; count++) verifier.verify(prove(), EXPECTED);
    expect(verifier.verify(proof, EXPECTED)).toEqual(valid);
  });
});
