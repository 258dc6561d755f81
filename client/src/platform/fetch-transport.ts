import type { Transport } from '../core/ports.ts';

/**
 * One HTTP exchange by the global `fetch`. A redirect is no answer: a token endpoint never redirects, but sign-in pages of
 * proxies do, and following one would send credentials there.
 *
 * @param init what every request is sent with
 */
export const fetchTransport =
  (init: Pick<RequestInit, 'credentials' | 'cache'>): Transport =>
  async ({ url, ...rest }, signal) => {
    // The client's signals come from the global AbortController, which belongs to the global `fetch`.
    const options = { ...init, ...rest, redirect: 'error', signal: signal as AbortSignal } as const;
    const response = await fetch(url, options);
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  };
