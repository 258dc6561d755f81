import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AUDIENCE, createTestIssuer, createTestProofKey, TOKEN_ISSUER, type TestIssuer } from '../testing/issuer.ts';
import { claimsOf, expressGuard, fastifyGuard, honoGuard, refuseRequest } from './frameworks.ts';
import { createResourceGuard, type ResourceGuard } from './guard.ts';

type Ask = (path: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;

let issuer: TestIssuer;
let guard: ResourceGuard;
const closers: (() => unknown)[] = [];

beforeAll(() => {
  issuer = createTestIssuer();
  guard = createResourceGuard({ issuer: TOKEN_ISSUER, audience: AUDIENCE, fetch: issuer.fetch });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** The same API in every framework: `/api/notes` requires the scope `notes`; `/api/open` has no guard. */
const frameworks: Readonly<Record<string, () => Promise<Ask>>> = {
  express: async () => {
    const app = express();
    const api = express.Router();
    api.get('/notes', expressGuard(guard, { scope: ['notes'] }), (request, response) => {
      response.json({ sub: claimsOf(request).sub });
    });
    api.get('/open', (request, response) => {
      response.json({ sub: claimsOf(request).sub });
    });
    app.use('/api', api);
    app.use((_error: unknown, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
      response.status(500).end();
    });
    const server = createServer(app).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    return (path, headers = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
  },
  fastify: async () => {
    const app = fastify();
    const onRequest = fastifyGuard(guard, { scope: ['notes'] });
    app.get('/api/notes', { onRequest }, (request, reply) => reply.send({ sub: claimsOf(request).sub }));
    app.get('/api/open', (request, reply) => reply.send({ sub: claimsOf(request).sub }));
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    closers.push(() => app.close());
    return (path, headers = {}) => fetch(`${origin}${path}`, { headers });
  },
  hono: async () => {
    const app = new Hono();
    app.get('/api/notes', honoGuard(guard, { scope: ['notes'] }), (c) => c.json({ sub: claimsOf(c.req.raw).sub }));
    app.get('/api/open', (c) => c.json({ sub: claimsOf(c.req.raw).sub }));
    app.onError((_error, c) => c.body(null, 500));
    return async (path, headers = {}) => app.request(`http://localhost${path}`, { headers });
  },
  'plain Request':
    async () =>
    async (path, headers = {}) => {
      const request = new Request(`http://localhost${path}`, { headers });
      if (path === '/api/open') {
        try {
          return Response.json({ sub: claimsOf(request).sub });
        } catch {
          return new Response(null, { status: 500 });
        }
      }
      return (
        (await refuseRequest(guard, request, { scope: ['notes'] })) ?? Response.json({ sub: claimsOf(request).sub })
      );
    },
};

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  test('admits a valid token and passes its claims to the handler', async () => {
    const ask = await start();
    const response = await ask('/api/notes?page=2', { authorization: `Bearer ${issuer.token({ sub: 'ada' })}` });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ sub: 'ada' });
  });

  test('answers instead of the handler if the token is missing, wrong or too weak', async () => {
    const ask = await start();
    const missing = await ask('/api/notes');
    expect([missing.status, await missing.json()]).toEqual([401, {}]);
    expect(missing.headers.get('www-authenticate')).toMatch(/^Bearer, DPoP/);
    const wrong = await ask('/api/notes', { authorization: 'Bearer garbage' });
    expect([wrong.status, await wrong.json()]).toEqual([401, { error: 'invalid_token' }]);
    expect(wrong.headers.get('cache-control')).toBe('no-store');
    const weak = await ask('/api/notes', { authorization: `Bearer ${issuer.token({ scope: 'profile' })}` });
    expect([weak.status, await weak.json()]).toEqual([403, { error: 'insufficient_scope' }]);
    expect(weak.headers.get('www-authenticate')).toContain('scope="notes"');
  });

  test('accepts a bound token with a proof for its public URL', async () => {
    const ask = await start();
    const key = createTestProofKey();
    const token = issuer.token({ cnf: { jkt: key.jkt } });
    const prove = (path: string): string => key.prove({ method: 'GET', url: `${AUDIENCE}${path}`, token });
    const ok = await ask('/api/notes?page=2', { authorization: `DPoP ${token}`, dpop: prove('/api/notes') });
    expect(ok.status).toBe(200);
    const elsewhere = await ask('/api/notes', { authorization: `DPoP ${token}`, dpop: prove('/notes') });
    expect([elsewhere.status, await elsewhere.json()]).toEqual([401, { error: 'invalid_dpop_proof' }]);
  });

  test('a handler without a guard fails instead of serving unauthenticated requests', async () => {
    const ask = await start();
    expect((await ask('/api/open', { authorization: `Bearer ${issuer.token()}` })).status).toBe(500);
  });
});
