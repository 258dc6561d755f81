import type { Observation } from '../index.ts';

/** One observation of one tab, and when. */
export type TimelineEntry = {
  /** The page load that observed it, by a random name. */
  readonly tab: string;
  /** Counts the observations of that page load, from 1. */
  readonly seq: number;
  /** Wall clock of the device, in ms since 1970: the one clock that tabs share. */
  readonly atMs: number;
  readonly observation: Observation;
};

/** What every word in an observation looks like: `refresh.started`, `reuse-detected`. No token, name or password does. */
const WORD = /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*$/u;
const WORD_LENGTH_MAX = 40;

const isWord = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= WORD_LENGTH_MAX && WORD.test(value);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A copy of an observation with nothing in it but words, numbers and yes or no; `null` if there is anything else. */
function readObservation(value: unknown): Observation | null {
  if (!isRecord(value) || !isWord(value['type'])) return null;
  const isPlain = Object.values(value).every(
    (member) => isWord(member) || Number.isFinite(member) || typeof member === 'boolean',
  );
  return isPlain ? ({ ...value } as Observation) : null;
}

/** Reads what another tab or a file says was observed; `null` if it is no such thing, or could hold a secret. */
export function readEntry(value: unknown): TimelineEntry | null {
  if (!isRecord(value)) return null;
  const { tab, seq, atMs } = value;
  const observation = readObservation(value['observation']);
  if (!isWord(tab) || !Number.isInteger(seq) || !Number.isFinite(atMs) || observation === null) return null;
  return { tab, seq: seq as number, atMs: atMs as number, observation };
}

/** In order of time. */
export const compareEntries = (a: TimelineEntry, b: TimelineEntry): number =>
  a.atMs - b.atMs || (a.tab < b.tab ? -1 : a.tab > b.tab ? 1 : a.seq - b.seq);
