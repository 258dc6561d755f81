import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import type { Done, Job } from './worker.ts';

/** A thread with one build of the code under test. It plays many jobs, because it becomes faster with every world. */
type Hand = {
  play(job: Job): Promise<Done>;
  dismiss(): Promise<unknown>;
};

function hire(file: string): Hand {
  // Worlds leave much garbage that dies young.
  const worker = new Worker(file, { resourceLimits: { maxYoungGenerationSizeMb: 64 } });
  return {
    play: (job) =>
      new Promise((resolve, reject) => {
        const onExit = (code: number): void => reject(new Error(`a worker ended with ${code} before it was done`));
        worker.once('error', reject);
        worker.once('exit', onExit);
        worker.once('message', (done: Done) => {
          worker.off('error', reject);
          worker.off('exit', onExit);
          resolve(done);
        });
        worker.postMessage(job, []);
      }),
    dismiss: () => worker.terminate(),
  };
}

/** Plays one job on a thread of its own, with the build of the code under test in `file`. */
export async function runJob(file: string, job: Job): Promise<Done> {
  const hand = hire(file);
  try {
    return await hand.play(job);
  } finally {
    await hand.dismiss();
  }
}

/** Number of seeds in one job: few enough to share the work evenly. */
const CHUNK = 250;

/** The result of the seeds from `from` on, and the cost since the previous chunk was done. */
export type Chunk = {
  readonly from: number;
  readonly done: Done;
  /** Processor time of all cores together. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
};

/** The chunks of a run that are known already, and a callback for each new chunk, in any order. */
export type Progress = { readonly known?: readonly Chunk[]; readonly onPlayed?: (chunk: Chunk) => void };

/** Plays seeds on several threads. Resolves with all chunks, in the order of the seeds. */
export async function runSeeds(
  file: string,
  job: Extract<Job, { readonly kind: 'seeds' }>,
  threads: number,
  { known = [], onPlayed = () => {} }: Progress = {},
): Promise<readonly Chunk[]> {
  const chunks = [...known];
  const isKnown = new Set(known.map(({ from }) => from));
  const starts = Array.from({ length: Math.ceil(job.count / CHUNK) }, (_, at) => job.from + at * CHUNK).filter(
    (from) => !isKnown.has(from),
  );
  const takeCost = startCost();
  let isOver = false;
  const work = async (): Promise<void> => {
    const hand = hire(file);
    try {
      for (let from = starts.shift(); from !== undefined && !isOver; from = starts.shift()) {
        const done = await hand.play({ ...job, from, count: Math.min(CHUNK, job.from + job.count - from) });
        const chunk = { from, done, ...takeCost() };
        chunks.push(chunk);
        if (job.stopsAtFirst && done.told.length > 0) isOver = true;
        onPlayed(chunk);
      }
    } finally {
      await hand.dismiss();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, starts.length) }, work));
  return chunks.toSorted((a, b) => a.from - b.from);
}

/** Starts to measure. Each call of the returned function gives the cost since the previous call. */
function startCost(): () => Pick<Chunk, 'cpuSeconds' | 'wallSeconds'> {
  let [cpu, wallMs] = [process.cpuUsage(), performance.now()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const cost = { cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - wallMs) / 1_000 };
    [cpu, wallMs] = [process.cpuUsage(), performance.now()];
    return cost;
  };
}

/** The sum of a run. */
export type Sum = Pick<Chunk, 'cpuSeconds' | 'wallSeconds'> & Done;

/** Adds up the chunks of a run, in the order of the seeds. */
export function sumUp(chunks: readonly Chunk[]): Sum {
  const reached = new Map<string, number>();
  for (const { done } of chunks)
    for (const [name, worlds] of done.reached) reached.set(name, (reached.get(name) ?? 0) + worlds);
  const add = (valueOf: (chunk: Chunk) => number): number => chunks.reduce((sum, chunk) => sum + valueOf(chunk), 0);
  return {
    cpuSeconds: add(({ cpuSeconds }) => cpuSeconds),
    wallSeconds: add(({ wallSeconds }) => wallSeconds),
    played: add(({ done }) => done.played),
    events: add(({ done }) => done.events),
    told: chunks.flatMap(({ done }) => done.told),
    reached: [...reached],
    lostSessions: add(({ done }) => done.lostSessions),
    theftsCaught: add(({ done }) => done.theftsCaught),
    theftsUndetected: add(({ done }) => done.theftsUndetected),
    traceHash: chunks.reduce((hash, { done }) => (Math.imul(hash, 31) + done.traceHash) >>> 0, 0),
  };
}
