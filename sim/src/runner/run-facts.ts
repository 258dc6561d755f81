import { execFileSync } from 'node:child_process';
import type { Sum } from './worker-pool.ts';

/** The conditions of a run. */
export type RunFacts = {
  /** The commit that was played; `+` if the sources differ from it. */
  readonly commit: string;
  /** The first seed. */
  readonly from: number;
  readonly threads: number;
};

/** Returns the commit of the working tree, with `+` if the sources differ from it. */
export function readCommit(): string {
  const git = (...args: readonly string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  try {
    const changes = git('status', '--porcelain', '--', 'client/src', 'server/src', 'sim');
    return git('rev-parse', '--short', 'HEAD') + (changes === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7_200) return `${(seconds / 60).toFixed(1)} minutes`;
  return `${(seconds / 3_600).toFixed(1)} hours`;
}

/** Describes a run and its results, as names and values. */
export function describeRun(sum: Sum, { commit, from, threads }: RunFacts): readonly (readonly [string, string])[] {
  return [
    ['worlds', `${whole(sum.played)}: seeds ${from} to ${from + sum.played - 1}`],
    ['broke a promise', whole(sum.told.length)],
    ['events', whole(sum.events)],
    ['commit', commit],
    [
      'duration',
      `${formatSeconds(sum.wallSeconds)} on ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${formatSeconds(sum.cpuSeconds)} of one core`,
    ],
    ['speed', `${whole((sum.played / sum.cpuSeconds) * 60)} worlds a minute on one core`],
    ['hash of all traces', sum.traceHash.toString(16)],
  ];
}

/** Writes a run as a Markdown table, for the terminal and the documentation. */
export const writeRun = (sum: Sum, facts: RunFacts): string =>
  ['| run | |', '| --- | --- |', ...describeRun(sum, facts).map(([name, value]) => `| ${name} | ${value} |`)].join(
    '\n',
  );
