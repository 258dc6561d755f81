// The public API changes on purpose: the reports in docs/api show what a release breaks. `npm run api` renews them (it runs this
// file with WRITE_API=1).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { reportFile, writeReport } from './api-report.ts';
import { createModuleGraph, openModules, readDoors } from './public-api.ts';
import { listFiles } from './source-file.ts';
import { root, runInstalled } from './steps.mjs';

describe('the packages', () => {
  beforeAll(async () => {
    await runInstalled('typescript/bin/tsc', ['-b', 'client/tsconfig.node.json', 'server'], { quiet: true });
  }, 120_000);

  const doors = readDoors(root, 'types');

  it.each(doors)('$name has the API of its report', (door) => {
    const report = writeReport(openModules(root), door, doors);
    const file = path.join(root, reportFile(door));
    mkdirSync(path.dirname(file), { recursive: true });
    if (process.env['WRITE_API'] === '1') writeFileSync(file, report);
    const committed = existsSync(file) ? readFileSync(file, 'utf8') : '';
    expect(report, `The API differs from ${reportFile(door)}. If that is meant: npm run api`).toBe(committed);
  });

  it('have no report of a door that is gone', () => {
    const kept = listFiles(root, 'docs/api');
    expect(kept.toSorted()).toEqual(doors.map(reportFile).toSorted());
  });

  it('document every export', () => {
    const modules = openModules(root);
    const missing = readDoors(root, '@holdfast/source').flatMap(({ name: door, file }) =>
      [...modules.exportsOf(file)]
        .filter(([, { docs }]) => docs === '')
        .map(([name, { source, line }]) => `${source.path}:${line} ${name} of ${door} has no docstring`),
    );
    expect(missing).toEqual([]);
  });
});

describe('a report', () => {
  const door = { name: 'p', file: 'index.d.ts' };
  const report = (files: Readonly<Record<string, string>>): string =>
    writeReport(
      createModuleGraph((file) => files[file]),
      door,
      [door],
    );

  it('shows signatures without comments, sorted by name, through re-exports', () => {
    const text = report({
      'index.d.ts': "export { b as z } from './b.ts';\nexport type * from './a.ts';",
      'a.d.ts': 'export type A = {\n    /** Says why. */\n    readonly one: 1;\n\n    two: 2; // why\n};',
      'b.d.ts': '/** Docs. */\nexport declare function b(): void;\nexport declare function b(n: number): void;',
    });
    expect(text).toContain(
      'type A = {\n  readonly one: 1;\n  two: 2;\n};\n\n// exported as z\nfunction b(): void;\nfunction b(n: number): void;',
    );
  });

  it('changes with a type that no door exports, and shows it apart', () => {
    const withMember = (type: string): string =>
      report({
        'index.d.ts': "import type { Hidden } from './a.ts';\nexport declare const a: () => Hidden;",
        'a.d.ts': `type Deep = ${type};\nexport type Hidden = { deep: Deep; more: import("./b.ts").More };`,
        'b.d.ts': 'export type More = 1;',
      });
    expect(withMember('1')).toContain('not exported\n\n```typescript\ntype Deep = 1;\n\ntype Hidden = {');
    expect(withMember('1')).toContain('type More = 1;');
    expect(withMember('1')).not.toBe(withMember('2'));
  });

  it('names members that are internal, and nothing behind them', () => {
    const text = report({
      'index.d.ts':
        'type Shell = { secret: 1 };\nexport type S = {\n    /** For us. @internal */\n    readonly shell: () => Shell;\n    a: 1;\n};',
    });
    expect(text).toContain('type S = {\n  // internal: shell\n  a: 1;\n};');
    expect(text).not.toContain('secret');
  });
});
