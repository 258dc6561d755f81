import fs from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../bundle.mjs';
import { explore } from './explore/explore.ts';
import { CHAIN_MUTANTS } from './mutants/chain-mutants.ts';
import { MUTANTS } from './mutants/mutants.ts';
import { CHAIN_WORLDS, exploreApart } from './runner/explore-command.ts';
import { readCases } from './runner/seeds.ts';
import { printTimeline } from './runner/timeline.ts';
import { runJob, runSeeds, sumUp } from './runner/worker-pool.ts';
import { drawSetup, withoutFaults } from './sandbox/setup.ts';

// The result "no violation in 20,000 worlds" is worth something only if a seed replays exactly and a bug would be seen.

let worker: string;

beforeAll(async () => {
  worker = await bundle('runner/worker.ts', 'test-worker');
});

const seeds = (from: number, count: number) =>
  runJob(worker, { kind: 'seeds', from, count, stopsAtFirst: false, options: {} });

describe('a seed', () => {
  it('gives the same trace whenever it is played, alone or among others', async () => {
    const [first, again] = await Promise.all([seeds(1, 40), seeds(1, 40)]);
    expect(again.traceHash).toBe(first.traceHash);
    const alone = await runJob(worker, { kind: 'setups', setups: [drawSetup(17)], options: {} });
    const among = await runJob(worker, { kind: 'setups', setups: [drawSetup(16), drawSetup(17)], options: {} });
    expect(among.told[1]?.traceHash).toBe(alone.told[0]?.traceHash);
  });

  it('differs from the next one', async () => {
    const done = await runJob(worker, { kind: 'setups', setups: [drawSetup(1), drawSetup(2)], options: {} });
    expect(done.told[0]?.traceHash).not.toBe(done.told[1]?.traceHash);
  });

  it('gives the same trace with the stand-in for the snapshots as with the real ones', async () => {
    const alias = { 'sim/src/sandbox/staged-snapshot.ts': 'client/src/core/snapshot.ts' };
    const real = await bundle('runner/worker.ts', 'test-snapshots', { alias });
    const job = { kind: 'seeds', from: 60, count: 40, stopsAtFirst: false, options: {} } as const;
    expect((await runJob(real, job)).traceHash).toBe((await seeds(60, 40)).traceHash);
  });

  it('gives the same trace with and without kept notes', async () => {
    const setups = [drawSetup(5)];
    const told = await runJob(worker, { kind: 'setups', setups, options: { keepsNotes: true } });
    const quiet = await runJob(worker, { kind: 'setups', setups, options: {} });
    expect(told.told[0]?.traceHash).toBe(quiet.told[0]?.traceHash);
    expect(printTimeline(told.told[0]?.notes ?? [])).toContain('refresh.sent');
  });
});

describe('the promises hold', () => {
  // `npm test` plays thousands of other worlds as a check of its own: 20,000 with `CI=true`.
  it('in five hundred worlds', { timeout: 240_000 }, async () => {
    const job = { kind: 'seeds', from: 500_000, count: 500, stopsAtFirst: false, options: {} } as const;
    const { told, played } = sumUp(await runSeeds(worker, job, 2));
    expect(told.map(({ setup, violations }) => [setup.seed, violations])).toEqual([]);
    expect(played).toBe(500);
  });

  it('in every world that once broke one', async () => {
    const cases = await readCases();
    const done = await runJob(worker, { kind: 'setups', setups: cases.map(({ setup }) => setup), options: {} });
    expect(done.told.map(({ violations }, at) => [cases[at]?.title, violations])).toEqual(
      cases.map(({ title }) => [title, []]),
    );
    expect(cases.length).toBeGreaterThan(0);
  });

  it('in a world without faults: no user is signed out, and no fork occurs', async () => {
    const setup = { ...withoutFaults(drawSetup(3)), theftAtMs: null, tabs: 4 };
    const { told, reached } = await runJob(worker, { kind: 'setups', setups: [setup], options: {} });
    expect(told[0]?.violations).toEqual([]);
    expect(new Map(reached).has('rotation')).toBe(true);
    expect(new Map(reached).has('fork answered by wait')).toBe(false);
  });

  it('in every interleaving of two tabs and a fault', () => {
    const found = explore({ title: '', store: 'vault', tabs: 2, faults: 1, sends: 2, thiefUses: 0 }, 100_000);
    expect(found.broken).toBeNull();
    expect(found.isComplete).toBe(true);
  });
});

describe('device chains', () => {
  it.each(CHAIN_WORLDS.slice(0, 4))('keep every promise in every order of messages: $title', async (setup) => {
    const found = await exploreApart(await bundle('runner/explore-worker.ts', 'test-chains'), setup);
    expect(found.broken).toBeNull();
    expect(found.isComplete).toBe(true);
    expect(found.states).toBeGreaterThan(30);
  });

  it('break if a sign-out voids no exchange, and the explorer finds the trace', async () => {
    const patches = CHAIN_MUTANTS.find(({ name }) => name === 'sign-out-voids-nothing')?.patches ?? [];
    const file = await bundle('runner/explore-worker.ts', 'test-void', { patches });
    const setup = { title: '', begins: 'active', tabs: 1, signIns: 1, signOuts: 1, faults: 1 } as const;
    const { broken } = await exploreApart(file, setup);
    expect(broken?.what).toBe('after the sign-out the cookie of B is still good');
    expect(broken?.trace).toEqual([
      'tab 0 signs in in place of A',
      'the user signs out of A in tab 0',
      'the server takes the sign-out of A by tab 0',
      'the server takes the exchange by tab 0',
      'the cookie of the exchange by tab 0 is kept, tab 0 dies  [fault]',
      'all becomes quiet',
    ]);
  });

  it('have a mutant for each of their rules, and every patch still fits the code', async () => {
    const page = await fs.readFile('docs/simulation.md', 'utf8');
    for (const { name, patches } of CHAIN_MUTANTS) {
      const fits = await bundle('runner/explore-worker.ts', 'test-fit', { patches }).then(() => name, String);
      expect(fits).toBe(name);
      expect(page).toContain(`With \`${name}\` (`);
    }
  });
});

describe('the simulator can fail', () => {
  it.each([
    'strict-rotation',
    'missing-token-drops-stored',
    'server-error-signs-out',
    'post-is-repeated',
    'token-in-event',
  ])('on %s', async (name) => {
    const mutant = MUTANTS.find((each) => each.name === name);
    const file = await bundle('runner/worker.ts', `test-${name}`, { patches: mutant?.patches ?? [] });
    const done = await runJob(file, { kind: 'seeds', from: 1, count: 100, stopsAtFirst: true, options: {} });
    expect(done.told).toHaveLength(1);
  });

  it('with the shortest trace, in small worlds', async () => {
    const mutant = MUTANTS.find(({ name }) => name === 'strict-rotation');
    const file = await bundle('runner/explore-worker.ts', 'test-explore', { patches: mutant?.patches ?? [] });
    const setup = { title: '', store: 'vault', tabs: 2, faults: 1, sends: 2, thiefUses: 0 } as const;
    const { broken } = await exploreApart(file, setup);
    expect(broken?.what).toBe('an honest session was ended');
    expect(broken?.trace).toEqual([
      'tab 0 sends (0,0)',
      'the server takes (0,0) of tab 0',
      'a minute passes',
      'the server takes (0,0) of tab 0',
    ]);
  });

  it('lists every mutant as caught in docs/simulation.md', async () => {
    const page = await fs.readFile('docs/simulation.md', 'utf8');
    const told = [...page.matchAll(/^\| `([a-z0-9-]+)` \|.*\| (?:\d+|a known case) \| \w+ \|$/gm)].map(
      ([, name]) => name,
    );
    expect(told).toEqual(MUTANTS.map(({ name }) => name));
  });

  it('has at least 30 mutants, and every patch still fits the code', async () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const { name, patches } of MUTANTS) {
      const fits = await bundle('runner/worker.ts', 'test-fit', { patches }).then(() => name, String);
      expect(fits).toBe(name);
    }
  });
});
