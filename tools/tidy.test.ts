// Style that is only written down is forgotten. Each rule is also fed something bad here: a rule that cannot fail would
// let everything through unseen.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkCircles, checkFloors, FLOORS } from './floors.ts';
import { checkImports } from './import-rule.ts';
import { isTestFile, listFiles, parseSource, readSourceFiles, type Finding } from './source-file.ts';
import {
  checkAny,
  checkDecisions,
  checkFileLength,
  checkFunctionLength,
  checkNames,
  checkPurity,
  checkSwitchedTests,
  checkUnfinished,
  limits,
} from './tidy.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = readSourceFiles(root);
const paths = listFiles(root);
/** Pure: the client's machine, and the server's decision with the policy that it decides by. */
const isCore = (file: string): boolean =>
  (/^(?:client\/src\/core|server\/src\/rotation)\//.test(file) || file === 'server/src/kernel/policy.ts') &&
  !isTestFile(file);
const cores = new Set(paths.filter(isCore));

/** As a terminal shows it, with a place to click on. */
function lines(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ path: file, line, message }) => `${file}:${line} ${message}`);
}

describe('the repository', () => {
  it('is looked at whole', () => {
    const seen = new Set(sources.map((source) => source.path));
    expect([...cores].filter((core) => !seen.has(core))).toEqual([]);
    expect(cores.size).toBeGreaterThan(15);
    expect(FLOORS.filter((room) => !paths.some((file) => file.startsWith(room.path)))).toEqual([]);
    expect(seen).toContain('tools/tidy.test.ts');
  });

  it('imports only lower floors and its own folder, types included', () => {
    expect(lines(checkFloors(sources))).toEqual([]);
  });

  it('has no circle of imports, not even of types', () => {
    expect(lines(checkCircles(sources))).toEqual([]);
  });

  it('has apps and tests that import packages by their names', () => {
    expect(lines(checkImports(sources))).toEqual([]);
  });

  it('has no clock, chance or timer in its cores', () => {
    expect(lines(checkPurity(sources, cores))).toEqual([]);
  });

  it('has functions and files that can be read at once', () => {
    expect(lines([...checkFunctionLength(sources), ...checkFileLength(sources)])).toEqual([]);
  });

  it('has no `any`, nothing unfinished, no test switched off', () => {
    expect(lines([...checkAny(sources), ...checkUnfinished(sources), ...checkSwitchedTests(sources)])).toEqual([]);
  });

  it('has names that say what is inside', () => {
    expect(lines(checkNames(paths))).toEqual([]);
  });

  it('has decisions of one page each', () => {
    const decisions = paths
      .filter((file) => file.startsWith('docs/decisions/'))
      .map((file) => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') }));
    expect(lines(checkDecisions(decisions))).toEqual([]);
  });
});

describe('the floors forbid', () => {
  const forbidden = (file: string, statement: string): number =>
    checkFloors([parseSource(file, `\n${statement}`)]).length;

  it.each([
    ['a core that imports the runtime', 'client/src/core/session.ts', "import { run } from '../runtime/shell.ts';"],
    [
      'a core that imports a type of it',
      'client/src/core/turn.ts',
      "import type { Shell } from '../runtime/shell.ts';",
    ],
    ['a core that imports a package', 'client/src/core/session.ts', "import { z } from 'zod';"],
    ['a core that imports Node', 'client/src/core/session.ts', "import { randomBytes } from 'node:crypto';"],
    ['a core that imports at run time', 'client/src/core/session.ts', "await import('../runtime/shell.ts');"],
    ['a core that exports from the runtime', 'client/src/core/session.ts', "export * from '../runtime/shell.ts';"],
    ['a service that imports a platform', 'client/src/auth-service.ts', "import { web } from './web/index.ts';"],
    ['a platform that imports another', 'client/src/web/vault.ts', "import { file } from '../node/vault.ts';"],
    ['a browser platform that imports Node', 'client/src/web/vault.ts', "import fs from 'node:fs';"],
    ['React behind the public API', 'client/src/react/provider.ts', "import { x } from '../auth-service.ts';"],
    ['a client that imports the server', 'client/src/api-client.ts', "import '../../server/src/holdfast.ts';"],
    ['a client that imports its test parts', 'client/src/api-client.ts', "import './testing/world.ts';"],
    ['a server that imports the client', 'server/src/holdfast.ts', "import { createAuthService } from 'holdfast';"],
    ['a server that imports its test parts', 'server/src/holdfast.ts', "import { db } from './testing/database.ts';"],
    ['a decision with I/O', 'server/src/rotation/rotation.ts', "import { query } from '../storage/store.ts';"],
    ['a decision that imports Node', 'server/src/rotation/rotation.ts', "import { createHash } from 'node:crypto';"],
    ['an endpoint that knows PostgreSQL', 'server/src/http/form.ts', "import '../postgres/store.ts';"],
    ['PostgreSQL that knows the decision', 'server/src/postgres/store.ts', "import '../rotation/rotation.ts';"],
    ['a checker that imports the world', 'sim/src/checkers/prices.ts', "import type { Tab } from '../world/tab.ts';"],
    ['a world that imports its faults', 'sim/src/world/device.ts', "import { strike } from '../faults/mishaps.ts';"],
    ['a server that imports the simulator', 'server/src/cli/main.ts', "import '../../../sim/src/world/cluster.ts';"],
    ['a folder without a floor', 'server/src/drawer/anything.ts', 'export {};'],
  ])('%s', (_case, file, statement) => {
    expect(forbidden(file, statement)).toBe(1);
  });

  it.each([
    ['client/src/core/session.ts', "import { defaults } from './policy.ts';"],
    ['client/src/runtime/effect-runner.ts', "import { transition } from '../core/session.ts';"],
    ['client/src/web/index.ts', "import { memoryVault } from '../platform/memory-vault.ts';"],
    ['client/src/node/vault.ts', "import fs from 'node:fs';"],
    ['client/src/react/provider.ts', "import { useState } from 'react';"],
    ['client/src/shell.test.ts', "import { world } from './testing/world.ts';"],
    ['server/src/rotation/rotation.ts', "import { limits } from '../kernel/policy.ts';"],
    ['server/src/holdfast.ts', "import { Pool } from 'pg';"],
    ['sim/src/sandbox/process.ts', "import type { Clock } from '../../../client/src/core/ports.ts';"],
    ['apps/web/src/main.tsx', "import { web } from 'holdfast/web';"],
  ])('and let %s have: %s', (file, statement) => {
    expect(forbidden(file, statement)).toBe(0);
  });

  it('by a message that names the file, the line and the mend', () => {
    const file = parseSource('client/src/core/session.ts', "\n\nimport { run } from '../runtime/shell.ts';");
    expect(lines(checkFloors([file]))).toEqual([
      "client/src/core/session.ts:3 client/src/core (floor 0) may not import '../runtime/shell.ts': a file imports its own " +
        'folder and lower floors: move it, or take what it needs as an argument or a port',
    ]);
  });
});

describe('circles of imports', () => {
  const circles = (...files: readonly (readonly [string, string])[]): readonly string[] =>
    lines(checkCircles(files.map(([file, text]) => parseSource(file, text))));

  it('are found through several files, and through types alone', () => {
    const files = [
      ['a.ts', "import { b } from './b.ts';"],
      ['b.ts', "export { c } from './sub/c.ts';"],
      ['sub/c.ts', "import type { A } from '../a.ts';"],
    ] as const;
    expect(circles(...files)).toEqual(['a.ts:1 a circle of imports: a.ts -> b.ts -> c.ts -> a.ts']);
  });

  it('are not seen where two files import a third', () => {
    expect(circles(['a.ts', "import './c.ts';"], ['b.ts', "import './c.ts';\nimport './a.ts';"], ['c.ts', ''])).toEqual(
      [],
    );
  });
});

describe('the import rule finds', () => {
  const forbidden = (file: string, statement: string): number =>
    checkImports([parseSource(file, `\n${statement}`)]).length;

  it.each([
    ['a client test that imports the server', 'client/src/x.test.ts', "import { x } from '@holdfast/server';"],
    ['a page that imports the server', 'apps/web/src/main.tsx', "import { createHoldfast } from '@holdfast/server';"],
    ['an app that reaches into a package', 'apps/web/src/main.tsx', "import '../../../client/src/core/session.ts';"],
    ['an example that does', 'examples/fetch/page.ts', "import { web } from '../../client/src/web/index.ts';"],
    ['an example that imports the demo', 'examples/server.js', "import { demoUser } from '@holdfast/demo-api';"],
    ['a test across packages that does', 'tests/whole.test.ts', "import '../client/src/core/session.ts';"],
  ])('%s', (_case, file, statement) => {
    expect(forbidden(file, statement)).toBe(1);
  });

  it.each([
    ['sim/src/sandbox/process.ts', "import type { Clock } from '../../../client/src/core/ports.ts';"],
    ['apps/web/src/main.tsx', "import { web } from 'holdfast/web';"],
    ['examples/server.js', "import { createResourceGuard } from '@holdfast/server/resource';"],
    ['tests/whole.test.ts', "import { createTestDatabase } from '../server/src/testing/database.ts';"],
  ])('and lets %s have: %s', (file, statement) => {
    expect(forbidden(file, statement)).toBe(0);
  });
});

describe('the purity rule finds', () => {
  const core = new Set(['core.ts']);
  const impure = (text: string): number => checkPurity([parseSource('core.ts', text)], core).length;

  it.each([
    'const t = Date.now();',
    'const t = new Date();',
    'const t = performance.now();',
    'const n = Math.random();',
    'setTimeout(() => 1, 5);',
    'const id = crypto.randomUUID();',
    'const now = globalThis.Date.now();',
    'const { now } = Date;',
    'const t = Date();',
    'const t = Date["now"]();',
    'const later = [setTimeout];',
  ])('%s', (text) => {
    expect(impure(text)).toBe(1);
  });

  it.each([
    'const state = { Date: 1, fetch: 2 };',
    'const t = ports.performance;',
    'type Clock = { readonly crypto: string; readonly at: Date };',
    'const n = Math.max(1, 2);',
    "const t = Date.parse('2026-01-01');",
    '// Date.now() is for the shell',
  ])('and lets pass: %s', (text) => {
    expect(impure(text)).toBe(0);
  });

  it('and looks at cores alone', () => {
    expect(checkPurity([parseSource('shell.ts', 'Date.now();')], core)).toEqual([]);
  });
});

describe('the other rules find', () => {
  const long = (head: string, tail: string): string => `${head}\n${'  work();\n'.repeat(limits.function - 1)}${tail}`;

  it.each([
    ['a function', long('function a() {', '}')],
    ['an arrow function', long('const a = () => {', '};')],
    ['a method', long('const o = { a() {', '} };')],
  ])('%s that is too long', (_case, text) => {
    expect(lines(checkFunctionLength([parseSource('a.ts', text)]))).toEqual([
      'a.ts:1 a function of 71 lines: give a part of it a name, so that 70 are enough',
    ]);
  });

  it('and let a function of just the limit pass, and the heading of tests', () => {
    const atLimit = long('function a() {', '}').replace('  work();\n', '');
    const tests = long("describe('a', () => {", '});');
    expect(checkFunctionLength([parseSource('a.ts', atLimit), parseSource('a.test.ts', tests)])).toEqual([]);
    expect(checkFunctionLength([parseSource('a.ts', tests)])).toHaveLength(1);
  });

  it('a file that is too long, with more room for tests', () => {
    const text = 'work();\n'.repeat(limits.file + 1);
    expect(lines(checkFileLength([parseSource('a.ts', text), parseSource('a.test.ts', text)]))).toEqual([
      'a.ts:401 a file of 401 lines: move one concept to a file of its own, so that 400 are enough',
    ]);
    expect(checkFileLength([parseSource('a.test.ts', 'work();\n'.repeat(limits.testFile + 1))])).toHaveLength(1);
  });

  it.each(['const a: any = 1;', 'type A = readonly any[];', 'f(x as any);', 'function f<T = any>(): T;'])(
    'an any: %s',
    (text) => {
      expect(checkAny([parseSource('a.ts', text)])).toHaveLength(1);
    },
  );

  it.each(['TODO', 'FIXME', 'XXX', 'HACK'])('%s in a comment, and not in a name', (word) => {
    const file = parseSource('a.ts', `const ${word}S = 1;\n/**\n * ${word}: mend this\n */`);
    expect(lines(checkUnfinished([file]))).toEqual([`a.ts:3 ${word} in a comment: do it now, or file an issue`]);
  });

  it.each(['only', 'skip', 'todo'])('a test with .%s', (name) => {
    const text = `it.${name}('a', () => {});\ndescribe.concurrent.${name}('b', () => {});\nlist.${name}();`;
    expect(checkSwitchedTests([parseSource('a.test.ts', text)])).toHaveLength(2);
  });

  it('names that say nothing', () => {
    const bad = ['client/src/utils/a.ts', 'client/src/authService.ts', 'server/src/helpers/b.ts'];
    const good = ['client/src/auth-service.ts', 'README.md', 'client/src/a.test.ts', 'vite.config.ts'];
    expect(checkNames([...bad, ...good]).map((finding) => finding.path)).toEqual(bad);
  });

  it('decisions that are too long, misnamed or share a number', () => {
    const findings = checkDecisions([
      { path: 'docs/decisions/0001-a.md', text: 'line\n'.repeat(limits.decision) },
      { path: 'docs/decisions/0002-b.md', text: 'line\n'.repeat(limits.decision + 1) },
      { path: 'docs/decisions/0001-c.md', text: 'line\n' },
      { path: 'docs/decisions/notes.md', text: 'line\n' },
    ]);
    expect(lines(findings)).toEqual([
      'docs/decisions/0002-b.md:41 a decision of 41 lines: say it in 40 (context, choice, rejected, revisit when)',
      'docs/decisions/0001-c.md:1 docs/decisions/0001-a.md has this number too: take the next free one',
      'docs/decisions/notes.md:1 a decision is named NNNN-title.md',
    ]);
  });
});
