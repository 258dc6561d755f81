import { useSyncExternalStore } from 'react';
import type { Platform } from 'holdfast';

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
  isCutOff ? refused() : fetch(input, { cache: 'no-store', ...init });

/** The platform, while there is a network. */
export function unlessCutOff(platform: Platform): Platform {
  return {
    ...platform,
    transport: (request, signal) => (isCutOff ? refused() : platform.transport(request, signal)),
    forApp: (app) => unlessCutOff(platform.forApp?.(app) ?? platform),
  };
}

function subscribe(listener: () => void): () => void {
  for (const type of ['online', 'offline']) window.addEventListener(type, listener);
  return () => {
    for (const type of ['online', 'offline']) window.removeEventListener(type, listener);
  };
}

/** `false` while the browser knows that there is no network, or the page was taken off it. */
export const useOnline = (): boolean => useSyncExternalStore(subscribe, () => !isCutOff && navigator.onLine);

/** Whether the page was taken off the network by `setCutOff`. */
export const useCutOff = (): boolean => useSyncExternalStore(subscribe, () => isCutOff);
