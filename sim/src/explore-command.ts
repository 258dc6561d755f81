import { explore } from './explore.ts';
import { say } from './seeds.ts';
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

/** States after which an exploration is given up. */
const LIMIT = 1_500_000;

/** Explores every small world and prints what was found. @returns 1 if a promise can be broken, or a world was too large */
export function exploreWorlds(): number {
  let isAnyBroken = false;
  for (const setup of WORLDS) {
    const startedAtMs = Date.now();
    const { states, broken, isComplete, turns } = explore(setup, LIMIT);
    const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
    const verdict = broken ? `BROKEN: ${broken.what}` : isComplete ? 'holds' : 'not explored to the end';
    const story = turns === '' ? '' : `, longest story of rotations after the theft: ${turns}`;
    say(`${setup.title} (${setup.sends} refreshes): ${verdict}; ${states} states in ${seconds} s${story}`);
    for (const label of broken?.trace ?? []) say(`    ${label}`);
    if (broken || !isComplete) isAnyBroken = true;
  }
  return isAnyBroken ? 1 : 0;
}
