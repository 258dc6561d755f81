import { AIM_NAMES, FAULT_NAMES, type Setup } from '../sandbox/setup.ts';
import { play, type PlayOptions } from '../world.ts';

type Change = { readonly what: string; readonly apply: (setup: Setup) => Setup | null };

const without = (table: 'faults' | 'aims', name: string): Change => ({
  what: `${table}.${name}`,
  apply: (setup) => {
    const values: Readonly<Record<string, number>> = setup[table];
    return values[name] === 0 ? null : { ...setup, [table]: { ...values, [name]: 0 } };
  },
});

const CHANGES: readonly Change[] = [
  { what: 'thief', apply: (setup) => (setup.theftAtMs === null ? null : { ...setup, theftAtMs: null }) },
  ...FAULT_NAMES.map((name) => without('faults', name)),
  ...AIM_NAMES.map((name) => without('aims', name)),
  { what: 'tab', apply: (setup) => (setup.tabs === 1 ? null : { ...setup, tabs: setup.tabs - 1 }) },
  { what: 'node', apply: (setup) => (setup.nodes === 1 ? null : { ...setup, nodes: setup.nodes - 1 }) },
  {
    what: 'half the time',
    apply: (setup) => (setup.safetyMs < 60_000 ? null : { ...setup, safetyMs: Math.ceil(setup.safetyMs / 2) }),
  },
];

/** Number of worlds that are played at most to find a smaller one. */
const PLAYS = 600;

/**
 * Makes a failing setup smaller as long as it breaks the same promise: fewer faults, tabs and nodes, and less time. The
 * seed stays, but the smaller world draws differently. So it breaks the same invariant, but not always in the same way.
 */
export async function shrink(failing: Setup, invariant: string, options: PlayOptions): Promise<Setup> {
  let smallest = failing;
  let plays = 0;
  for (let isSmaller = true; isSmaller && plays < PLAYS;) {
    isSmaller = false;
    for (const { apply } of CHANGES) {
      const candidate = apply(smallest);
      if (candidate === null || plays >= PLAYS) continue;
      plays++;
      const { violations } = await play(candidate, options);
      if (violations[0]?.invariant !== invariant) continue;
      smallest = candidate;
      isSmaller = true;
    }
  }
  return smallest;
}
