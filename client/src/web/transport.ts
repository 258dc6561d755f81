import type { Transport } from '../core/ports.ts';
import { fetchTransport } from '../platform/fetch-transport.ts';

/**
 * One HTTP exchange by `fetch`: with the site's cookies where one of them is the refresh token, without any elsewhere, as
 * many servers allow no credentials across origins.
 */
export const webTransport = (delivery: 'cookie' | 'body'): Transport =>
  fetchTransport({ credentials: delivery === 'cookie' ? 'include' : 'omit', cache: 'no-store' });
