import process from 'node:process';
import type { Mutant } from '../mutants/mutant.ts';
import { HARMLESS, MUTANTS, UNSEEN } from '../mutants/mutants.ts';
import type { Arguments } from './arguments.ts';
import { writeSection } from './document.ts';
import { readCases, say, type Bundle } from './seeds.ts';
import { runJob } from './worker-pool.ts';

/**
 * The result of one mutant. `caughtAt` is the first seed that broke a promise, or a known case; `null`: the mutant
 * survived.
 */
type Fate = { readonly mutant: Mutant; readonly caughtAt: string | null; readonly invariant: string };

async function hunt(bundle: Bundle, mutant: Mutant, bound: number): Promise<Fate> {
  const file = await bundle('runner/worker.ts', `mutant-${mutant.name}`, { patches: mutant.patches }).catch(() => null);
  // If the bundle fails, the code has changed, and the mutant must follow.
  if (file === null) return { mutant, caughtAt: null, invariant: 'the patch does not fit' };
  const done = await runJob(file, { kind: 'seeds', from: 1, count: bound, stopsAtFirst: true, options: {} });
  const [told] = done.told;
  if (told) return { mutant, caughtAt: String(told.setup.seed), invariant: told.violations[0]?.invariant ?? '' };
  const setups = (await readCases()).map(({ setup }) => setup);
  const known = await runJob(file, { kind: 'setups', setups, options: {} });
  const broken = known.told.find(({ violations }) => violations.length > 0);
  return { mutant, caughtAt: broken ? 'a known case' : null, invariant: broken?.violations[0]?.invariant ?? '' };
}

/** Number of seeds after which a mutant has survived, unless the command names another. */
const BOUND = 5_000;

/**
 * Plays every mutant from seed 1 until it breaks a promise, and prints the results.
 *
 * @returns 1 if a mutant survived
 */
export async function runMutants(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const bound = given.number('--bound', BOUND);
  const only = given.text('--only');
  const mutants = MUTANTS.filter(({ name }) => only === null || name === only);
  if (mutants.length === 0)
    throw new TypeError(`there is no mutant ${only}; there are ${MUTANTS.map(({ name }) => name).join(', ')}`);
  const fates: Fate[] = [];
  const left = [...mutants.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, mutant] = next;
      const fate = await hunt(bundle, mutant, bound);
      fates[at] = fate;
      process.stderr.write(`${mutant.name}: ${fate.caughtAt ?? 'survived'} ${fate.invariant}\n`);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  const page = only === null ? `${writeFates(fates, bound)}\n\n${writeOthers()}` : writeFates(fates, bound);
  say(page);
  if (given.has('--write') && only === null) await writeSection('mutants', page);
  return fates.some(({ caughtAt }) => caughtAt === null) ? 1 : 0;
}

function writeFates(fates: readonly Fate[], bound: number): string {
  const caught = fates.filter(({ caughtAt }) => caughtAt !== null).length;
  const rows = fates.map(
    ({ mutant, caughtAt, invariant }) =>
      `| \`${mutant.name}\` | ${mutant.what} | ${caughtAt ?? '**survived**'} | ${invariant} |`,
  );
  return [
    `${caught} of ${fates.length} caught, each within ${bound.toLocaleString('en')} seeds from seed 1 on, or in a known case.`,
    '',
    '| mutant | deliberate bug | caught at seed | by |',
    '| --- | --- | ---: | --- |',
    ...rows,
  ].join('\n');
}

function writeOthers(): string {
  const rows = (others: typeof UNSEEN): readonly string[] => others.map(({ what, why }) => `| ${what} | ${why} |`);
  return [
    '| bug that is not seen here | where it is |',
    '| --- | --- |',
    ...rows(UNSEEN),
    '',
    '| harmless change | why |',
    '| --- | --- |',
    ...rows(HARMLESS),
  ].join('\n');
}
