// Code in the docs compiles, or a newcomer's first try does not.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { listFiles } from './source-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
// Inside the repository, so that its packages are found.
const folder = path.join(root, 'node_modules/.cache/holdfast/docs-code');

/** The TypeScript blocks of a document: `ts` or `tsx`, and the code. */
function codeBlocks(document: string): readonly (readonly [string, string])[] {
  return [...document.matchAll(/^```(tsx?)\n([\s\S]*?)^```$/gmu)].map(([, language = '', code = '']) => [
    language,
    code,
  ]);
}

async function compile(files: ReadonlyMap<string, string>): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, code] of files) writeFileSync(path.join(folder, name), `${code}\nexport {};\n`);
  const config = {
    extends: path.join(root, 'tsconfig.base.json'),
    compilerOptions: {
      composite: false,
      noEmit: true,
      lib: ['es2023', 'dom', 'dom.iterable'],
      jsx: 'react-jsx',
      types: ['node'],
      customConditions: ['@holdfast/source'],
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: false,
      noUnusedLocals: false,
    },
    include: ['*.ts', '*.tsx'],
  };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const run = promisify(execFile)(process.execPath, [compiler, '-p', folder], { cwd: root });
  return run.then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? 'the compiler did not run',
  );
}

it('every TypeScript block of the docs compiles', { timeout: 60_000 }, async () => {
  const documents = listFiles(root).filter((file) => file.endsWith('.md') && !file.includes('node_modules'));
  const files = new Map(
    documents.flatMap((file) =>
      codeBlocks(readFileSync(path.join(root, file), 'utf8')).map(([language, code], index): [string, string] => [
        `${file.replaceAll(/[^a-z0-9]+/giu, '-')}-${index + 1}.${language}`,
        code,
      ]),
    ),
  );
  expect(files.size).toBeGreaterThan(1);
  expect(await compile(files)).toBe('');
  expect(await compile(new Map([['wrong.ts', "import { nothing } from 'holdfast';\nnothing();"]]))).toContain('TS2305');
});
