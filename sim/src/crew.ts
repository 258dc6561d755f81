import { Worker } from 'node:worker_threads';
import type { Done, Job } from './worker.ts';

/** A thread with one build of the code under test in it. It grows quicker with every world, so it plays many jobs. */
type Hand = {
  play(job: Job): Promise<Done>;
  dismiss(): Promise<unknown>;
};

function hire(file: string): Hand {
  // Worlds leave a lot of rubbish that dies young.
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

/** Plays one job on a thread of its own, with the build of the code under test that `file` is. */
export async function runJob(file: string, job: Job): Promise<Done> {
  const hand = hire(file);
  try {
    return await hand.play(job);
  } finally {
    await hand.dismiss();
  }
}

/** Seeds of one job: few enough to share the work evenly. */
const CHUNK = 250;

/**
 * Plays seeds on several threads and adds everything up, in the order of the seeds.
 *
 * @param onPlayed is told of every chunk that is done, in any order
 */
export async function runSeeds(
  file: string,
  job: Extract<Job, { readonly kind: 'seeds' }>,
  threads: number,
  onPlayed: (chunk: Chunk) => void = () => {},
): Promise<Done> {
  const chunks: Done[] = [];
  const total = Math.ceil(job.count / CHUNK);
  let next = 0;
  let isOver = false;
  const work = async (): Promise<void> => {
    const hand = hire(file);
    try {
      for (let at = next++; at < total && !isOver; at = next++) {
        const from = job.from + at * CHUNK;
        const done = await hand.play({ ...job, from, count: Math.min(CHUNK, job.count - at * CHUNK) });
        chunks[at] = done;
        if (job.stopsAtFirst && done.told.length > 0) isOver = true;
        onPlayed({ from, done });
      }
    } finally {
      await hand.dismiss();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, total) }, work));
  return chunks.filter(Boolean).reduce(addUp, EMPTY);
}

/** What came of the seeds from `from` on. */
export type Chunk = { readonly from: number; readonly done: Done };

export const EMPTY: Done = {
  played: 0,
  events: 0,
  told: [],
  reached: [],
  lostSessions: 0,
  theftsCaught: 0,
  theftsUndetected: 0,
  traceHash: 0,
};

export function addUp(a: Done, b: Done): Done {
  const reached = new Map(a.reached);
  for (const [name, count] of b.reached) reached.set(name, (reached.get(name) ?? 0) + count);
  return {
    played: a.played + b.played,
    events: a.events + b.events,
    told: [...a.told, ...b.told],
    reached: [...reached],
    lostSessions: a.lostSessions + b.lostSessions,
    theftsCaught: a.theftsCaught + b.theftsCaught,
    theftsUndetected: a.theftsUndetected + b.theftsUndetected,
    traceHash: (Math.imul(a.traceHash, 31) + b.traceHash) >>> 0,
  };
}
