import process from 'node:process';
import { runJob } from './crew.ts';
import { HARMLESS, MUTANTS, UNSEEN, type Mutant } from './mutants.ts';
import { say, type Bundle } from './seeds.ts';

type Fate = { readonly mutant: Mutant; readonly seed: number | null; readonly invariant: string };

async function hunt(bundle: Bundle, mutant: Mutant, bound: number): Promise<Fate> {
  const file = await bundle('worker.ts', `mutant-${mutant.name}`, { patches: mutant.patches }).catch(() => null);
  // The code has moved on, and its mutant must too.
  if (file === null) return { mutant, seed: null, invariant: 'the patch does not fit' };
  const done = await runJob(file, { kind: 'seeds', from: 1, count: bound, stopsAtFirst: true, options: {} });
  const [told] = done.told;
  return { mutant, seed: told?.setup.seed ?? null, invariant: told?.violations[0]?.invariant ?? '' };
}

/**
 * Plays every mutant from seed 1 until it breaks a promise, and prints what became of each.
 *
 * @param bound seeds after which a mutant has survived
 * @param only plays one mutant alone
 * @returns 1 if one survived
 */
export async function runMutants(bundle: Bundle, bound: number, only: string | null, threads: number): Promise<number> {
  const mutants = MUTANTS.filter(({ name }) => only === null || name === only);
  if (mutants.length === 0)
    throw new TypeError(`there is no mutant ${only}; there are ${MUTANTS.map(({ name }) => name).join(', ')}`);
  const fates: Fate[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < mutants.length; at = next++) {
      const mutant = mutants[at];
      if (!mutant) continue;
      const fate = await hunt(bundle, mutant, bound);
      fates[at] = fate;
      process.stderr.write(`${mutant.name}: ${fate.seed ?? 'survived'} ${fate.invariant}\n`);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  say('| mutant | deliberate bug | caught at seed | by |');
  say('| --- | --- | ---: | --- |');
  for (const { mutant, seed, invariant } of fates)
    say(`| \`${mutant.name}\` | ${mutant.what} | ${seed ?? '**survived**'} | ${invariant} |`);
  const survivors = fates.filter(({ seed }) => seed === null);
  say(`\n${fates.length - survivors.length} of ${fates.length} caught within ${bound} seeds.`);
  if (only === null) {
    say('\n| bug that is not seen here | where it is |\n| --- | --- |');
    for (const { what, why } of UNSEEN) say(`| ${what} | ${why} |`);
    say('\n| harmless change | why |\n| --- | --- |');
    for (const { what, why } of HARMLESS) say(`| ${what} | ${why} |`);
  }
  return survivors.length > 0 ? 1 : 0;
}
