import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMac } from './mac.ts';

const bytes = (length: { readonly minLength: number; readonly maxLength: number }) =>
  fc.uint8Array(length).map((array) => Buffer.from(array));

test('is HMAC-SHA-256 for every key and message: any other MAC would make all issued tokens invalid', () => {
  fc.assert(
    fc.property(
      bytes({ minLength: 0, maxLength: 64 }),
      fc.string(),
      bytes({ minLength: 0, maxLength: 200 }),
      (key, prefix, message) => {
        const mac = createMac(key, prefix, message.byteLength);
        const expected = createHmac('sha256', key).update(prefix).update(message).digest('hex');
        expect(mac(message).toString('hex')).toBe(expected);
        // The previous message must not affect the next one.
        mac(Buffer.alloc(message.byteLength, 7));
        expect(mac(message).toString('hex')).toBe(expected);
      },
    ),
  );
});

test('refuses a message of another length instead of covering a part of it', () => {
  const mac = createMac(Buffer.alloc(32), '', 50);
  expect(() => mac(Buffer.alloc(49))).toThrow(TypeError);
  expect(() => mac(Buffer.alloc(51))).toThrow(TypeError);
  expect(() => createMac(Buffer.alloc(65), '', 50)).toThrow(TypeError);
});
