import { Worker } from 'node:worker_threads';
import type { Arguments } from './arguments.ts';
import { writeSection } from './document.ts';
import type { Exploration } from './explore.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { say, type Bundle } from './seeds.ts';
import type { SmallSetup } from './small-world.ts';

/** Worlds that are explored to their end. */
const WORLDS: readonly SmallSetup[] = [
  { title: 'vault, 2 tabs, 1 fault', store: 'vault', tabs: 2, faults: 1, sends: 3, thiefUses: 0 },
  { title: 'vault, 2 tabs, 2 faults', store: 'vault', tabs: 2, faults: 2, sends: 3, thiefUses: 0 },
  { title: 'cookies, 2 tabs, 2 faults', store: 'cookie', tabs: 2, faults: 2, sends: 3, thiefUses: 0 },
  { title: 'vault, 1 tab and a thief, no fault', store: 'vault', tabs: 1, faults: 0, sends: 4, thiefUses: 4 },
  { title: 'vault, 1 tab and a thief, 1 fault', store: 'vault', tabs: 1, faults: 1, sends: 3, thiefUses: 3 },
  { title: 'vault, 1 tab and a thief, 2 faults', store: 'vault', tabs: 1, faults: 2, sends: 2, thiefUses: 3 },
  { title: 'cookies, 1 tab and a thief, 2 faults', store: 'cookie', tabs: 1, faults: 2, sends: 2, thiefUses: 3 },
  { title: 'vault, 2 tabs and a thief, no fault', store: 'vault', tabs: 2, faults: 0, sends: 3, thiefUses: 2 },
];

/** Rules without which a small world breaks: each is left out once, and the shortest way there is printed. */
const ABLATED: ReadonlySet<string> = new Set([
  'strict-rotation',
  'fork-ends-at-once',
  'any-predecessor-replays',
  'ahead-is-unknown',
  'missing-token-drops-stored',
  'token-from-memory',
]);

/** States after which an exploration is given up. */
const LIMIT = 1_500_000;

/** Explores a small world on a thread of its own, with the build of the code under test that `file` is. */
export function exploreApart(file: string, setup: SmallSetup): Promise<Exploration> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, {
      workerData: { setup, limit: LIMIT },
      resourceLimits: { maxOldGenerationSizeMb: 6_000 },
    });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/**
 * Explores every small world and prints what was found; then again without one rule after the other, which must break.
 *
 * @returns 1 if a promise can be broken, a world was too large, or a rule proved needless
 */
export async function exploreWorlds(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const only = given.text('--only');
  const ablated = MUTANTS.filter(({ name }) => (only === null ? ABLATED.has(name) : name === only));
  if (ablated.length === 0) throw new TypeError(`there is no mutant ${only}`);
  const whole = only === null ? await exploreAll(bundle, threads) : { lines: [], isFine: true };
  const broken = await Promise.all(ablated.map((mutant) => ablate(bundle, mutant)));
  if (given.has('--write') && only === null)
    await writeSection('explore', [...whole.lines, '', ...broken.flatMap(({ lines }) => lines)].join('\n'));
  return whole.isFine && broken.every(({ isFine }) => isFine) ? 0 : 1;
}

type Told = { readonly lines: readonly string[]; readonly isFine: boolean };

async function exploreAll(bundle: Bundle, threads: number): Promise<Told> {
  const file = await bundle('explore-worker.ts', 'explore');
  const found: Told[] = [];
  const left = [...WORLDS.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, setup] = next;
      const startedAtMs = Date.now();
      const { states, broken, isComplete, turns } = await exploreApart(file, setup);
      const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
      const verdict = broken ? `**broken**: ${broken.what}` : isComplete ? 'holds' : '**not explored to the end**';
      const line = `| ${setup.title} | ${setup.sends} | ${states.toLocaleString('en')} | ${turns || '-'} | ${verdict} |`;
      say(`${line} ${seconds} s`);
      found[at] = {
        lines: [line, ...(broken?.trace ?? []).map((step) => `    ${step}`)],
        isFine: !broken && isComplete,
      };
      for (const step of broken?.trace ?? []) say(`    ${step}`);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  const head = [
    '| world | refreshes | states | longest story of rotations | verdict |',
    '| --- | ---: | ---: | --- | --- |',
  ];
  return { lines: [...head, ...found.flatMap(({ lines }) => lines)], isFine: found.every(({ isFine }) => isFine) };
}

/** Explores the small worlds with one deliberate bug until one breaks. */
async function ablate(bundle: Bundle, { name, what, patches }: Mutant): Promise<Told> {
  const file = await bundle('explore-worker.ts', `explore-${name}`, { patches });
  for (const setup of WORLDS) {
    const { broken } = await exploreApart(file, setup);
    if (broken === null) continue;
    const lines = [
      `With \`${name}\` (${what}), in "${setup.title}": ${broken.what}.`,
      '',
      ...broken.trace.map((step, at) => `${at + 1}. ${step}`),
      '',
    ];
    say(lines.join('\n'));
    return { lines, isFine: true };
  }
  say(`With ${name} (${what}) nothing breaks.`);
  return { lines: [`With \`${name}\` nothing breaks.`, ''], isFine: false };
}
