import type { Observation } from 'holdfast';
import { useSyncExternalStore } from 'react';

/** One observation, and when this page heard of it. */
export type LogEntry = { readonly id: number; readonly atMs: number; readonly observation: Observation };

/** More than the lines that are shown: many requests that wait together are one line. */
const maxEntries = 400;

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
export function clearEventLog(): void {
  replaceEntries([]);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** The events, oldest first. */
export function useEventLog(): readonly LogEntry[] {
  return useSyncExternalStore(subscribe, () => entries);
}
