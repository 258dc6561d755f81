// Pages, tabs and browsers that do not close.
import type { ChildProcess } from 'node:child_process';
import { expect } from 'vitest';

/** Longer than closing takes on a busy machine; shorter than the time limit of a hook. */
export const CLOSE_LIMIT_MS = 20_000;

/**
 * Waits for `work`, at most `limitMs`. A rejection of `work` is passed on, unless it comes after the limit.
 *
 * @returns whether `work` has ended in time
 */
export async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)));
  try {
    return await Promise.race([work.then(() => true), limit]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

/** Says on stderr that a browser is replaced, and after which test. */
export function reportStuck(what: string, limitMs: number): void {
  const test = expect.getState().currentTestName ?? 'a hook';
  process.stderr.write(`${what} did not close within ${limitMs / 1_000} s after "${test}". Its browser is given up.\n`);
}

/** Waits until a process has ended by itself, at most `limitMs`; then kills it. */
export async function endOrKill(child: ChildProcess, limitMs = CLOSE_LIMIT_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  if (await endsWithin(ended, limitMs)) return;
  child.kill('SIGKILL');
  await ended;
}
