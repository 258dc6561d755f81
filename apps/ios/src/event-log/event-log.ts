import type { Observation } from 'holdfast';
import { useSyncExternalStore } from 'react';

/** One observation, and when this app heard of it. */
export type LogEntry = { readonly id: number; readonly atMs: number; readonly observation: Observation };

const maxEntries = 200;

let entries: readonly LogEntry[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function replaceEntries(next: readonly LogEntry[]): void {
  entries = next;
  for (const listener of listeners) listener();
}

/** Adds an observation. Called from the first one on, before anything is rendered. */
export function recordObservation(observation: Observation): void {
  replaceEntries([...entries.slice(1 - maxEntries), { id: nextId++, atMs: Date.now(), observation }]);
}

/** Forgets what was recorded; the numbers go on. */
export const clearEventLog = (): void => replaceEntries([]);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** The events, oldest first. */
export const useEventLog = (): readonly LogEntry[] => useSyncExternalStore(subscribe, () => entries);
