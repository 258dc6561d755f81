import { formatChallenges, type Challenge } from '../kernel/challenge.ts';
import type { HttpRequest } from '../kernel/http-message.ts';
import type { ResourceServers } from '../registrations/resource-servers.ts';
import { OAuthError } from './answers.ts';
import type { Parameters } from './form.ts';

/** Authentication methods of resource servers, as published in the metadata (RFC 8414 §2). */
export const RESOURCE_SERVER_AUTHENTICATION = ['client_secret_basic', 'client_secret_post', 'Bearer'] as const;

/** The challenge of HTTP Basic. @see RFC 7617 §2 */
export const BASIC: Challenge = { scheme: 'Basic', realm: 'holdfast' };

const AUTHORIZATION = /^(Basic|Bearer) +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * Authenticates a resource server by its secret: with HTTP Basic, in the form, or as a bearer token.
 *
 * @param parameters of the form; an empty map if there is none
 * @returns the resource server's id
 * @throws OAuthError 401 `invalid_client`
 * @see RFC 7662 §2.1, RFC 6749 §2.3.1
 */
export function authenticateResourceServer(
  { headers }: HttpRequest,
  parameters: Parameters,
  resourceServers: ResourceServers,
): string {
  const credentials = readCredentials(headers['authorization'], parameters);
  const id = credentials === null ? null : resourceServers.find(credentials.secret, credentials.id);
  if (id !== null) return id;
  throw new OAuthError(401, 'invalid_client', 'The resource server did not authenticate', {
    headers: { 'www-authenticate': formatChallenges(BASIC, { scheme: 'Bearer' }) },
  });
}

type Credentials = {
  readonly id: string | null;
  readonly secret: string;
};

function readCredentials(authorization: string | undefined, parameters: Parameters): Credentials | null {
  const secret = parameters.get('client_secret');
  if (authorization === undefined) {
    const id = parameters.get('client_id');
    return id === undefined || secret === undefined ? null : { id, secret };
  }
  const [, scheme, encoded] = AUTHORIZATION.exec(authorization) ?? [];
  // Refuse two authentication methods in one request (RFC 6749 §2.3).
  if (scheme === undefined || encoded === undefined || secret !== undefined) return null;
  return scheme.toLowerCase() === 'bearer' ? { id: null, secret: encoded } : readBasic(encoded);
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined. */
function readBasic(encoded: string): Credentials | null {
  const joined = Buffer.from(encoded, 'base64').toString('utf8');
  const at = joined.indexOf(':');
  if (at < 0) return null;
  const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
  try {
    return { id: decode(joined.slice(0, at)), secret: decode(joined.slice(at + 1)) };
  } catch {
    return null;
  }
}
