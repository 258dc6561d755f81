import os from 'node:os';
import { readArguments } from './arguments.ts';
import { compareRules } from './compare.ts';
import { exploreWorlds } from './explore-command.ts';
import { runMutants } from './mutant-run.ts';
import { playMany } from './play-many.ts';
import { playOne } from './play-one.ts';
import { type Bundle, say } from './seeds.ts';

const OPTIONS = [
  '--seeds',
  '--from',
  '--threads',
  '--seed',
  '--trace',
  '--shrink',
  '--case',
  '--known',
  '--record',
  '--report',
  '--bound',
  '--only',
  '--write',
];

const HELP = `
npm run sim -- --seeds 20000 [--from N] [--threads N]     plays many worlds
    --report page.html                                    and writes what was found as one page
    --record file.jsonl                                   and keeps what is done there; run again, it goes on from there
npm run sim -- --seed 123 [--trace] [--shrink]            plays one; --known name plays one of sim/seeds instead
    --case "What went wrong"                              and keeps it in sim/seeds, to be played ever after
npm run sim:mutants [-- --bound N] [--only name]          deliberate bugs, each of which must be caught
npm run sim:compare [-- --seeds N]                        other rules in the same worlds
npm run sim:explore [-- --only mutant]                    every interleaving of small worlds, also without a rule
    --write                                               with any of these: puts the table into docs/simulation.md
`;

/** Runs a command of the simulator. @returns its exit code */
export async function run(args: readonly string[], bundle: Bundle): Promise<number> {
  const command = args[0]?.startsWith('--') === false ? args[0] : 'run';
  try {
    const given = readArguments(args[0] === command ? args.slice(1) : args, OPTIONS);
    const threads = given.number('--threads', Math.max(1, os.availableParallelism()));
    switch (command) {
      case 'run':
        return await (given.has('--seed') || given.has('--known')
          ? playOne(given, bundle)
          : playMany(given, bundle, threads));
      case 'mutants':
        return await runMutants(given, bundle, threads);
      case 'compare':
        return await compareRules(given, bundle, threads);
      case 'explore':
        return await exploreWorlds(given, bundle, threads);
      default:
        throw new TypeError(`there is no command ${command}`);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    say(`${error.message}\n${HELP}`);
    return 2;
  }
}
