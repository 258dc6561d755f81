// Numbers in prose are tests: the README says how large the client is, and this says whether that is still so.
// `npm run sizes` writes the table (it runs this file with WRITE_SIZES=1).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { measureSizes, sizeTable, withSizes } from './sizes.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readmeFile = path.join(root, 'README.md');

it('the sizes in the README are those of today', async () => {
  const updated = withSizes(readFileSync(readmeFile, 'utf8'), sizeTable(await measureSizes(root)));
  if (process.env['WRITE_SIZES'] === '1') writeFileSync(readmeFile, updated);
  expect(updated).toContain('| the session machine alone |');
  expect(readFileSync(readmeFile, 'utf8')).toBe(updated);
});

it('the client weighs no more than it may', async () => {
  const sizes = await measureSizes(root);
  expect(sizes.filter(({ gzip, gzipMax }) => gzip > gzipMax)).toEqual([]);
});
