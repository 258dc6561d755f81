import type { Observation } from 'holdfast';
import type { LogEntry } from './event-log.ts';
import { describeObservation, type Sentence } from './sentence.ts';

/** One line of the log. `callers`: the requests that it is about, empty for all else. */
export type LogLine = Sentence & { readonly id: number; readonly atMs: number; readonly callers: readonly number[] };

type Draft = { readonly entry: LogEntry; readonly callers: readonly number[] };

function callersOf(observation: Observation): readonly number[] {
  return 'caller' in observation ? [observation.caller] : [];
}

/** Steps that the timeline shows and a story goes without. */
const isDetail = ({ type }: Observation): boolean => type === 'refresh.locked' || type === 'request.resent';

/** True if two observations say the same of two requests: one line can say it of both. */
function saySame(one: Observation, other: Observation): boolean {
  if (one.type !== other.type || !('caller' in one)) return false;
  if (one.type === 'refresh.joined') return other.type === 'refresh.joined' && one.attempt === other.attempt;
  if (one.type === 'request.failed') return other.type === 'request.failed' && one.code === other.code;
  return true;
}

/** Takes a request out of the last line: what comes next says more of it. */
function withoutCaller(drafts: readonly Draft[], caller: number): readonly Draft[] {
  const last = drafts.at(-1);
  if (last?.entry.observation.type !== 'request.parked' || !last.callers.includes(caller)) return drafts;
  const callers = last.callers.filter((other) => other !== caller);
  return callers.length === 0 ? drafts.slice(0, -1) : [...drafts.slice(0, -1), { ...last, callers }];
}

/**
 * Tells the entries as lines, oldest first: requests that did the same one after the other share a line, and a request
 * that waits and joins a refresh at once is told as one thing.
 *
 * @param maxLines how many of the newest lines are wanted
 */
export function tellStory(entries: readonly LogEntry[], maxLines: number): readonly LogLine[] {
  let drafts: readonly Draft[] = [];
  for (const entry of entries) {
    const { observation } = entry;
    if (isDetail(observation)) continue;
    if (observation.type === 'refresh.joined') drafts = withoutCaller(drafts, observation.caller);
    const last = drafts.at(-1);
    if (last !== undefined && saySame(last.entry.observation, observation)) {
      drafts = [...drafts.slice(0, -1), { ...last, callers: [...last.callers, ...callersOf(observation)] }];
    } else {
      drafts = [...drafts, { entry, callers: callersOf(observation) }];
    }
  }
  return drafts.slice(-maxLines).map(({ entry, callers }) => ({
    id: entry.id,
    atMs: entry.atMs,
    callers,
    ...describeObservation(entry.observation, callers),
  }));
}
