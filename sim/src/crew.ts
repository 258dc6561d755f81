import { Worker } from 'node:worker_threads';
import type { Done, Job } from './worker.ts';

/** Plays one job on a thread of its own, with the build of the code under test that `file` is. */
export function runJob(file: string, job: Job): Promise<Done> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: job });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${code} before it was done`)));
  });
}

/** Seeds that one job plays: long enough to warm up, short enough to share the work. */
const CHUNK = 500;

/** Plays seeds on several threads and adds everything up, in the order of the seeds. */
export async function runSeeds(
  file: string,
  job: Extract<Job, { readonly kind: 'seeds' }>,
  threads: number,
  onProgress: (played: number) => void = () => {},
): Promise<Done> {
  const chunks: Done[] = [];
  const total = Math.ceil(job.count / CHUNK);
  let next = 0;
  let played = 0;
  let isOver = false;
  const work = async (): Promise<void> => {
    for (let chunk = next++; chunk < total && !isOver; chunk = next++) {
      const count = Math.min(CHUNK, job.count - chunk * CHUNK);
      const done = await runJob(file, { ...job, from: job.from + chunk * CHUNK, count });
      chunks[chunk] = done;
      if (job.stopsAtFirst && done.told.length > 0) isOver = true;
      played += done.played;
      onProgress(played);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return chunks.filter(Boolean).reduce(addUp, EMPTY);
}

const EMPTY: Done = {
  played: 0,
  events: 0,
  told: [],
  reached: [],
  lostSessions: 0,
  theftsCaught: 0,
  theftsUndetected: 0,
  traceHash: 0,
};

function addUp(a: Done, b: Done): Done {
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
