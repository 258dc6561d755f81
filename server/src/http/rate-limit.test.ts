import { expect, test } from 'vitest';
import { createAddressLimit } from './rate-limit.ts';

const POLICY = { requestsPerSecond: 10, requestBurst: 5, rateLimitedAddresses: 3 };

function startLimit(policy = POLICY) {
  let nowMs = 1_000;
  const limit = createAddressLimit(policy, () => nowMs);
  return { take: limit.take, pass: (milliseconds: number) => (nowMs += milliseconds) };
}

test('one address gets its burst, then its rate, and learns how long to wait', () => {
  const { take, pass } = startLimit();
  expect(Array.from({ length: 5 }, () => take('192.0.2.1'))).toEqual([0, 0, 0, 0, 0]);
  expect(take('192.0.2.1')).toBe(100);
  pass(60);
  expect(take('192.0.2.1')).toBe(40);
  pass(40);
  expect(take('192.0.2.1')).toBe(0);
  expect(take('192.0.2.1')).toBe(100);
});

// Otherwise one flooding sender would block everyone, and a refused sender that keeps asking would never get through.
test('other addresses are not affected, and refused requests cost nothing', () => {
  const { take, pass } = startLimit();
  for (let count = 0; count < 100; count++) take('192.0.2.1');
  expect(take('192.0.2.2')).toBe(0);
  pass(100);
  expect(take('192.0.2.1')).toBe(0);
});

test('a whole IPv6 subnet counts as one sender', () => {
  const { take } = startLimit();
  for (let count = 0; count < 5; count++) expect(take(`2001:db8::${count + 1}`)).toBe(0);
  expect(take('2001:db8::ffff')).toBeGreaterThan(0);
  expect(take('2001:db8:0:1::1')).toBe(0);
});

test('memory is bounded, and the address that was admitted longest ago is forgotten', () => {
  const { take } = startLimit();
  for (let count = 0; count < 5; count++) take('192.0.2.1');
  for (const last of [2, 3, 4]) take(`192.0.2.${last}`);
  expect(take('192.0.2.1')).toBe(0);
});

test('a rate of 0 means no limit', () => {
  const { take } = startLimit({ ...POLICY, requestsPerSecond: 0 });
  expect(Array.from({ length: 100 }, () => take('192.0.2.1')).every((waitMs) => waitMs === 0)).toBe(true);
});
