import { useSyncExternalStore } from 'react';
import { auth } from './session.ts';
import { forgetSilence, useSilence, type Reach } from './silence.ts';

let isOnline = true;
const listeners = new Set<() => void>();

// For as long as the app runs: the state is known before a screen asks for it.
auth.platform.signals((signal) => {
  if (signal !== 'online' && signal !== 'offline') return;
  isOnline = signal === 'online';
  // A failure without a network says nothing about the server.
  if (isOnline) forgetSilence();
  for (const listener of listeners) listener();
});

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** `false` while the phone knows that there is no network. */
export const useOnline = (): boolean => useSyncExternalStore(subscribe, () => isOnline);

/** How the server can be reached, as far as the app knows. */
export function useReach(): Reach {
  const isConnected = useOnline();
  const isSilent = useSilence();
  return !isConnected ? 'offline' : isSilent ? 'silent' : 'reached';
}
