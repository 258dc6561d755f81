// A browser silently drops a cookie of more than 4,096 bytes, which signs its user out. Our cookies stay far below
// that.
import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { formatRefreshToken, parseRefreshToken } from '../tokens/refresh-token.ts';
import { cookieNameOf, storeCookie } from './refresh-cookies.ts';

const issuer = `https://${'long.'.repeat(40)}example`;

test('a cookie stays below 300 bytes from its first to its last generation, whatever the issuer', () => {
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

test('a cookie has every flag that protects it from scripts, other hosts, paths and sites', () => {
  const [, ...attributes] = storeCookie(cookieNameOf(randomUUID(), issuer), 'value', 60).split('; ');
  expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=60', 'Path=/', 'SameSite=Strict', 'Secure']);
  expect(cookieNameOf(randomUUID(), issuer)).toMatch(/^__Host-holdfast-[0-9a-f]{8}-[0-9a-f]{12}$/);
});
