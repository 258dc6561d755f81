import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newSid } from '../kernel/ids.ts';
import { createKeyRing } from '../kernel/key-ring.ts';
import { LAST_GENERATION } from '../rotation/rotation.ts';
import { formatRefreshToken, newNonce, parseRefreshToken, REFRESH_TOKEN_PREFIX } from './refresh-token.ts';

const SECRET = 'the secret of this test, long enough';
const ring = createKeyRing(SECRET);
const copy = { sid: newSid(), generation: 300, nonce: newNonce(), secret: randomBytes(16) };
const token = formatRefreshToken(copy, ring);

describe('refresh token', () => {
  test('parses to the values that it was minted with', () => {
    const anyBytes = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
    fc.assert(
      fc.property(
        fc.record({
          sid: fc.constant(null).map(() => newSid()),
          generation: fc.integer({ min: 0, max: LAST_GENERATION }),
          nonce: anyBytes(12),
          secret: anyBytes(16),
        }),
        (minted) => {
          const parsed = parseRefreshToken(formatRefreshToken(minted, ring), ring);
          expect(parsed).toEqual({ kind: 'genuine', token: { ...minted, keyId: ring.minting.id } });
        },
      ),
    );
  });

  test('is found by a secret scanner: fixed prefix, fixed length', () => {
    expect(token).toMatch(/^hfrt_[A-Za-z0-9_-]{88}$/);
  });

  test('is refused with any bit changed', () => {
    const bytes = Buffer.from(token.slice(REFRESH_TOKEN_PREFIX.length), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const { kind } = parseRefreshToken(REFRESH_TOKEN_PREFIX + changed.toString('base64url'), ring);
      // An unknown key id says nothing about the token, because another node may know it.
      expect(kind).toBe(bit < 16 ? 'unknown_key' : 'malformed');
    }
  });

  test('is refused if shortened, extended, or with any character outside the alphabet', () => {
    for (let length = 0; length < token.length; length++) {
      expect(parseRefreshToken(token.slice(0, length), ring).kind).toBe('malformed');
      const foreign = `${token.slice(0, length)}+${token.slice(length + 1)}`;
      expect(parseRefreshToken(foreign, ring).kind).toBe('malformed');
    }
    for (const longer of [`${token}A`, ` ${token}`, `${token}\n`, `${token}=`, token.toUpperCase()]) {
      expect(parseRefreshToken(longer, ring).kind).toBe('malformed');
    }
  });

  test('arbitrary strings are never accepted and never throw', () => {
    const tokenLike = fc.stringMatching(/^hfrt_[A-Za-z0-9_-]{88}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), tokenLike), (presented) => {
        expect(parseRefreshToken(presented, ring).kind).not.toBe('genuine');
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('roll-over of the master secret', () => {
  const next = 'the next secret of this test, also long';

  test('signs no user out: both secrets are accepted while both are configured', () => {
    const before = createKeyRing(SECRET, [next]);
    const after = createKeyRing(next, [SECRET]);
    expect(parseRefreshToken(formatRefreshToken(copy, before), after).kind).toBe('genuine');
    expect(parseRefreshToken(formatRefreshToken(copy, after), before).kind).toBe('genuine');
  });

  test('a node with another secret does not call a token invalid', () => {
    expect(parseRefreshToken(token, createKeyRing(next)).kind).toBe('unknown_key');
  });

  test('a retired secret is recognized as retired', () => {
    expect(parseRefreshToken(token, createKeyRing(next, [], [SECRET])).kind).toBe('retired_key');
  });

  test('a short or repeated secret is refused, and the error names its option', () => {
    expect(() => createKeyRing('short')).toThrow(/options\.secret/);
    expect(() => createKeyRing(SECRET, [SECRET])).toThrow(/options\.acceptedSecrets/);
    expect(() => createKeyRing(SECRET, [], [SECRET])).toThrow(/options\.retiredSecrets/);
  });
});
