// @ts-check
// Builds the simulator: the real sources of client and server, with the world's chance and timers in place of Node's.
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = path.dirname(folder);
const output = path.join(root, 'node_modules', '.cache', 'holdfast', 'sim');

/** @typedef {{ readonly file: string, readonly find: string, readonly replace: string }} Patch */

/**
 * Replaces what the code under test would draw or plan by itself.
 *
 * @returns {import('esbuild').Plugin}
 */
function stagePlugin() {
  return {
    name: 'stage',
    setup: (compiler) => {
      compiler.onResolve({ filter: /^node:crypto$/ }, ({ importer }) =>
        importer.startsWith(path.join(root, 'server'))
          ? { path: path.join(folder, 'src/sandbox/staged-crypto.ts') }
          : null,
      );
      compiler.onResolve({ filter: /\/core\/snapshot\.ts$/ }, ({ importer }) =>
        importer.startsWith(path.join(root, 'client'))
          ? { path: path.join(folder, 'src/sandbox/staged-snapshot.ts') }
          : null,
      );
    },
  };
}

/**
 * Changes sources while they are read; each patch must fit exactly once.
 *
 * @param {readonly Patch[]} patches
 * @returns {import('esbuild').Plugin}
 */
function patchPlugin(patches) {
  return {
    name: 'patch',
    setup: (compiler) => {
      compiler.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        const name = path.relative(root, file);
        const mine = patches.filter((patch) => patch.file === name);
        const isServer = name.startsWith('server/');
        if (mine.length === 0 && !isServer) return null;
        let contents = await fs.readFile(file, 'utf8');
        for (const { find, replace } of mine) {
          const parts = contents.split(find);
          if (parts.length !== 2) throw new Error(`${name}: a patch fits ${parts.length - 1} times: ${find}`);
          contents = parts.join(replace);
        }
        if (isServer && contents.includes('setImmediate(')) {
          const staged = JSON.stringify(path.join(folder, 'src/sandbox/staged-timers.ts'));
          contents = `import { setImmediate } from ${staged};\n${contents}`;
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}

/**
 * @param {string} entry file in sim/src
 * @param {string} name of the bundle
 * @param {{ readonly patches?: readonly Patch[], readonly alias?: Readonly<Record<string, string>> }} [changes]
 * @returns {Promise<string>} the bundle's path
 */
export async function bundle(entry, name, { patches = [], alias = {} } = {}) {
  const outfile = path.join(output, `${name}.mjs`);
  await build({
    entryPoints: [path.join(folder, 'src', entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'error',
    external: ['esbuild'],
    conditions: ['@holdfast/source'],
    plugins: [stagePlugin(), aliasPlugin(alias), patchPlugin(patches)],
  });
  return outfile;
}

/**
 * Puts one file in another's place.
 *
 * @param {Readonly<Record<string, string>>} alias from and to, relative to the repository
 * @returns {import('esbuild').Plugin}
 */
function aliasPlugin(alias) {
  return {
    name: 'alias',
    setup: (compiler) => {
      for (const [from, to] of Object.entries(alias)) {
        const escaped = path.join(root, from).replaceAll(/[.\\/]/g, String.raw`\$&`);
        compiler.onLoad({ filter: new RegExp(`^${escaped}$`) }, async () => ({
          contents: `export * from ${JSON.stringify(path.join(root, to))};`,
          loader: 'ts',
          resolveDir: root,
        }));
      }
    },
  };
}
