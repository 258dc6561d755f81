import { takeSnapshot as take, type SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { SessionState } from '../../../client/src/core/state.ts';

// Stands in for the client's snapshots in the bundle: the same verdict without writing both down as JSON after every event,
// which took an eighth of a run. It also remembers of which state a snapshot was taken, where a world is explored.

let states: WeakMap<SessionSnapshot, SessionState> | null = null;

/** From now on {@link stateOf} knows the state behind a snapshot. */
export function keepStates(): void {
  states = new WeakMap();
}

/** The state that a snapshot was taken of last; `null` if states are not kept. */
export const stateOf = (snapshot: SessionSnapshot): SessionState | null => states?.get(snapshot) ?? null;

export function takeSnapshot(state: SessionState): SessionSnapshot {
  const snapshot = take(state);
  states?.set(snapshot, state);
  return snapshot;
}

export function keepIfEqual(before: SessionSnapshot, now: SessionSnapshot): SessionSnapshot {
  if (!isEqual(before, now)) return now;
  const state = states?.get(now);
  if (state) states?.set(before, state);
  return before;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const fields = Object.keys(a) as (keyof typeof a)[];
  return fields.length === Object.keys(b).length && fields.every((field) => isEqual(a[field], b[field]));
}
