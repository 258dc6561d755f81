import { useSyncExternalStore } from 'react';

/** How the server can be reached: there is no network, it did not answer the last request, or it did. */
export type Reach = 'offline' | 'silent' | 'reached';

let isSilent = false;
const listeners = new Set<() => void>();

function setSilent(isNowSilent: boolean): void {
  if (isNowSilent === isSilent) return;
  isSilent = isNowSilent;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Answers of proxies that say that the server behind them did not answer, and of servers that cannot now. @see RFC 9110 §15.6 */
const isUnavailable = (status: number): boolean => status >= 502 && status <= 504;

/** Notes whether a request to the server is answered. The result is the request's own. */
export async function hearAnswer<Answer extends { readonly status: number }>(sent: Promise<Answer>): Promise<Answer> {
  try {
    const answer = await sent;
    setSilent(isUnavailable(answer.status));
    return answer;
  } catch (error) {
    // A network that fails gives a `TypeError`; a request that was given up says nothing about the server.
    if (error instanceof TypeError) setSilent(true);
    throw error;
  }
}

/** The network is back: what failed without it says nothing about the server. */
export const forgetSilence = (): void => setSilent(false);

/** `true` while the server did not answer the last request. */
export const useSilence = (): boolean => useSyncExternalStore(subscribe, () => isSilent);
