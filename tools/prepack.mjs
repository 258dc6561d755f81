// @ts-check
// `npm pack` and `npm publish` run this in the folder of a package: they compile it, so that no old build is packed, and delete
// build output whose source is gone.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { reportFailure, runInstalled } from './steps.mjs';

/** @param {string} folder of the package */
async function prepack(folder) {
  const config = ['tsconfig.node.json', 'tsconfig.json'].find((name) => fs.existsSync(path.join(folder, name)));
  await runInstalled('typescript/bin/tsc', ['-b', path.join(folder, config ?? '')], { quiet: true });
  for (const output of findOrphans(folder)) fs.rmSync(path.join(folder, output));
}

/**
 * Build output without a source. Leftovers of a file that was moved would be published.
 *
 * @param {string} folder of the package
 * @returns {readonly string[]} paths in the folder
 */
export function findOrphans(folder) {
  return fs
    .readdirSync(path.join(folder, 'dist'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tsbuildinfo'))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((output) => {
      const source = path.join(folder, output.replace(/^dist/, 'src').replace(/(?:\.d\.ts|\.js)(?:\.map)?$/, ''));
      return !['.ts', '.tsx'].some((extension) => fs.existsSync(source + extension));
    });
}

if (process.env['npm_lifecycle_event'] === 'prepack') await prepack(process.cwd()).catch(reportFailure);
