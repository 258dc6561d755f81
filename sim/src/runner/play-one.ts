import fs from 'node:fs/promises';
import path from 'node:path';
import { drawSetup, type Setup } from '../sandbox/setup.ts';
import type { Arguments } from './arguments.ts';
import { readCases, say, type Bundle, type Case } from './seeds.ts';
import { describeSetup, printTimeline } from './timeline.ts';
import { runJob } from './worker-pool.ts';
import type { Told } from './worker.ts';

/**
 * Plays one world and prints its result.
 *
 * @returns 1 if it broke a promise
 */
export async function playOne(given: Arguments, bundle: Bundle): Promise<number> {
  const file = await bundle('runner/worker.ts', 'worker');
  const setup = await chooseSetup(given);
  const { told } = await runJob(file, { kind: 'setups', setups: [setup], options: { keepsNotes: true } });
  const [first] = told;
  if (first === undefined) throw new Error('nothing was played');
  say(`seed ${setup.seed}: ${describeSetup(setup)}`);
  if (given.has('--trace')) say(printTimeline(first.notes));
  tell(first);
  const [violation] = first.violations;
  const smallest = violation && given.has('--shrink') ? await shrinkAndTell(file, first, violation.invariant) : setup;
  const title = given.text('--case');
  if (title) await keepCase({ title, invariant: violation?.invariant ?? 'none', setup: smallest });
  return violation ? 1 : 0;
}

async function chooseSetup(given: Arguments): Promise<Setup> {
  const name = given.text('--known');
  if (name === null) return drawSetup(given.number('--seed', 0));
  const cases = await readCases();
  const known = cases.find((each) => each.name === name);
  if (known === undefined)
    throw new TypeError(`there is no case ${name}; there are ${cases.map((each) => each.name).join(', ')}`);
  return known.setup;
}

async function shrinkAndTell(file: string, { setup }: Told, invariant: string): Promise<Setup> {
  const { told } = await runJob(file, { kind: 'shrink', setup, invariant, options: {} });
  const [smallest] = told;
  if (!smallest) return setup;
  say(`\nsmaller: ${describeSetup(smallest.setup)}`);
  say(printTimeline(smallest.notes));
  tell(smallest);
  return smallest.setup;
}

async function keepCase(kept: Omit<Case, 'name'>): Promise<void> {
  const name = kept.title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  const file = path.join('sim', 'seeds', `${name}.json`);
  await fs.writeFile(file, `${JSON.stringify(kept, null, 2)}\n`);
  say(`kept: ${file}`);
}

/** Prints one world in two lines: the broken promise, and the hash of its trace. */
export function tell({ setup, violations, traceHash }: Pick<Told, 'setup' | 'violations' | 'traceHash'>): void {
  const [first] = violations;
  say(first ? `seed ${setup.seed}: ${first.invariant} ${first.text}` : `seed ${setup.seed} kept every promise`);
  say(`trace ${traceHash.toString(16)}`);
}
