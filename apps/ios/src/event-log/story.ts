import type { Observation } from 'holdfast';
import type { LogEntry } from './event-log.ts';
import { describeObservation, type Sentence } from './sentence.ts';

/** One line of the log. */
export type LogLine = Sentence & { readonly id: number; readonly atMs: number };

type Line = { readonly first: LogEntry; readonly topic: string | null; count: number };

/** The subject of a line that several requests can share; `null` for all other lines. */
function topicOf(observation: Observation): string | null {
  if (observation.type === 'request.resent') return JSON.stringify(observation);
  if (!('caller' in observation)) return null;
  const { type, caller: _caller, ...rest } = observation;
  // How many wait by now is another number each time.
  return JSON.stringify(type === 'request.parked' ? { type } : { type, ...rest });
}

/** A request that waits and joins a refresh at once is told as one thing. */
function withoutWait(lines: Line[]): void {
  const last = lines.at(-1);
  if (last?.first.observation.type !== 'request.parked') return;
  if (last.count === 1) lines.pop();
  else last.count--;
}

/** Tells the entries as lines, oldest first: requests that did the same one after the other share a line. */
export function tellStory(entries: readonly LogEntry[]): readonly LogLine[] {
  const lines: Line[] = [];
  for (const entry of entries) {
    if (entry.observation.type === 'refresh.joined') withoutWait(lines);
    const topic = topicOf(entry.observation);
    const last = lines.at(-1);
    if (last !== undefined && topic !== null && last.topic === topic) last.count++;
    else lines.push({ first: entry, topic, count: 1 });
  }
  return lines.map(({ first: { id, atMs, observation }, count }) => ({
    id,
    atMs,
    ...describeObservation(observation, count),
  }));
}
