import { describe, expect, it } from 'vitest';
import { formatAgo, formatCountdown } from './clock.ts';

describe('the countdown', () => {
  it.each([
    [0, '0:00'],
    [-5_000, '0:00'],
    [1, '0:01'],
    [59_400, '0:59'],
    [59_600, '1:00'],
    [3_599_999, '1:00:00'],
    [3_661_000, '1:01:01'],
    [86_400_000 + 61_000, '1 d 00:01:01'],
  ])('%d ms are shown as %s: never 0:00 before the time is up', (leftMs, shown) => {
    expect(formatCountdown(leftMs)).toBe(shown);
  });
});

describe('a moment in the past', () => {
  it.each([
    [-5_000, 'just now'],
    [59_000, 'just now'],
    [60_000, '1 minute ago'],
    [3_600_000, '1 hour ago'],
    [25 * 3_600_000, 'yesterday'],
    [3 * 86_400_000, '3 days ago'],
  ])('%i ms ago is %s', (agoMs, words) => {
    expect(formatAgo(1_800_000_000_000 - agoMs, 1_800_000_000_000)).toBe(words);
  });
});
