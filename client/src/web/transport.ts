import type { Transport } from '../core/ports.ts';
import { fetchTransport } from '../platform/fetch-transport.ts';

/**
 * Sends one HTTP request with `fetch`. Sends the site's cookies only if one of them is the refresh token: many servers
 * refuse cross-origin requests with credentials.
 */
export const webTransport = (refreshTokenTransport: 'cookie' | 'body'): Transport =>
  fetchTransport({ credentials: refreshTokenTransport === 'cookie' ? 'include' : 'omit', cache: 'no-store' });
