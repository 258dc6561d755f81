import { useSyncExternalStore } from 'react';
import { auth } from './session.ts';

let isOnline = true;
const listeners = new Set<() => void>();

// For as long as the app runs: the state is known before a screen asks for it.
auth.platform.signals((signal) => {
  if (signal !== 'online' && signal !== 'offline') return;
  isOnline = signal === 'online';
  for (const listener of listeners) listener();
});

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** `false` while the phone knows that there is no network. */
export const useOnline = (): boolean => useSyncExternalStore(subscribe, () => isOnline);
