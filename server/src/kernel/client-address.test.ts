import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressKeyOf, clientAddressOf } from './client-address.ts';

describe('the key that limits count by', () => {
  // Otherwise an attacker could evade a limit by another spelling of its address.
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0000:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
    ['not an address', ''],
  ])('%s', (address, key) => {
    expect(addressKeyOf(address)).toBe(key);
  });

  test('is the same for a whole /64, with any interface identifier', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(addressKeyOf(address)).toMatch(/^([0-9a-f:]+::\/64|[0-9.]+)$/);
        expect(addressKeyOf(address.toUpperCase())).toBe(addressKeyOf(address));
      }),
    );
  });
});

describe('the address of a sender', () => {
  const seen = (trustedProxies: number, forwardedFor?: string): string =>
    clientAddressOf({ headers: { 'x-forwarded-for': forwardedFor }, remoteAddress: '10.0.0.1' }, trustedProxies);

  test('is the peer when no proxy is trusted, with any header', () => {
    expect(seen(0, '198.51.100.7')).toBe('10.0.0.1');
  });
  test('is what the trusted proxy appended, not what the sender made up before it', () => {
    expect(seen(1, '203.0.113.9, 198.51.100.7')).toBe('198.51.100.7');
    expect(seen(2, '203.0.113.9, 198.51.100.7, 10.0.0.2')).toBe('198.51.100.7');
  });
  test('is the peer when the header is missing or no address', () => {
    expect(seen(1)).toBe('10.0.0.1');
    expect(seen(1, 'unknown')).toBe('10.0.0.1');
  });
  test('may come with a port', () => {
    expect(seen(1, '198.51.100.7:4711')).toBe('198.51.100.7');
    expect(seen(1, '[2001:db8::1]:4711')).toBe('2001:db8::1');
  });
});
