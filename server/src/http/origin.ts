import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Client, Clients } from '../registrations/clients.ts';
import { OAuthError } from './answers.ts';

/** A header that no form and no image can send: a page of another origin needs a preflight for it. */
const CSRF_HEADER = 'holdfast-request';
const HARMLESS_SITES: ReadonlySet<string> = new Set(['same-origin', 'same-site', 'none']);

/**
 * Refuses what a browser marks as sent by another page than those of the given origins. What is no browser sends neither `Origin`
 * nor `Sec-Fetch-Site` and passes.
 *
 * @throws OAuthError 403 `access_denied`, reason `csrf`
 * @see OWASP ASVS 5.0 3.5.1; https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function refuseForeignPage({ headers }: HttpRequest, isRegistered: (origin: string) => boolean): void {
  const origin = headers['origin'];
  const isForeign = origin === undefined ? headers['sec-fetch-site'] === 'cross-site' : !isRegistered(origin);
  if (isForeign) throw forgery();
}

/** True if pages of an origin may call as any client: no more is known before the client is. */
export function isOriginOfAny(clients: Clients): (origin: string) => boolean {
  return (origin) => [...clients.values()].some(({ origins }) => origins.has(origin));
}

/**
 * Refuses a form that a page of another site sent, or could have sent.
 *
 * @param usesCookies whether the endpoint uses or sets cookies, for clients that have them
 * @throws OAuthError 403 `access_denied`, reason `csrf`
 */
export function refuseForgery(request: HttpRequest, client: Client, usesCookies = true): void {
  refuseForeignPage(request, (origin) => client.origins.has(origin));
  if (client.delivery !== 'cookie') return;
  const site = request.headers['sec-fetch-site'];
  const isSameSite = site === undefined || HARMLESS_SITES.has(site);
  if (!isSameSite || (usesCookies && request.headers[CSRF_HEADER] !== '1')) throw forgery();
}

function forgery(): OAuthError {
  return new OAuthError(403, 'access_denied', 'The request does not come from a page of this client', {
    reason: 'csrf',
  });
}

/** Both headers decide about an answer. */
const VARY: HttpResponse['headers'] = { vary: 'Origin, Sec-Fetch-Site' };

/** Which pages may read an answer: those of the client's origins, or of any client's while none is known. */
export function corsHeaders(
  { headers }: HttpRequest,
  client: Client | null,
  clients: Clients,
): HttpResponse['headers'] {
  const origin = headers['origin'];
  if (origin === undefined) return VARY;
  const isRegistered = client === null ? isOriginOfAny(clients)(origin) : client.origins.has(origin);
  if (!isRegistered) return VARY;
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
