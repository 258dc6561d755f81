import { formatChallenges } from '../kernel/challenge.ts';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Client } from '../registrations/clients.ts';
import { errorResponse, OAuthError, tooManyRequests, toOAuthError } from './answers.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import type { Calls, Endpoint, EndpointKind, Methods, Operation, Route } from './endpoint.ts';
import { readForm, requireParameter } from './form.ts';
import { corsHeaders, isOriginOfAny, preflightHeaders, refuseForeignPage, refuseForgery } from './origin.ts';
import { nonceHeaders } from './proof.ts';
import { authenticateResourceServer, BASIC } from './resource-server.ts';
import { admit } from './resource.ts';

/** The result of a request, with the failure that an operator should see. */
export type Answered = {
  readonly response: HttpResponse;
  /** The failure behind an error response; null if the request succeeded. */
  readonly failure: OAuthError | null;
};

/** The steps of a kind of endpoint, in the order in which {@link runPipeline} takes them. */
export type Steps<Call> = {
  /** Counts the request towards the limit of its address. */
  readonly isRateLimited: boolean;
  /** Answers preflights, and lets pages of registered origins read the response. */
  readonly hasCors: boolean;
  /** Answers HEAD like GET, without the body. */
  readonly hasHead: boolean;
  /** Refuses TLS early data for operations that are not repeatable. */
  readonly refusesEarlyData: boolean;
  /** Refuses pages outside the origins of all clients, before the caller is known. */
  readonly refusesForeignPages: boolean;
  readonly caller: 'none' | 'client' | 'access_token' | 'resource_server';
  /** Authenticates the caller and reads the request. Forms name or contain the caller, so both are one step. */
  readonly admit: (request: HttpRequest, route: Route, parts: EndpointParts) => Call | Promise<Call>;
  /** Refuses pages outside the origins of the caller's client. */
  readonly refuseOtherPages?: (request: HttpRequest, client: Client, route: Route) => void;
  /** Sends a nonce for the next DPoP proof. */
  readonly hasNonces: boolean;
};

/** The steps of every kind of endpoint. The OpenAPI document derives `security` and the error statuses from them. */
export const STEPS: { readonly [Kind in EndpointKind]: Steps<Calls[Kind]> } = {
  document: {
    isRateLimited: false,
    hasCors: false,
    hasHead: true,
    refusesEarlyData: false,
    refusesForeignPages: false,
    caller: 'none',
    admit: (request) => ({ request, client: null }),
    hasNonces: false,
  },
  form: {
    isRateLimited: true,
    hasCors: true,
    hasHead: false,
    refusesEarlyData: true,
    // The form names the client, and the client its origins.
    refusesForeignPages: false,
    caller: 'client',
    admit: (request, _route, parts) => {
      const parameters = readForm(request, parts.policy.bodyLimitBytes);
      const client = identifyClient(request, requireParameter(parameters, 'client_id'), parts);
      return { request, parameters, client };
    },
    refuseOtherPages: (request, client, { hasCookies }) => refuseForgery(request, client, hasCookies === true),
    hasNonces: true,
  },
  resource: {
    isRateLimited: true,
    hasCors: true,
    hasHead: false,
    refusesEarlyData: true,
    refusesForeignPages: true,
    caller: 'access_token',
    admit: (request, { path }, parts) => admit(request, idIn(request.path, path), parts),
    refuseOtherPages: (request, { origins }) => refuseForeignPage(request, (origin) => origins.has(origin)),
    hasNonces: true,
  },
  // Resource servers call from few addresses and from no page.
  resource_server: {
    isRateLimited: false,
    hasCors: false,
    hasHead: false,
    refusesEarlyData: false,
    refusesForeignPages: true,
    caller: 'resource_server',
    admit: (request, _route, { policy, resourceServers }) => {
      const parameters = readForm(request, policy.bodyLimitBytes);
      const id = authenticateResourceServer(request, parameters, resourceServers);
      return { request, parameters, id, client: null };
    },
    hasNonces: true,
  },
};

/** Answers a request to an endpoint: every kind takes its steps in this order. Never throws. */
export async function runPipeline<Kind extends EndpointKind>(
  endpoint: Endpoint<Kind>,
  request: HttpRequest,
  parts: EndpointParts,
): Promise<Answered> {
  const { clients, policy } = parts;
  const steps: Steps<Calls[Kind]> = STEPS[endpoint.kind];
  const methods = methodsOf<Calls[Kind]>(endpoint.methods, steps);
  let client: Client | null = null;
  let answered: Answered;
  try {
    if (steps.isRateLimited) limitRate(request, parts);
    if (steps.hasCors && request.method === 'OPTIONS') return preflight(methods, request, parts);
    const isHead = steps.hasHead && request.method === 'HEAD';
    const method = isHead ? 'GET' : request.method;
    const operation = findOperation<Calls[Kind]>(endpoint.methods, method);
    if (operation === undefined) throw methodNotAllowed(methods);
    if (steps.refusesEarlyData && !isRepeatable(method, operation)) refuseEarlyData(request);
    if (steps.refusesForeignPages) refuseForeignPage(request, isOriginOfAny(clients));
    const call = await steps.admit(request, endpoint, parts);
    ({ client } = call);
    if (client !== null) steps.refuseOtherPages?.(request, client, endpoint);
    const response = await operation.answer(call, parts);
    answered = { response: isHead ? { ...response, body: '' } : response, failure: null };
  } catch (thrown) {
    answered = failed(toOAuthError(thrown, policy.retryAfterSeconds));
  }
  const nonce = steps.hasNonces ? nonceHeaders(request, answered.failure, parts) : {};
  return withHeaders(answered, nonce, steps.hasCors ? corsHeaders(request, client, clients) : {});
}

/** True if TLS early data may carry a request of this method. */
export function isRepeatable(method: string, operation: Pick<Operation<never>, 'isRepeatable'>): boolean {
  return method === 'GET' || operation.isRepeatable === true;
}

function findOperation<Call>(methods: Methods<Call>, method: string): Operation<Call> | undefined {
  return new Map<string, Operation<Call>>(Object.entries(methods)).get(method);
}

function methodsOf<Call>(methods: Methods<Call>, { hasHead }: Steps<Call>): readonly string[] {
  return [...Object.keys(methods), ...(hasHead ? ['HEAD'] : [])];
}

/** Returns the part of a path that the registered path calls `{id}`; empty if it has none. */
function idIn(path: string, registered: string): string {
  return registered.endsWith('{id}') ? path.slice(registered.length - '{id}'.length) : '';
}

function limitRate({ remoteAddress }: HttpRequest, { addressLimit }: EndpointParts): void {
  const waitMs = addressLimit.take(remoteAddress);
  if (waitMs > 0) throw tooManyRequests(waitMs);
}

function preflight(methods: readonly string[], request: HttpRequest, { clients, policy }: EndpointParts): Answered {
  const headers = {
    allow: [...methods, 'OPTIONS'].join(', '),
    ...preflightHeaders(methods.join(', '), policy.preflightMaxAgeSeconds),
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
    { headers: challenge },
  );
}

function methodNotAllowed(methods: readonly string[]): OAuthError {
  const headers = { allow: methods.join(', ') };
  return new OAuthError(405, 'invalid_request', 'The method is not allowed here', { headers });
}

/** RFC 8470 §5.2: the client repeats the request after the handshake is complete. */
function refuseEarlyData({ headers }: HttpRequest): void {
  if (headers['early-data'] !== '1') return;
  throw new OAuthError(425, 'temporarily_unavailable', 'The request must not be sent as early data', {
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
