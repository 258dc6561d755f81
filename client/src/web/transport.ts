import type { Transport } from '../ports.ts';

/**
 * One HTTP exchange by `fetch`: with the site's cookies where one of them is the refresh token, without any elsewhere, as
 * many servers allow no credentials across origins. A redirect is no answer: a token endpoint never redirects, but
 * sign-in pages of proxies do, and following one would send credentials there.
 */
export const webTransport =
  (delivery: 'cookie' | 'body'): Transport =>
  async (request, signal) => {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      const { method, headers, body } = request;
      const response = await fetch(request.url, {
        method,
        headers,
        body: body ?? null,
        credentials: delivery === 'cookie' ? 'include' : 'omit',
        redirect: 'error',
        cache: 'no-store',
        signal: controller.signal,
      });
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };
