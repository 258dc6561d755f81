import type { Client, Clients } from '../clients.ts';
import { OAuthError } from './answers.ts';
import type { HttpRequest, HttpResponse } from './message.ts';

/** A header that no form and no image can send: a page of another origin needs a preflight for it. */
const CSRF_HEADER = 'holdfast-request';
const HARMLESS_SITES: ReadonlySet<string> = new Set(['same-origin', 'same-site', 'none']);

/**
 * Refuses a request that uses or may set a cookie unless a page of an allowed origin sent it.
 *
 * @throws OAuthError 403 `access_denied`, reason `csrf`
 */
export function refuseForgery({ headers }: HttpRequest, client: Client): void {
  const site = headers['sec-fetch-site'];
  const origin = headers['origin'];
  const isHonest =
    headers[CSRF_HEADER] === '1' &&
    (site === undefined || HARMLESS_SITES.has(site)) &&
    (origin === undefined || client.origins.has(origin));
  if (isHonest) return;
  throw new OAuthError(403, 'access_denied', 'The request does not come from a page of this client', {
    reason: 'csrf',
  });
}

const VARY: HttpResponse['headers'] = { vary: 'Origin' };

/** Which pages may read an answer: those of the client's origins, or of any client's while none is known. */
export function corsHeaders(
  { headers }: HttpRequest,
  client: Client | null,
  clients: Clients,
): HttpResponse['headers'] {
  const origin = headers['origin'];
  if (origin === undefined) return VARY;
  const candidates = client === null ? [...clients.values()] : [client];
  if (!candidates.some(({ origins }) => origins.has(origin))) return VARY;
  return {
    ...VARY,
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    // Date lets a client learn how far its clock is off.
    'access-control-expose-headers': 'Date, DPoP-Nonce, Retry-After, WWW-Authenticate',
  };
}

/** What a browser asks before it sends a request that a plain form could not. */
export function preflightHeaders(methods: string, maxAgeSeconds: number): HttpResponse['headers'] {
  return {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': `Content-Type, Authorization, DPoP, ${CSRF_HEADER}`,
    'access-control-max-age': String(maxAgeSeconds),
  };
}
