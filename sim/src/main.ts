import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import process from 'node:process';
import { readArguments, type Arguments } from './arguments.ts';
import { compareRules } from './compare.ts';
import { exploreWorlds } from './explore-command.ts';
import { runJob, runSeeds } from './crew.ts';
import { runMutants } from './mutant-run.ts';
import { writeReport } from './report.ts';
import type { Bundle } from './seeds.ts';
import { readCases, say } from './seeds.ts';
import { drawSetup } from './setup.ts';
import { STATES } from './states.ts';
import { describeSetup, printTimeline } from './timeline.ts';
import type { Done, Told } from './worker.ts';

const OPTIONS = ['--seeds', '--from', '--jobs', '--seed', '--trace', '--shrink', '--report', '--bound', '--only'];

const HELP = `
npm run sim -- --seeds 20000 [--from N] [--jobs N] [--report page.html]   plays many worlds
npm run sim -- --seed 123 [--trace] [--shrink]                            plays one
npm run sim:mutants [-- --bound N] [--only name] [--jobs N]               deliberate bugs, each of which must be caught
npm run sim:compare [-- --seeds N] [--jobs N]                             other rules in the same worlds
npm run sim:explore                                                       every interleaving of small worlds
`;

/** Runs a command. @returns its exit code */
export async function run(args: readonly string[], bundle: Bundle): Promise<number> {
  const command = args[0]?.startsWith('--') === false ? args[0] : 'run';
  const rest = args[0] === command ? args.slice(1) : args;
  try {
    const given = readArguments(rest, OPTIONS);
    const jobs = given.number('--jobs', Math.max(1, os.availableParallelism()));
    if (command === 'mutants')
      return await runMutants(bundle, given.number('--bound', 3_000), given.text('--only'), jobs);
    if (command === 'compare') return await compareRules(bundle, given.number('--seeds', 2_000), jobs);
    if (command === 'explore') return exploreWorlds();
    if (command !== 'run') throw new TypeError(`there is no command ${command}`);
    return given.has('--seed') ? await playOne(given, bundle) : await playMany(given, bundle, jobs);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    say(`${error.message}\n${HELP}`);
    return 2;
  }
}

async function playOne(given: Arguments, bundle: Bundle): Promise<number> {
  const file = await bundle('worker.ts', 'worker');
  const setup = drawSetup(given.number('--seed', 0));
  const done = await runJob(file, { kind: 'setups', setups: [setup], options: { keepsNotes: true } });
  const [told] = done.told;
  if (told === undefined) throw new Error('nothing was played');
  say(`seed ${setup.seed}: ${describeSetup(setup)}`);
  if (given.has('--trace')) say(printTimeline(told.notes));
  tell(told);
  const [violation] = told.violations;
  if (violation && given.has('--shrink')) await shrinkAndTell(file, told, violation.invariant);
  return violation ? 1 : 0;
}

async function shrinkAndTell(file: string, { setup }: Told, invariant: string): Promise<void> {
  const { told } = await runJob(file, { kind: 'shrink', setup, invariant, options: {} });
  const [smallest] = told;
  if (!smallest) return;
  say(`\nsmaller: ${describeSetup(smallest.setup)}`);
  say(printTimeline(smallest.notes));
  say(`\n${JSON.stringify(smallest.setup)}`);
}

function tell({ setup, violations, traceHash }: Told): void {
  const [first] = violations;
  say(first ? `seed ${setup.seed}: ${first.invariant} ${first.text}` : `seed ${setup.seed} kept every promise`);
  say(`trace ${traceHash.toString(16)}`);
}

/** So many worlds reach every state; fewer may miss a rare one by chance. */
const ENOUGH_FOR_STATES = 5_000;

async function playMany(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const count = given.number('--seeds', 2_000);
  const from = given.number('--from', 1);
  const file = await bundle('worker.ts', 'worker');
  const startedAtMs = Date.now();
  const cases = await readCases();
  const known = await runJob(file, { kind: 'setups', setups: cases.map(({ setup }) => setup), options: {} });
  const broken = known.told.flatMap(({ violations }, index) => (violations.length > 0 ? [cases[index]?.title] : []));
  for (const title of broken) say(`a defect that was mended is back: ${title}`);
  const isTerminal = process.stderr.isTTY;
  let played = 0;
  const done = await runSeeds(
    file,
    { kind: 'seeds', from, count, stopsAtFirst: false, options: {} },
    threads,
    (chunk) => {
      played += chunk.done.played;
      if (isTerminal) process.stderr.write(`\r${played} of ${count}`);
    },
  );
  const seconds = (Date.now() - startedAtMs) / 1_000;
  const missing = count >= ENOUGH_FOR_STATES ? missingStates(done) : [];
  sum(done, seconds, threads, cases.length);
  for (const state of missing) say(`never reached: ${state}`);
  const report = given.text('--report');
  if (report) await report_(file, report, done, { from, seconds, threads, commit: readCommit() });
  return done.told.length + broken.length + missing.length > 0 ? 1 : 0;
}

async function report_(
  file: string,
  path: string,
  done: Done,
  facts: Parameters<typeof writeReport>[1],
): Promise<void> {
  const setups = done.told.slice(0, 10).map(({ setup }) => setup);
  const full = await runJob(file, { kind: 'setups', setups, options: { keepsNotes: true } });
  await fs.writeFile(path, writeReport({ ...done, told: full.told }, facts));
  say(`report: ${path}`);
}

const missingStates = (done: Done): readonly string[] => {
  const reached = new Set(done.reached.map(([name]) => name));
  return STATES.filter((state) => !reached.has(state));
};

function sum(done: Done, seconds: number, threads: number, cases: number): void {
  for (const told of done.told) tell(told);
  const perMinute = Math.round((done.played / seconds) * 60);
  say(`${done.played} worlds and ${cases} known cases, ${done.events} events, ${done.told.length} broke a promise`);
  say(
    `${seconds.toFixed(1)} s on ${threads} threads: ${perMinute} worlds a minute; trace ${done.traceHash.toString(16)}`,
  );
}

function readCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
