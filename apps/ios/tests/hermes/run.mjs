// @ts-check
// Runs the client's own tests on a Hermes VM. Prints one line of JSON: the names of the tests that passed, and why others failed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@babel/core';
import { build } from 'esbuild';

const folder = path.dirname(fileURLToPath(import.meta.url));
const app = path.join(folder, '../..');
const client = path.join(app, '../../client/src');
const require = createRequire(import.meta.url);

/** Tests of what runs on any engine: the machine, its shell and facade in a simulated world, the vault in the keychain. */
const files = ['session.test.ts', 'core/transitions.test.ts', 'platform/memory-vault.test.ts', 'expo/vault.test.ts'];

const contents = `
  import '${folder}/globals.ts';
  import { runTests } from 'vitest';
  ${files.map((file) => `import '${client}/${file}';`).join('\n')}
  runTests().then((result) => print(JSON.stringify(result)), (error) => print('FAILED ' + error));
`;
const { outputFiles } = await build({
  stdin: { contents, resolveDir: folder, loader: 'ts' },
  bundle: true,
  format: 'iife',
  target: 'es2020',
  write: false,
  logLevel: 'error',
  // The client says that its files do nothing by themselves; its tests do.
  ignoreAnnotations: true,
  nodePaths: [path.join(app, 'node_modules')],
  define: { setImmediate: 'afterPromises' },
  alias: { vitest: path.join(folder, 'vitest.ts') },
  conditions: ['@holdfast/source'],
});
// The VM is older than the one in React Native: it knows neither classes, nor async functions, nor this property of characters.
const bundled = (outputFiles[0]?.text ?? '').replaceAll(String.raw`\p{Surrogate}`, String.raw`[\uD800-\uDFFF]`);
const lowered = transformSync(bundled, {
  babelrc: false,
  configFile: false,
  compact: false,
  plugins: [
    '@babel/plugin-transform-async-generator-functions',
    '@babel/plugin-transform-async-to-generator',
    '@babel/plugin-transform-class-properties',
    '@babel/plugin-transform-classes',
  ].map((plugin) => require.resolve(plugin)),
});
const output = path.join(app, 'dist/hermes');
mkdirSync(output, { recursive: true });
const program = path.join(output, 'tests.js');
writeFileSync(program, lowered?.code ?? '');
const system = process.platform === 'darwin' ? 'osx-bin' : process.platform === 'win32' ? 'win64-bin' : 'linux64-bin';
const hermes = path.join(path.dirname(require.resolve('hermes-engine-cli/package.json')), system, 'hermes');
const printed = execFileSync(hermes, ['-O', program], { encoding: 'utf8', timeout: 120_000, maxBuffer: 2 ** 26 });
process.stdout.write(printed);
