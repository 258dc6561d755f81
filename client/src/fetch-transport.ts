import type { Transport } from './ports.ts';

/**
 * One HTTP exchange by the global `fetch`. A redirect is no answer: a token endpoint never redirects, but sign-in pages of
 * proxies do, and following one would send credentials there.
 *
 * @param init what every request is sent with
 */
export const fetchTransport =
  (init: Pick<RequestInit, 'credentials' | 'cache'>): Transport =>
  async (request, signal) => {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      const { url, ...rest } = request;
      const response = await fetch(url, { ...init, ...rest, redirect: 'error', signal: controller.signal });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };
