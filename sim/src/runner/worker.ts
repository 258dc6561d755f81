import { parentPort } from 'node:worker_threads';
import type { Violation } from '../checkers/ledger.ts';
import type { Note } from '../sandbox/scheduler.ts';
import { drawSetup, type Setup } from '../sandbox/setup.ts';
import { play, type Outcome, type PlayOptions } from '../world.ts';
import { shrink } from './shrink.ts';

// Plays worlds one after the other on a thread. The bundle contains the code under test; the starter of the worker
// chooses the build.

// The code under test throws thousands of errors, and no stack is read: a violation names the promise, the time and the
// actor.
Error.stackTraceLimit = 0;

/** A job of a worker. */
export type Job =
  | {
      readonly kind: 'seeds';
      readonly from: number;
      readonly count: number;
      /** Ends the job at the first violation. */
      readonly stopsAtFirst: boolean;
      readonly options: PlayOptions;
    }
  | { readonly kind: 'setups'; readonly setups: readonly Setup[]; readonly options: PlayOptions }
  | { readonly kind: 'shrink'; readonly setup: Setup; readonly invariant: string; readonly options: PlayOptions };

/** A world that broke a promise, or that was requested in full. */
export type Told = {
  readonly setup: Setup;
  readonly violations: readonly Violation[];
  readonly notes: readonly Note[];
  readonly traceHash: number;
};

/** The result of a job. */
export type Done = {
  readonly played: number;
  readonly events: number;
  readonly told: readonly Told[];
  readonly reached: readonly (readonly [string, number])[];
  readonly lostSessions: number;
  readonly theftsCaught: number;
  readonly theftsUndetected: number;
  /** The hash of all traces, in order. */
  readonly traceHash: number;
};

type Sum = { -readonly [Field in keyof Done]: Done[Field] } & { told: Told[] };

const emptySum = (): Sum => ({
  played: 0,
  events: 0,
  told: [],
  reached: [],
  lostSessions: 0,
  theftsCaught: 0,
  theftsUndetected: 0,
  traceHash: 0,
});

function add(sum: Sum, reached: Map<string, number>, setup: Setup, outcome: Outcome, isWanted: boolean): void {
  sum.played++;
  sum.events += outcome.events;
  sum.lostSessions += outcome.lostSessions;
  if (outcome.theft === 'caught') sum.theftsCaught++;
  if (outcome.theft === 'undetected') sum.theftsUndetected++;
  sum.traceHash = (Math.imul(sum.traceHash, 31) + outcome.traceHash) >>> 0;
  for (const name of outcome.reached.keys()) reached.set(name, (reached.get(name) ?? 0) + 1);
  if (!isWanted) return;
  const { violations, notes, traceHash } = outcome;
  sum.told.push({ setup, violations, notes, traceHash });
}

/** Number of failing worlds that a job returns in full; all others are only counted. */
const TOLD_MAX = 50;

async function work(job: Job): Promise<Done> {
  const sum = emptySum();
  const reached = new Map<string, number>();
  if (job.kind === 'seeds') {
    for (let seed = job.from; seed < job.from + job.count; seed++) {
      const setup = drawSetup(seed);
      const outcome = await play(setup, job.options);
      const isBroken = outcome.violations.length > 0;
      add(sum, reached, setup, outcome, isBroken && sum.told.length < TOLD_MAX);
      if (isBroken && job.stopsAtFirst) break;
    }
  } else if (job.kind === 'setups') {
    for (const setup of job.setups) add(sum, reached, setup, await play(setup, job.options), true);
  } else {
    const smallest = await shrink(job.setup, job.invariant, job.options);
    add(sum, reached, smallest, await play(smallest, { ...job.options, keepsNotes: true }), true);
  }
  return { ...sum, reached: [...reached] };
}

const port = parentPort;
if (port === null) throw new Error('a worker is started by the worker pool');
// Play jobs one after the other, because a world needs the thread for itself. A job that throws ends the worker, and
// the pool notices.
let before = Promise.resolve();
port.on('message', (job: Job) => {
  before = before.then(async () => port.postMessage(await work(job)));
});
