import { takeSnapshot as take, type SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { SessionState } from '../../../client/src/core/state.ts';

// Replaces the client's snapshots in the bundle: it compares them without writing both as JSON after every event, which
// took an eighth of a run. In explored worlds it also remembers the state behind each snapshot.

let states: WeakMap<SessionSnapshot, SessionState> | null = null;

/** Starts to keep the state behind each snapshot, for {@link stateOf}. */
export function keepStates(): void {
  states = new WeakMap();
}

/** The newest state behind a snapshot; `null` if states are not kept. */
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
