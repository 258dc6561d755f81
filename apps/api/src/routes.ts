import type { IncomingMessage } from 'node:http';
import type { AccessTokenClaims, Holdfast } from '@holdfast/server';
import { problem, type Answer } from './answer.ts';
import type { ExpiredTokens } from './expired-tokens.ts';
import type { Fault, Faults } from './faults.ts';
import { readJsonBody } from './json-body.ts';
import { createNote, listNotes } from './notes.ts';
import type { SessionStatsLog } from './session-stats.ts';

/** The parts that the routes work with. */
export type RouteContext = {
  readonly holdfast: Holdfast;
  /** Where clients reach this server; behind a proxy no request tells. */
  readonly publicOrigin: string;
  readonly expiredTokens: ExpiredTokens;
  readonly faults: Faults;
  readonly sessionStats: SessionStatsLog;
};

/** One protected endpoint: the caller is known when it runs. */
type Route = (context: RouteContext, claims: AccessTokenClaims, request: IncomingMessage) => Promise<Answer>;

/** The API proper: what any application has. */
const applicationRoutes: Readonly<Record<string, Route>> = {
  'GET /me': async ({ holdfast }, claims) => {
    const user = await holdfast.users.findById(claims.sub);
    if (user === null) return problem(404, 'Not Found', 'This user does not exist any more.');
    const { sid, scope, auth_time: authTime, amr } = claims;
    return { status: 200, body: { ...user, sid, scope, authTime, amr } };
  },

  'GET /notes': ({ holdfast }, claims) => listNotes(holdfast.database, claims.sub),

  'POST /notes': async ({ holdfast }, claims, request) => {
    const body = await readJsonBody(request);
    if (!body.ok) return body.answer;
    const idempotencyKey = request.headers['idempotency-key'];
    return createNote(holdfast.database, claims.sub, body.value, idempotencyKey?.toString());
  },
};

/** An end later than this is not soon. */
const END_SOON_SECONDS_MAX = 600;

/** The routes by which the demo's page shows its session; each acts on the caller's own session alone. */
const demoRoutes: Readonly<Record<string, Route>> = {
  'POST /demo/expire-access-token': async ({ expiredTokens }, claims) => {
    expiredTokens.add(claims.jti, claims.exp);
    return { status: 204 };
  },

  'POST /demo/end-soon': async ({ holdfast, expiredTokens }, claims, request) => {
    const body = await readJsonBody(request);
    if (!body.ok) return body.answer;
    const { seconds } = body.value;
    if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= END_SOON_SECONDS_MAX))
      return problem(400, 'Bad Request', `“seconds” is a number from 0 to ${END_SOON_SECONDS_MAX}.`);
    await holdfast.database.query(
      'update holdfast.sessions set idle_expires_at = now() + make_interval(secs => $2) where id = $1',
      [claims.sid, seconds],
    );
    // Its next refresh tells the page when the session ends.
    expiredTokens.add(claims.jti, claims.exp);
    return { status: 204 };
  },

  'POST /demo/revoke-session': async ({ holdfast }, claims) => {
    await holdfast.sessions.revoke(claims.sid);
    return { status: 204 };
  },

  'POST /demo/faults': async ({ faults }, claims, request) => {
    const body = await readJsonBody(request);
    if (!body.ok) return body.answer;
    const fault = readFault(body.value);
    if (fault === null) return problem(400, 'Bad Request', 'This is no fault that can be had.');
    faults.start(claims.sid, fault);
    return { status: 204 };
  },

  'POST /demo/steal': async ({ faults }, claims, request) => {
    const copy = faults.copySession(claims.sid, request);
    if (copy === null) return problem(400, 'Bad Request', 'The request brought no cookie of this session.');
    return { status: 200, body: { copy } };
  },

  'GET /demo/stats': async ({ sessionStats }, claims) => ({ status: 200, body: sessionStats.of(claims.sid) }),
};

function readFault({ kind, seconds }: Readonly<Record<string, unknown>>): Fault | null {
  if (kind === 'lost-answer') return { kind };
  const isTime = typeof seconds === 'number' && seconds > 0;
  return (kind === 'outage' || kind === 'slow') && isTime ? { kind, seconds } : null;
}

/** Answers a request to one of the routes; undefined when the path is none of theirs. */
export type Router = (request: IncomingMessage) => Promise<Answer> | undefined;

/**
 * Makes the router.
 *
 * @param demo whether the demo's own routes are there
 */
export function createRouter(context: RouteContext, demo: boolean): Router {
  const routes = new Map(Object.entries({ ...applicationRoutes, ...(demo ? demoRoutes : {}) }));
  const methodsByPath = new Map<string, readonly string[]>();
  for (const key of routes.keys()) {
    const [method = '', path = ''] = key.split(' ');
    methodsByPath.set(path, [...(methodsByPath.get(path) ?? []), method]);
  }
  return (request) => {
    const [path = ''] = (request.url ?? '').split('?');
    const methods = methodsByPath.get(path);
    if (methods === undefined) return undefined;
    const route = routes.get(`${request.method} ${path}`);
    if (route !== undefined) return answerProtected(context, route, request);
    const allow = methods.join(', ');
    return Promise.resolve(problem(405, 'Method Not Allowed', `This path takes ${allow}.`, { allow }));
  };
}

/** Runs a route for the user that the access token names, or answers 401 as RFC 6750 section 3 and RFC 9449 section 7 have it. */
async function answerProtected(context: RouteContext, route: Route, request: IncomingMessage): Promise<Answer> {
  const { authorization, dpop } = request.headers;
  const url = context.publicOrigin + (request.url ?? '/');
  const verdict = await context.holdfast.verifyAccessToken(authorization, {
    method: request.method ?? 'GET',
    url,
    dpop: dpop?.toString(),
  });
  if (!verdict.ok) return unauthorized(verdict.wwwAuthenticate, verdict.dpopNonce);
  if (context.expiredTokens.has(verdict.claims.jti)) {
    return unauthorized('Bearer error="invalid_token", error_description="The access token expired"');
  }
  return route(context, verdict.claims, request);
}

/** @param dpopNonce for the next proof, when the client is to use one (RFC 9449 section 9) */
function unauthorized(wwwAuthenticate: string, dpopNonce?: string): Answer {
  return problem(401, 'Unauthorized', 'A valid access token is required.', {
    'www-authenticate': wwwAuthenticate,
    ...(dpopNonce === undefined ? {} : { 'dpop-nonce': dpopNonce }),
  });
}
