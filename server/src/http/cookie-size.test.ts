// A browser drops a cookie of more than 4,096 bytes without a word, and its user is signed out: ours never comes near.
import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { formatRefreshToken, parseRefreshToken } from '../tokens/refresh-token.ts';
import { cookieNameOf, storeCookie } from './refresh-cookies.ts';

const issuer = `https://${'long.'.repeat(40)}example`;

test('a cookie is as small in its last generation as in its first, whatever the issuer: name and value below 300 bytes', () => {
  const ring = createKeyRing('a master secret for tests, 32 bytes or more');
  const sizes = [0, 1, 2 ** 31 - 1].map((generation) => {
    const copy = { sid: randomUUID(), generation, nonce: randomBytes(16), secret: randomBytes(16) };
    const token = formatRefreshToken(copy, ring);
    expect(parseRefreshToken(token, ring)).toMatchObject({ kind: 'genuine' });
    const cookie = storeCookie(cookieNameOf(copy.sid, issuer), token, 2 ** 31);
    expect(Buffer.byteLength(cookie)).toBeLessThan(400);
    return Buffer.byteLength(cookie.split(';')[0]?.replace('=', '') ?? '');
  });
  expect(new Set(sizes).size).toBe(1);
  expect(sizes[0]).toBeLessThan(300);
});

test('a cookie has every flag that keeps it from scripts, other hosts, paths and sites', () => {
  const [, ...attributes] = storeCookie(cookieNameOf(randomUUID(), issuer), 'value', 60).split('; ');
  expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=60', 'Path=/', 'SameSite=Strict', 'Secure']);
  expect(cookieNameOf(randomUUID(), issuer)).toMatch(/^__Host-holdfast-[0-9a-f]{8}-[0-9a-f]{12}$/);
});
