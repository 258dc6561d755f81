import fs from 'node:fs/promises';
import process from 'node:process';
import { STATES } from '../checkers/states.ts';
import { drawSetup } from '../sandbox/setup.ts';
import type { Arguments } from './arguments.ts';
import { writeSection } from './document.ts';
import { tell } from './play-one.ts';
import { openRecord } from './record.ts';
import { writeReport } from './report.ts';
import { readCommit, writeRun, type RunFacts } from './run-facts.ts';
import { readCases, say, type Bundle } from './seeds.ts';
import { runJob, runSeeds, sumUp, type Chunk, type Sum } from './worker-pool.ts';

/** Number of worlds that reach every state; fewer worlds may miss a rare one by chance. */
const ENOUGH_FOR_STATES = 5_000;

/**
 * Plays the known cases, then many seeds, and sums up.
 *
 * @returns 1 if a promise was broken, or a state was never reached
 */
export async function playMany(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const count = given.number('--seeds', 2_000);
  const from = given.number('--from', 1);
  const recordFile = given.text('--record');
  const record = recordFile ? openRecord(recordFile, readCommit(), count) : null;
  const facts: RunFacts = { commit: record?.commit ?? readCommit(), from, threads };
  const file = await bundle('runner/worker.ts', 'worker');
  const broken = await playCases(file);
  const { known = [], onPlayed } = record ?? {};
  const show = showProgress(known, count);
  const job = { kind: 'seeds', from, count, stopsAtFirst: false, options: {} } as const;
  const chunks = await runSeeds(file, job, threads, {
    known,
    onPlayed: (chunk) => {
      onPlayed?.(chunk);
      for (const told of chunk.done.told) tell(told);
      show(chunk);
    },
  });
  const sum = sumUp(chunks);
  say(`\n${writeRun(sum, facts)}`);
  const reached = new Set(sum.reached.map(([name]) => name));
  const missing = count >= ENOUGH_FOR_STATES ? STATES.filter((state) => !reached.has(state)) : [];
  for (const state of missing) say(`never reached: ${state}`);
  if (given.has('--write')) await writeSection('run', writeRun(sum, facts));
  const report = given.text('--report');
  if (report) await reportOn(file, report, sum, facts);
  return sum.told.length + broken + missing.length > 0 ? 1 : 0;
}

/** Shows the progress on standard error, if it is a terminal. */
function showProgress(known: readonly Chunk[], count: number): (chunk: Chunk) => void {
  let played = sumUp(known).played;
  return ({ done }) => {
    played += done.played;
    if (process.stderr.isTTY) process.stderr.write(`\r${played} of ${count} `);
  };
}

/**
 * Plays every world that once broke a promise.
 *
 * @returns the number of worlds that break one again
 */
async function playCases(file: string): Promise<number> {
  const cases = await readCases();
  const { told } = await runJob(file, { kind: 'setups', setups: cases.map(({ setup }) => setup), options: {} });
  let broken = 0;
  for (const [at, each] of told.entries()) {
    if (each.violations.length === 0) continue;
    broken++;
    say(`a defect that was mended is back: ${cases[at]?.title} (--known ${cases[at]?.name})`);
    tell(each);
  }
  say(`${cases.length} known cases, ${broken} broke a promise again`);
  return broken;
}

/** Number of failing worlds that a report shows in full. */
const SHOWN_MAX = 10;

async function reportOn(file: string, path: string, sum: Sum, facts: RunFacts): Promise<void> {
  const broken = sum.told.slice(0, SHOWN_MAX).map(({ setup }) => setup);
  const setups = broken.length > 0 ? broken : [drawSetup(facts.from)];
  const { told } = await runJob(file, { kind: 'setups', setups, options: { keepsNotes: true } });
  await fs.writeFile(path, writeReport(sum, told, facts));
  say(`report: ${path}`);
}
