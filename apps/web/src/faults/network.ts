import type { Platform } from 'holdfast';
import { useSyncExternalStore } from 'react';
import { forgetSilence, hearAnswer, useSilence, type Reach } from '../session/silence.ts';

/** The page was told to do without a network. */
let isCutOff = false;

const refused = (): Promise<never> => Promise.reject(new TypeError('the page is offline'));

/** Takes the page off the network and back, as a tunnel would: nothing is sent, and everybody who listens is told. */
export function setCutOff(isNowCutOff: boolean): void {
  isCutOff = isNowCutOff;
  window.dispatchEvent(new Event(isCutOff ? 'offline' : 'online'));
}

/**
 * `fetch`, while there is a network. Past the browser's cache: Chromium lets only one of several equal requests at a time go to it,
 * and twenty at once would come one after the other.
 */
export const fetchUnlessCutOff: typeof fetch = (input, init) =>
  hearAnswer(isCutOff ? refused() : fetch(input, { cache: 'no-store', ...init }));

/** The platform, while there is a network. */
export function unlessCutOff(platform: Platform): Platform {
  return {
    ...platform,
    transport: (request, signal) => hearAnswer(isCutOff ? refused() : platform.transport(request, signal)),
    forApp: (app) => unlessCutOff(platform.forApp?.(app) ?? platform),
  };
}

// For as long as the page lives, and before any component hears of it.
window.addEventListener('online', forgetSilence);

function subscribe(listener: () => void): () => void {
  for (const type of ['online', 'offline']) window.addEventListener(type, listener);
  return () => {
    for (const type of ['online', 'offline']) window.removeEventListener(type, listener);
  };
}

/** `false` while the browser knows that there is no network, or the page was taken off it. */
export const useOnline = (): boolean => useSyncExternalStore(subscribe, () => !isCutOff && navigator.onLine);

/** How the server can be reached, as far as the page knows. */
export function useReach(): Reach {
  const isOnline = useOnline();
  const isSilent = useSilence();
  return !isOnline ? 'offline' : isSilent ? 'silent' : 'reached';
}

/** True if `setCutOff` took the page off the network. */
export const useCutOff = (): boolean => useSyncExternalStore(subscribe, () => isCutOff);
