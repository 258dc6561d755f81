import type { Observation } from '../index.ts';

/** One observation of one tab, with its time. */
export type TimelineEntry = {
  /** A random name for the page load that observed it. */
  readonly tab: string;
  /** The number of the observation within that page load, from 1. */
  readonly seq: number;
  /** The time by the wall clock of the device, in ms since 1970. Tabs share no other clock. */
  readonly atMs: number;
  readonly observation: Observation;
};

/** The form of words in observations: `refresh.started`, `reuse-detected`. Long or mixed-case strings are none. */
const WORD = /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*$/u;
const WORD_LENGTH_MAX = 40;

const isWord = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= WORD_LENGTH_MAX && WORD.test(value);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Copies an observation that contains only words, numbers and booleans; `null` for any other. */
function readObservation(value: unknown): Observation | null {
  if (!isRecord(value) || !isWord(value['type'])) return null;
  const isPlain = Object.values(value).every(
    (member) => isWord(member) || Number.isFinite(member) || typeof member === 'boolean',
  );
  return isPlain ? ({ ...value } as Observation) : null;
}

/** Reads an entry from another tab or a file; `null` if it is none, or contains text that is no word. */
export function readEntry(value: unknown): TimelineEntry | null {
  if (!isRecord(value)) return null;
  const { tab, seq, atMs } = value;
  const observation = readObservation(value['observation']);
  if (!isWord(tab) || !Number.isInteger(seq) || !Number.isFinite(atMs) || observation === null) return null;
  return { tab, seq: seq as number, atMs: atMs as number, observation };
}

/** Orders entries by time, then by tab and number. */
export const compareEntries = (a: TimelineEntry, b: TimelineEntry): number =>
  a.atMs - b.atMs || (a.tab < b.tab ? -1 : a.tab > b.tab ? 1 : a.seq - b.seq);
