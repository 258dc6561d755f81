import type { Transport } from '../core/ports.ts';

/**
 * Sends one HTTP request with Node's `fetch`. Rejects on a redirect: a token endpoint never redirects, but the sign-in
 * pages of proxies do, and following one would send credentials there.
 */
export const nodeTransport: Transport = async (request, signal) => {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    const { url, method, headers, body } = request;
    const response = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      redirect: 'error',
      signal: controller.signal,
    });
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  } finally {
    signal.removeEventListener('abort', abort);
  }
};
