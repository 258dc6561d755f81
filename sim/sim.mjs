// @ts-check
// The simulator's commands: builds it from source and runs it. See docs/simulation.md.
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from './bundle.mjs';

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
/** @type {{ readonly run: (args: readonly string[], bundleOf: typeof bundle) => Promise<number> }} */
const { run } = await import(pathToFileURL(await bundle('runner/main.ts', 'main')).href);
process.exitCode = await run(process.argv.slice(2), bundle);
