// @ts-check
// `npm run figures`: sizes of the house in numbers, to compare a tree before and after a step.
//
//   npm run figures -- --root ../other-checkout     the same for another checkout
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { CommandError, reportFailure, root } from './steps.mjs';

try {
  const [option, value, ...more] = process.argv.slice(2);
  if ((option !== undefined && option !== '--root') || (option && !value) || more.length > 0)
    throw new CommandError('npm run figures takes --root <path> and nothing else.');
  const outfile = path.join(root, 'node_modules/.cache/holdfast/house-figures.mjs');
  const entryPoints = [path.join(root, 'tools/house-figures.ts')];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
  /** @type {{ readonly writeFigures: (root: string) => string }} */
  const { writeFigures } = await import(pathToFileURL(outfile).href);
  // npm starts a script in the root; a path is relative to where the user is.
  console.log(writeFigures(path.resolve(process.env['INIT_CWD'] ?? process.cwd(), value ?? root)));
} catch (error) {
  reportFailure(error);
}
