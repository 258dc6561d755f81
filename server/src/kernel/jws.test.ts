import { verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { generateSigningKeyPair, signJws, verifyJws } from './jws.ts';

// An integer is a byte shorter in one signature of 128, and has an extra zero byte in every second one. If one length
// were wrong, some access tokens would be refused.
test('an ES256 signature is r and s at full length, also if they are short', () => {
  const { privateKey, publicKey } = generateSigningKeyPair('ES256');
  for (let count = 0; count < 2_000; count++) {
    const input = `header.${count}`;
    const signature = signJws('ES256', privateKey, input);
    expect(signature.byteLength).toBe(64);
    const isGenuine = verify('sha256', Buffer.from(input), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    expect(isGenuine).toBe(true);
    expect(verifyJws('ES256', publicKey, `${input}.`, signature)).toBe(false);
  }
});

test('every algorithm verifies what it signed', () => {
  for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
    const { privateKey, publicKey } = generateSigningKeyPair(algorithm);
    expect(verifyJws(algorithm, publicKey, 'a.b', signJws(algorithm, privateKey, 'a.b'))).toBe(true);
  }
});
