import { Worker } from 'node:worker_threads';
import type { ChainSetup } from '../explore/chain-world.ts';
import type { Exploration } from '../explore/explore.ts';
import type { SmallSetup } from '../explore/small-world.ts';
import { CHAIN_MUTANTS } from '../mutants/chain-mutants.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { MUTANTS } from '../mutants/mutants.ts';
import type { Arguments } from './arguments.ts';
import { writeSection } from './document.ts';
import { say, type Bundle } from './seeds.ts';

/** Small worlds that are explored completely. */
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

/** Worlds of one device chain. The worlds that show most with the fewest states come first. */
export const CHAIN_WORLDS: readonly ChainSetup[] = [
  { title: 'live session, 1 tab', begins: 'active', tabs: 1, signIns: 4, signOuts: 0, faults: 0 },
  { title: 'step-up, 2 tabs', begins: 'active', tabs: 2, signIns: 1, signOuts: 1, faults: 0, isStepUp: true },
  {
    title: 'sign-in after the sign-out, 1 tab',
    begins: 'active',
    tabs: 1,
    signIns: 1,
    signOuts: 1,
    faults: 1,
    returns: true,
  },
  {
    title: 'two accounts, 2 tabs',
    begins: 'active',
    tabs: 2,
    signIns: 1,
    signOuts: 1,
    faults: 1,
    hasSecondAccount: true,
  },
  { title: 'no session, 2 tabs', begins: 'first', tabs: 2, signIns: 2, signOuts: 1, faults: 1 },
  {
    title: 'live session, 2 tabs, refreshes by message',
    begins: 'active',
    tabs: 2,
    signIns: 1,
    signOuts: 1,
    faults: 1,
    refreshes: 'messages',
  },
  { title: 'live session, 2 tabs', begins: 'active', tabs: 2, signIns: 2, signOuts: 1, faults: 1 },
  {
    title: 'two accounts, 2 tabs, more sign-ins',
    begins: 'active',
    tabs: 2,
    signIns: 2,
    signOuts: 1,
    faults: 1,
    hasSecondAccount: true,
  },
  { title: 'expired session, 2 tabs', begins: 'expired', tabs: 2, signIns: 2, signOuts: 1, faults: 1 },
];

/**
 * Mutants that each leave out a rule without which a small world breaks. The shortest trace to the broken promise is
 * printed.
 */
const ABLATED: ReadonlySet<string> = new Set([
  'strict-rotation',
  'fork-ends-at-once',
  'any-predecessor-redelivers',
  'ahead-is-unknown',
  'missing-token-drops-stored',
  'token-from-memory',
]);

/** Number of states after which an exploration is given up. */
const LIMIT = 1_500_000;

/** Explores a small world on a thread of its own, with the build of the code under test in `file`. */
export function exploreApart(file: string, setup: SmallSetup | ChainSetup): Promise<Exploration> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, {
      workerData: { setup, limit: LIMIT },
      resourceLimits: { maxOldGenerationSizeMb: 6_000 },
    });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Worlds of one kind, their table, and the mutants that they must catch. */
type Kind<Setup extends SmallSetup | ChainSetup> = {
  readonly worlds: readonly Setup[];
  readonly mutants: readonly Mutant[];
  readonly head: readonly string[];
  readonly row: (setup: Setup, found: Exploration) => string;
};

const amount = (states: number): string => states.toLocaleString('en');

const ROTATIONS: Kind<SmallSetup> = {
  worlds: WORLDS,
  mutants: MUTANTS.filter(({ name }) => ABLATED.has(name)),
  head: ['| world | refreshes | states | longest story of rotations | verdict |', '| --- | ---: | ---: | --- | --- |'],
  row: ({ title, sends }, { states, turns }) => `| ${title} | ${sends} | ${amount(states)} | ${turns || '-'} |`,
};

const DEVICE_CHAINS: Kind<ChainSetup> = {
  worlds: CHAIN_WORLDS,
  mutants: CHAIN_MUTANTS,
  head: [
    '| world of one device chain | sign-ins | sign-outs | faults | states | live sessions, at most | verdict |',
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
  ],
  row: ({ title, signIns, signOuts, faults }, { states, mostAlive }) =>
    `| ${title} | ${signIns} | ${signOuts} | ${faults} | ${amount(states)} | ${mostAlive} |`,
};

/**
 * Explores every small world and prints the results. Then explores them again with one rule left out at a time, which
 * must break a promise.
 *
 * @returns 1 if a promise can be broken, a world was too large, or a left-out rule broke nothing
 */
export async function exploreWorlds(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const only = given.text('--only');
  const isKnown = [...MUTANTS, ...CHAIN_MUTANTS].some(({ name }) => name === only);
  if (only !== null && !isKnown) throw new TypeError(`there is no mutant ${only}`);
  const chosen = <Setup extends SmallSetup | ChainSetup>(kind: Kind<Setup>): Kind<Setup> =>
    only === null ? kind : { ...kind, mutants: kind.mutants.filter(({ name }) => name === only) };
  const told = [
    await exploreKind(chosen(ROTATIONS), bundle, threads, only === null),
    await exploreKind(chosen(DEVICE_CHAINS), bundle, threads, only === null),
  ];
  if (given.has('--write') && only === null)
    await writeSection('explore', told.flatMap(({ lines }) => lines).join('\n'));
  return told.every(({ isFine }) => isFine) ? 0 : 1;
}

type Told = { readonly lines: readonly string[]; readonly isFine: boolean };

async function exploreKind<Setup extends SmallSetup | ChainSetup>(
  kind: Kind<Setup>,
  bundle: Bundle,
  threads: number,
  isWhole: boolean,
): Promise<Told> {
  const whole = isWhole ? await exploreAll(kind, bundle, threads) : { lines: [], isFine: true };
  const broken: Told[] = [];
  const left = [...kind.mutants.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      broken[next[0]] = await ablate(kind, bundle, next[1]);
  };
  await Promise.all(Array.from({ length: threads }, work));
  return {
    lines: [...whole.lines, '', ...broken.flatMap(({ lines }) => lines)],
    isFine: whole.isFine && broken.every(({ isFine }) => isFine),
  };
}

async function exploreAll<Setup extends SmallSetup | ChainSetup>(
  { worlds, head, row }: Kind<Setup>,
  bundle: Bundle,
  threads: number,
): Promise<Told> {
  const file = await bundle('runner/explore-worker.ts', 'explore');
  const found: Told[] = [];
  const left = [...worlds.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, setup] = next;
      const startedAtMs = Date.now();
      const exploration = await exploreApart(file, setup);
      const { broken, isComplete } = exploration;
      const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
      const verdict = broken ? `**broken**: ${broken.what}` : isComplete ? 'holds' : '**not explored to the end**';
      const line = `${row(setup, exploration)} ${verdict} |`;
      say(`${line} ${seconds} s`);
      found[at] = {
        lines: [line, ...(broken?.trace ?? []).map((step) => `    ${step}`)],
        isFine: !broken && isComplete,
      };
      for (const step of broken?.trace ?? []) say(`    ${step}`);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return { lines: [...head, ...found.flatMap(({ lines }) => lines)], isFine: found.every(({ isFine }) => isFine) };
}

/** Explores the small worlds with one mutant until a promise breaks. */
async function ablate<Setup extends SmallSetup | ChainSetup>(
  { worlds }: Kind<Setup>,
  bundle: Bundle,
  { name, what, patches }: Mutant,
): Promise<Told> {
  const file = await bundle('runner/explore-worker.ts', `explore-${name}`, { patches });
  for (const setup of worlds) {
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
