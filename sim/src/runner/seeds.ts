import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import type { Patch } from '../mutants/mutant.ts';
import { withoutFaults, type Setup } from '../sandbox/setup.ts';

/** Bundles a file of `sim/src` with the code under test. Resolves with the path of the bundle. */
export type Bundle = (
  entry: string,
  name: string,
  changes?: { readonly patches?: readonly Patch[]; readonly alias?: Readonly<Record<string, string>> },
) => Promise<string>;

/** A world that once broke a promise. Its whole setup is kept, because a seed may draw another setup later. */
export type Case = {
  /** The name of its file, without `.json`. */
  readonly name: string;
  readonly title: string;
  readonly invariant: string;
  readonly setup: Setup;
};

/** Reads every known case from `sim/seeds`. */
export async function readCases(): Promise<readonly Case[]> {
  const folder = path.resolve('sim/seeds');
  const names = (await fs.readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).toSorted();
  return Promise.all(
    names.map(async (file) => {
      const kept = JSON.parse(await fs.readFile(path.join(folder, file), 'utf8')) as Omit<Case, 'name'>;
      return { name: path.basename(file, '.json'), ...kept, setup: complete(kept.setup) };
    }),
  );
}

/** Completes an old case: faults that did not exist when it was kept are off. */
function complete(setup: Setup): Setup {
  const { faults, aims } = withoutFaults(setup);
  return { ...setup, faults: { ...faults, ...setup.faults }, aims: { ...aims, ...setup.aims } };
}

export const say = (text: string): void => void process.stdout.write(`${text}\n`);
