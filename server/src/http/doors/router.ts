import { formatChallenges } from '../../kernel/challenge.ts';
import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import type { Client } from '../../registrations/clients.ts';
import { errorResponse, json, OAuthError, toOAuthError } from '../answers.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import type { DocumentEndpoint, Endpoint, FormEndpoint, ResourceServerEndpoint } from '../endpoint.ts';
import { AUTHORIZE_CHALLENGE_ENDPOINT } from '../endpoints/authorize-challenge-endpoint.ts';
import { JWKS_ENDPOINT, METADATA_ENDPOINT, RESOURCE_METADATA_ENDPOINT } from '../endpoints/documents.ts';
import { INTROSPECTION_ENDPOINT } from '../endpoints/introspection-endpoint.ts';
import { HEALTH_ENDPOINT, METRICS_ENDPOINT, READINESS_ENDPOINT } from '../endpoints/operation-endpoints.ts';
import { PASSKEY_ENDPOINT, PASSKEY_OPTIONS_ENDPOINT, PASSKEYS_ENDPOINT } from '../endpoints/passkeys-endpoint.ts';
import { PASSWORD_ENDPOINT } from '../endpoints/password-endpoint.ts';
import { REVOCATION_ENDPOINT } from '../endpoints/revocation-endpoint.ts';
import { REVOCATIONS_ENDPOINT } from '../endpoints/revocations-endpoint.ts';
import { SESSION_ENDPOINT, SESSIONS_ENDPOINT } from '../endpoints/sessions-endpoint.ts';
import { TOKEN_ENDPOINT } from '../endpoints/token-endpoint.ts';
import { readForm, requireParameter } from '../form.ts';
import { corsHeaders, isOriginOfAny, preflightHeaders, refuseForeignPage, refuseForgery } from '../origin.ts';
import { nonceHeaders } from '../proof.ts';
import type { AddressLimit } from '../rate-limit.ts';
import { authenticateResourceServer, BASIC } from '../resource-server.ts';
import { admit, type ResourceEndpoint } from '../resource.ts';
import { OPENAPI_ENDPOINT } from './openapi.ts';

/** Every endpoint. `openapi.ts` describes each one. */
export const ENDPOINTS: readonly Endpoint[] = [
  TOKEN_ENDPOINT,
  AUTHORIZE_CHALLENGE_ENDPOINT,
  REVOCATION_ENDPOINT,
  INTROSPECTION_ENDPOINT,
  REVOCATIONS_ENDPOINT,
  SESSIONS_ENDPOINT,
  SESSION_ENDPOINT,
  PASSKEYS_ENDPOINT,
  PASSKEY_OPTIONS_ENDPOINT,
  PASSKEY_ENDPOINT,
  PASSWORD_ENDPOINT,
  JWKS_ENDPOINT,
  METADATA_ENDPOINT,
  RESOURCE_METADATA_ENDPOINT,
  OPENAPI_ENDPOINT,
  HEALTH_ENDPOINT,
  READINESS_ENDPOINT,
  METRICS_ENDPOINT,
];

const BY_PATH: ReadonlyMap<string, Endpoint> = new Map(ENDPOINTS.map((endpoint) => [endpoint.path, endpoint]));

/** True if a path is one of ours. Other paths must be left untouched for the host. */
export function isOurPath(path: string): boolean {
  return routeOf(path) !== null;
}

/**
 * Returns the registered path of the endpoint. Metrics and traces use it, because their labels must not grow with
 * input.
 */
export function routeOf(path: string): string | null {
  return endpointOf(path)?.path ?? null;
}

/** In characters. Longer than any path of ours: the longest id is a passkey's, with 1364. */
const LONGEST_PATH = 2_048;

/**
 * Finds the endpoint with exactly this path, else the one that takes the last segment as an id.
 *
 * Runs before every limit, also for paths of the host. It therefore scans the path once, and skips one that is too
 * long.
 */
function endpointOf(path: string): Endpoint | undefined {
  if (path.length > LONGEST_PATH) return undefined;
  const idAt = path.lastIndexOf('/') + 1;
  return BY_PATH.get(path) ?? (idAt < path.length ? BY_PATH.get(`${path.slice(0, idAt)}{id}`) : undefined);
}

/** The result of a request, with the failure that an operator should see. */
export type Answered = {
  readonly response: HttpResponse;
  /** The failure behind an error response; null if the request succeeded. */
  readonly failure: OAuthError | null;
};

/** Answers a request to one of our paths; null for any other. Never throws. */
export function answerRequest(request: HttpRequest, parts: EndpointParts): Promise<Answered | null> {
  const endpoint = endpointOf(request.path);
  switch (endpoint?.kind) {
    case 'document':
      return answerDocument(endpoint, request, parts);
    case 'form':
      return answerForm(endpoint, request, parts);
    case 'resource':
      return answerResource(endpoint, request, parts);
    case 'resource_server':
      return answerResourceServer(endpoint, request, parts);
    case undefined:
      return Promise.resolve(null);
  }
}

async function answerDocument(
  endpoint: DocumentEndpoint,
  request: HttpRequest,
  parts: EndpointParts,
): Promise<Answered> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return failed(methodNotAllowed('GET, HEAD'));
  try {
    const response = await endpoint.answer(parts, request);
    return { response: request.method === 'HEAD' ? { ...response, body: '' } : response, failure: null };
  } catch (thrown) {
    return failed(toOAuthError(thrown, parts.policy.retryAfterSeconds));
  }
}

async function answerForm(endpoint: FormEndpoint, request: HttpRequest, parts: EndpointParts): Promise<Answered> {
  const { clients, policy } = parts;
  let client: Client | null = null;
  let answered: Answered;
  try {
    const waitMs = parts.addressLimit.take(request.remoteAddress);
    if (waitMs > 0) throw tooManyRequests(waitMs);
    if (request.method === 'OPTIONS') return preflight('POST', request, parts);
    if (request.method !== 'POST') throw methodNotAllowed('POST');
    if (!endpoint.isRepeatable && request.headers['early-data'] === '1') throw tooEarly();
    const parameters = readForm(request, policy.bodyLimitBytes);
    client = identifyClient(request, requireParameter(parameters, 'client_id'), parts);
    refuseForgery(request, client, endpoint.hasCookies);
    answered = { response: await endpoint.answer({ request, parameters, client }, parts), failure: null };
  } catch (thrown) {
    answered = failed(toOAuthError(thrown, policy.retryAfterSeconds));
  }
  return withHeaders(answered, nonceHeaders(request, answered.failure, parts), corsHeaders(request, client, clients));
}

async function answerResource(
  endpoint: ResourceEndpoint,
  request: HttpRequest,
  parts: EndpointParts,
): Promise<Answered> {
  const { addressLimit, clients, policy } = parts;
  const methods = Object.keys(endpoint.methods).join(', ');
  let client: Client | null = null;
  let answered: Answered;
  try {
    const waitMs = addressLimit.take(request.remoteAddress);
    if (waitMs > 0) throw tooManyRequests(waitMs);
    if (request.method === 'OPTIONS') return preflight(methods, request, parts);
    const answer = new Map(Object.entries(endpoint.methods)).get(request.method);
    if (answer === undefined) throw methodNotAllowed(methods);
    if (request.method !== 'GET' && request.headers['early-data'] === '1') throw tooEarly();
    const id = endpoint.path.endsWith('{id}') ? request.path.slice(endpoint.path.length - '{id}'.length) : '';
    refuseForeignPage(request, isOriginOfAny(clients));
    const access = await admit(request, id, parts);
    ({ client } = access);
    const { origins } = access.client;
    refuseForeignPage(request, (origin) => origins.has(origin));
    answered = { response: await answer(access, parts), failure: null };
  } catch (thrown) {
    answered = failed(toOAuthError(thrown, policy.retryAfterSeconds));
  }
  return withHeaders(answered, nonceHeaders(request, answered.failure, parts), corsHeaders(request, client, clients));
}

/** Answers servers, which call from few addresses: no limit per address, no CORS. */
async function answerResourceServer(
  endpoint: ResourceServerEndpoint,
  request: HttpRequest,
  parts: EndpointParts,
): Promise<Answered> {
  const { policy, resourceServers } = parts;
  let answered: Answered;
  try {
    if (request.method !== 'POST') throw methodNotAllowed('POST');
    refuseForeignPage(request, isOriginOfAny(parts.clients));
    const parameters = readForm(request, policy.bodyLimitBytes);
    const id = authenticateResourceServer(request, parameters, resourceServers);
    answered = { response: await endpoint.answer({ request, parameters, id }, parts), failure: null };
  } catch (thrown) {
    answered = failed(toOAuthError(thrown, policy.retryAfterSeconds));
  }
  return withHeaders(answered, nonceHeaders(request, answered.failure, parts));
}

function preflight(methods: string, request: HttpRequest, { clients, policy }: EndpointParts): Answered {
  const headers = {
    allow: `${methods}, OPTIONS`,
    ...preflightHeaders(methods, policy.preflightMaxAgeSeconds),
    ...corsHeaders(request, null, clients),
  };
  return { response: { status: 204, headers, body: '' }, failure: null };
}

/**
 * Finds the client. Our clients are public; reject client authentication.
 *
 * @throws OAuthError `invalid_client`; 401 if the request has an `Authorization` header (RFC 6749 §5.2)
 */
function identifyClient({ headers }: HttpRequest, clientId: string, { clients }: EndpointParts): Client {
  const client = clients.get(clientId);
  const isAuthenticating = headers['authorization'] !== undefined;
  if (client !== undefined && !isAuthenticating) return client;
  const challenge = isAuthenticating ? { 'www-authenticate': formatChallenges(BASIC) } : {};
  throw new OAuthError(
    isAuthenticating ? 401 : 400,
    'invalid_client',
    'The client is unknown, or tried to authenticate',
    {
      headers: challenge,
    },
  );
}

function methodNotAllowed(allow: string): OAuthError {
  return new OAuthError(405, 'invalid_request', 'The method is not allowed here', { headers: { allow } });
}

/** @see RFC 6585 §4 */
function tooManyRequests(waitMs: number): OAuthError {
  return new OAuthError(429, 'temporarily_unavailable', 'Too many requests come from this address', {
    reason: 'rate_limited',
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
  });
}

/** RFC 8470 §5.2: the client repeats the request after the handshake is complete. */
function tooEarly(): OAuthError {
  return new OAuthError(425, 'temporarily_unavailable', 'The request must not be sent as early data', {
    reason: 'early_data',
  });
}

function withHeaders({ response, failure }: Answered, ...more: readonly HttpResponse['headers'][]): Answered {
  const { status, headers, body } = response;
  return { response: { status, headers: Object.assign({}, headers, ...more), body }, failure };
}

function failed(failure: OAuthError): Answered {
  return { response: errorResponse(failure), failure };
}

/**
 * Answers a path that is not ours. Counts the request towards the address's limit, as form and account endpoints do.
 */
export function answerUnknownPath(remoteAddress: string, addressLimit: AddressLimit): HttpResponse {
  const waitMs = addressLimit.take(remoteAddress);
  return waitMs > 0 ? errorResponse(tooManyRequests(waitMs)) : notFound();
}

export function notFound(): HttpResponse {
  return json(404, { error: 'not_found', error_description: 'There is nothing at this path' });
}
