// The guide tells apps what to do about every error code, and about no other.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8');

/** The first cells of a table's rows: codes. */
const rows = (text: string): readonly (string | undefined)[] =>
  [...text.matchAll(/^(?: \* )?\| `([a-z-]+)` \|/gmu)].map(([, code]) => code);

it('the guide and the comment list the codes of HoldfastErrorCode, in its order', () => {
  const source = read('client/src/core/errors.ts');
  const [, union = ''] = /export type HoldfastErrorCode =([^;]+);/u.exec(source) ?? [];
  const codes = [...union.matchAll(/'([a-z-]+)'/gu)].map(([, code]) => code);
  expect(codes).toContain('misconfigured');
  expect(rows(read('docs/guides/errors.md'))).toEqual(codes);
  expect(rows(source)).toEqual(codes);
});
