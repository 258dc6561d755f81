// Two checkouts are compared by these figures: a wrong one would praise the wrong change.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { measureFunctions, readComments } from './house-figures.ts';
import { parseSource } from './source-file.ts';
import { root } from './steps.mjs';

it('functions are measured from their first line to their last; arrows with an expression and tests are left out', () => {
  const lengths = [1, 2, 3, 10].map((lines) => `const f${lines} = () => {${'\n'.repeat(lines - 1)}};`);
  const source = parseSource('a.ts', `${lengths.join('\n')}\nconst g = () =>\n  1;\nclass A {\n  m() {\n  }\n}`);
  const test = parseSource('a.test.ts', 'const f = () => {\n\n\n\n};');
  expect(measureFunctions([source, test])).toEqual([5, 2, 10, 10]);
});

it('lines of comments are counted without empty ones, and by how they open', () => {
  const text = '/**\n * What it does.\n *\n * Whoever asks.\n */\n// Whether it is so\n// Says What.';
  expect(readComments([parseSource('a.ts', text)])).toEqual([4, 2, 1]);
});

it('the command measures the checkout that --root names', () => {
  const checkout = mkdtempSync(path.join(os.tmpdir(), 'holdfast-figures-'));
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(checkout, file)), { recursive: true });
    writeFileSync(path.join(checkout, file), text);
  };
  try {
    for (const folder of ['client', 'server'])
      write(`${folder}/package.json`, '{ "name": "p", "exports": { ".": { "@holdfast/source": "./src/index.ts" } } }');
    write('client/src/index.ts', "/** Docs. */\nexport const a = 1;\nexport type { B } from './core/b.ts';\n");
    write('client/src/core/b.ts', "import type { a } from '../index.ts';\nexport type B = typeof a;\n");
    write('client/src/core/b.test.ts', 'one();\ntwo();\nthree();\n');
    write('server/src/index.ts', '/** Docs. */\nexport function f(): void {\n}\n');
    const script = path.join(root, 'tools/house-figures.mjs');
    const figures = execFileSync(process.execPath, [script, '--root', checkout], { encoding: 'utf8' });
    expect(figures).toContain('| client/src/core | 1 | 2 | 1 | 3 |');
    expect(figures).toContain('| server | 1 | 2 | 2 | 2 |');
    expect(figures).toContain('## Import circles\n\n1\n');
    expect(figures).toContain('| client | 2 | 50.0 % |\n| server | 1 | 100.0 % |');
  } finally {
    rmSync(checkout, { recursive: true, force: true });
  }
}, 30_000);
