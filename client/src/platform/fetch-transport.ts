import type { Transport } from '../core/ports.ts';

/**
 * Creates a transport that uses the global `fetch`. Rejects on a redirect: a token endpoint never redirects, but the
 * sign-in pages of proxies do, and following one would send credentials there.
 *
 * @param init options of every request
 */
export const fetchTransport =
  (init: Partial<Pick<RequestInit, 'credentials' | 'cache'>>): Transport =>
  async ({ url, ...rest }, signal) => {
    // The client's signals come from the global `AbortController`, so the global `fetch` accepts them.
    const options = { ...init, ...rest, redirect: 'error', signal: signal as AbortSignal } as const;
    const response = await fetch(url, options);
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  };
