import type { Observation } from 'holdfast';
import type { LogEntry } from './event-log.ts';
import { describeObservation, type Sentence } from './sentence.ts';

/** One line of the log. */
export type LogLine = Sentence & { readonly id: number; readonly atMs: number };

/** What a line is about, where several requests can share it; `null` for all else. */
function topicOf(observation: Observation): string | null {
  if (!('caller' in observation)) return null;
  const { caller: _caller, ...rest } = observation;
  return JSON.stringify(rest);
}

/** Tells the entries as lines, oldest first: requests that did the same one after the other share a line. */
export function tellStory(entries: readonly LogEntry[]): readonly LogLine[] {
  const lines: { readonly first: LogEntry; count: number }[] = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    const topic = topicOf(entry.observation);
    if (last !== undefined && topic !== null && topicOf(last.first.observation) === topic) last.count++;
    else lines.push({ first: entry, count: 1 });
  }
  return lines.map(({ first: { id, atMs, observation }, count }) => ({
    id,
    atMs,
    ...describeObservation(observation, count),
  }));
}
