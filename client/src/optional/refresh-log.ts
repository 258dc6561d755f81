import type { Observation, RefreshCause } from '../core/state.ts';

/** A refresh that has not ended. */
type Story = { readonly cause: RefreshCause; readonly startedAtMs: number; readonly callers: number[] };

type RefreshEnd = Extract<
  Observation,
  { readonly type: 'refresh.succeeded' | 'refresh.adopted' | 'refresh.failed' | 'refresh.rejected' }
>;

/** The number of waiting requests that a line names. */
const NAMED_CALLERS = 3;

const inMs = (ms: number): string => `${Math.round(ms)} ms`;
const inSeconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

function joined(callers: readonly number[]): string {
  if (callers.length === 0) return 'joined by no request';
  const named = callers.slice(0, NAMED_CALLERS).join(', ');
  const more = callers.length > NAMED_CALLERS ? ', ...' : '';
  return `joined by ${callers.length} ${callers.length === 1 ? 'request' : 'requests'} (${named}${more})`;
}

function tellEnd(end: RefreshEnd, tookMs: number): string {
  switch (end.type) {
    case 'refresh.succeeded':
      return `succeeded in ${inMs(end.durationMs)}, refresh token ${end.isRotated ? 'rotated' : 'kept'}`;
    case 'refresh.adopted':
      return `ended after ${inMs(tookMs)} with what another tab or process had stored`;
    case 'refresh.failed':
      return `failed after ${inMs(tookMs)}: ${end.cause}, retry in ${inMs(end.retryInMs)}`;
    case 'refresh.rejected':
      return `was rejected after ${inMs(tookMs)}: ${end.reason}`;
  }
}

/** Writes the line for an event of the session; `null` for all other events. */
function tellSession(event: Observation): string | null {
  switch (event.type) {
    case 'signed-in':
      return 'signed in';
    case 'signed-out':
      return `signed out: ${event.reason}`;
    case 'session.adopted':
      return 'session taken over as another tab or process had stored it';
    case 'session.expiring':
      return `session expires in ${inSeconds(event.inMs)}`;
    case 'reauthentication.required':
      return `reauthentication required by ${event.stage}: ${event.reason}`;
    case 'reauthentication.failed':
      return `reauthentication by ${event.stage} did not help: ${event.why}`;
    case 'vault.unavailable':
      return 'storage is unavailable';
    default:
      return null;
  }
}

/** True for an event that ends a refresh without an end event of its own. */
const endsRefresh = (event: Observation): boolean =>
  event.type === 'signed-out' ||
  event.type === 'signed-in' ||
  (event.type === 'reauthentication.required' && event.reason !== 'step-up');

/**
 * Creates an observer that logs each refresh in one line when it has ended: number, cause, outcome, duration, rotation
 * of the refresh token, the number of waiting requests and the first of them, the time of the next try. Logs each event
 * of the session in one line too. An unwanted second refresh shows as a second line. No line contains a secret or a
 * line break.
 *
 * @param write receives each line without a time: the logger adds it
 * @param nowMs any monotonic clock, in ms, for the durations that the events do not contain. Default: `performance.now`
 *
 * @example
 * auth.observe(createRefreshLog((line) => console.info(line)))
 * // signed in
 * // refresh 3 (proactive) succeeded in 84 ms, refresh token rotated, joined by 12 requests (4, 5, 6, ...)
 * // refresh 4 (expired) failed after 15000 ms: timeout, retry in 731 ms, joined by 1 request (17)
 */
export function createRefreshLog(
  write: (line: string) => void,
  nowMs: () => number = () => performance.now(),
): (event: Observation) => void {
  const stories = new Map<number, Story>();
  let isAdopting = false;
  const end = (attempt: number, tell: (tookMs: number) => string): void => {
    const story = stories.get(attempt);
    stories.delete(attempt);
    const tookMs = story ? nowMs() - story.startedAtMs : 0;
    const cause = story ? ` (${story.cause})` : '';
    write(`refresh ${attempt}${cause} ${tell(tookMs)}, ${joined(story?.callers ?? [])}`);
  };
  const endAll = (why: string): void => {
    for (const attempt of stories.keys()) end(attempt, (tookMs) => `was given up after ${inMs(tookMs)}: ${why}`);
  };
  return (event) => {
    // Skip the `session.adopted` that follows `refresh.adopted`: the refresh has its own line.
    const isTold = isAdopting && event.type === 'session.adopted';
    isAdopting = event.type === 'refresh.adopted';
    switch (event.type) {
      case 'refresh.started':
        endAll('another began');
        stories.set(event.attempt, { cause: event.cause, startedAtMs: nowMs(), callers: [] });
        return;
      case 'refresh.joined':
        stories.get(event.attempt)?.callers.push(event.caller);
        return;
      case 'refresh.succeeded':
      case 'refresh.adopted':
      case 'refresh.failed':
      case 'refresh.rejected':
        return end(event.attempt, (tookMs) => tellEnd(event, tookMs));
      default: {
        const line = tellSession(event);
        if (line === null || isTold) return;
        if (endsRefresh(event)) endAll(line);
        write(line);
      }
    }
  };
}
