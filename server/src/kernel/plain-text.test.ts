import { expect, test } from 'vitest';
import { toPlainText } from './plain-text.ts';

test.each([
  ['Mozilla/5.0 (X11)', 'Mozilla/5.0 (X11)'],
  ['Gerät 📱', 'Gerät 📱'],
  ['a\u0000b\u001fc\u007fd\u0085e', 'a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e'],
  ['high \ud83d low \udcf1', 'high \u{fffd} low \u{fffd}'],
  ['x'.repeat(30), 'x'.repeat(20)],
  [`${'x'.repeat(19)}📱`, `${'x'.repeat(19)}\u{fffd}`],
  [undefined, ''],
  [['two', 'headers'], ''],
])('%j is kept as %j: what a list of devices shows is text that every store takes', (value, expected) => {
  expect(toPlainText(value, 20)).toBe(expected);
});
