import type { AccessTokenClaims } from '../tokens/access-token.ts';
import type { ResourceGuard, ResourceRequest, ResourceRequirement, ResourceVerdict } from './guard.ts';

/** The claims of each admitted request. The key is the framework's request object, or a web-standard request. */
const admitted = new WeakMap<object, AccessTokenClaims>();

/**
 * Returns the claims of the access token that admitted a request.
 *
 * @param request Express's or Fastify's request, or a `Request` (Hono: `c.req.raw`)
 * @throws TypeError if no guard has admitted the request: the handler would otherwise serve unauthenticated requests
 */
export function claimsOf(request: object): AccessTokenClaims {
  const claims = admitted.get(request);
  if (claims === undefined) throw new TypeError('no guard stands before this handler');
  return claims;
}

type Refusal = Extract<ResourceVerdict, { readonly ok: false }>;

function bodyOf({ error }: Refusal): string {
  return JSON.stringify(error === null ? {} : { error });
}

function headersOf({ headers }: Refusal): Readonly<Record<string, string>> {
  return { ...headers, 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store' };
}

/** The part of a `node:http` request that Express and Fastify share. */
export type NodeHeaders = {
  readonly [name: string]: string | string[] | undefined;
};

function toResourceRequest(method: string, target: string, headers: NodeHeaders): ResourceRequest {
  const read = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  return { method, target, authorization: read('authorization'), dpop: read('dpop') };
}

/** The part of an Express request that the guard reads. */
export type ExpressRequest = {
  readonly method: string;
  readonly originalUrl: string;
  readonly headers: NodeHeaders;
};

/** The part of an Express response that the guard uses to refuse. */
export type ExpressResponse = {
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  end(body: string): unknown;
};

/** Express middleware: `app.get('/notes', expressGuard(guard, { scope: ['notes'] }), handler)`. */
export function expressGuard(
  guard: ResourceGuard,
  requirement: ResourceRequirement = {},
): (request: ExpressRequest, response: ExpressResponse, next: (error?: unknown) => void) => Promise<void> {
  return async (request, response, next) => {
    const { method, originalUrl, headers } = request;
    let verdict: ResourceVerdict;
    try {
      verdict = await guard.check(toResourceRequest(method, originalUrl, headers), requirement);
    } catch (error) {
      // Express 4 ignores the promise that a middleware returns.
      next(error);
      return;
    }
    if (verdict.ok) {
      admitted.set(request, verdict.claims);
      next();
      return;
    }
    response.writeHead(verdict.status, headersOf(verdict));
    response.end(bodyOf(verdict));
  };
}

/** The part of a Fastify request that the guard reads. */
export type FastifyRequest = {
  readonly method: string;
  readonly originalUrl: string;
  readonly headers: NodeHeaders;
};

/** The part of a Fastify reply that the guard uses to refuse. */
export type FastifyReply = {
  code(status: number): FastifyReply;
  headers(headers: Readonly<Record<string, string>>): FastifyReply;
  send(body: string): FastifyReply;
};

/** Fastify hook: `app.get('/notes', { onRequest: fastifyGuard(guard, { scope: ['notes'] }) }, handler)`. */
export function fastifyGuard(
  guard: ResourceGuard,
  requirement: ResourceRequirement = {},
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  return async (request, reply) => {
    const { method, originalUrl, headers } = request;
    const verdict = await guard.check(toResourceRequest(method, originalUrl, headers), requirement);
    if (!verdict.ok) return reply.code(verdict.status).headers(headersOf(verdict)).send(bodyOf(verdict));
    admitted.set(request, verdict.claims);
    return undefined;
  };
}

/** The part of a Hono context that the guard reads. */
export type HonoContext = {
  readonly req: { readonly raw: Request };
};

/** Hono middleware: `app.get('/notes', honoGuard(guard, { scope: ['notes'] }), handler)`. */
export function honoGuard(
  guard: ResourceGuard,
  requirement: ResourceRequirement = {},
): (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined> {
  return async ({ req }, next) => {
    const refusal = await refuseRequest(guard, req.raw, requirement);
    if (refusal !== null) return refusal;
    await next();
    return undefined;
  };
}

/**
 * Guards a request on web-standard hosts.
 *
 * @returns the response to a refused request, or null if the request may proceed; {@link claimsOf} then has its claims
 */
export async function refuseRequest(
  guard: ResourceGuard,
  request: Request,
  requirement: ResourceRequirement = {},
): Promise<Response | null> {
  const { pathname, search } = new URL(request.url);
  const verdict = await guard.check(
    {
      method: request.method,
      target: pathname + search,
      authorization: request.headers.get('authorization') ?? undefined,
      dpop: request.headers.get('dpop') ?? undefined,
    },
    requirement,
  );
  if (!verdict.ok) return new Response(bodyOf(verdict), { status: verdict.status, headers: headersOf(verdict) });
  admitted.set(request, verdict.claims);
  return null;
}
