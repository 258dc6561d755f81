import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Client, Clients } from '../registrations/clients.ts';
import { OAuthError } from './answers.ts';

/** Forms and images cannot send this header: a page of another origin needs a preflight for it. */
const CSRF_HEADER = 'holdfast-request';
const HARMLESS_SITES: ReadonlySet<string> = new Set(['same-origin', 'same-site', 'none']);

/**
 * Refuses a request that a browser marks as sent by a page outside the given origins. Clients other than browsers send
 * neither `Origin` nor `Sec-Fetch-Site`, and pass.
 *
 * @throws OAuthError 403 `access_denied`, reason `csrf`
 * @see OWASP ASVS 5.0 3.5.1; https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function refuseForeignPage({ headers }: HttpRequest, isRegistered: (origin: string) => boolean): void {
  const origin = headers['origin'];
  const isForeign = origin === undefined ? headers['sec-fetch-site'] === 'cross-site' : !isRegistered(origin);
  if (isForeign) throw forgery();
}

/** True if any client registered the origin. Used until the request's own client is known. */
export function isOriginOfAny(clients: Clients): (origin: string) => boolean {
  return (origin) => [...clients.values()].some(({ origins }) => origins.has(origin));
}

/**
 * Refuses a form that a page of another site sent or could have sent.
 *
 * @param usesCookies true if the endpoint uses or sets cookies, for clients that use cookies
 * @throws OAuthError 403 `access_denied`, reason `csrf`
 */
export function refuseForgery(request: HttpRequest, client: Client, usesCookies = true): void {
  refuseForeignPage(request, (origin) => client.origins.has(origin));
  if (client.refreshTokenTransport !== 'cookie') return;
  const site = request.headers['sec-fetch-site'];
  const isSameSite = site === undefined || HARMLESS_SITES.has(site);
  if (!isSameSite || (usesCookies && request.headers[CSRF_HEADER] !== '1')) throw forgery();
}

function forgery(): OAuthError {
  return new OAuthError(403, 'access_denied', 'The request does not come from a page of this client', {
    reason: 'csrf',
  });
}

/** The response depends on both headers. */
const VARY: HttpResponse['headers'] = { vary: 'Origin, Sec-Fetch-Site' };

/** Allows pages of the client's origins to read the response. Before the client is known, any registered origin may. */
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
    // `Date` lets a client measure its clock's offset.
    'access-control-expose-headers': 'Date, DPoP-Nonce, Retry-After, WWW-Authenticate',
  };
}

/** Answers the preflight that browsers send before a request that a plain form could not make. */
export function preflightHeaders(methods: string, maxAgeSeconds: number): HttpResponse['headers'] {
  return {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': `Content-Type, Authorization, DPoP, ${CSRF_HEADER}`,
    'access-control-max-age': String(maxAgeSeconds),
  };
}
