// A proxy that caches all it may: it must not serve one user's tokens to the next, nor one 401 to everyone.
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { CREDENTIALS, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { ENDPOINTS } from './doors/endpoints.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;
const GRACE = { username: 'grace', password: 'another horse battery' };

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
  await server.holdfast.users.create({ ...GRACE, name: 'Grace' });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

type Send = (request: Partial<HttpRequest> & Pick<HttpRequest, 'path'>) => Promise<HttpResponse>;

const send: Send = async (request) => {
  const whole = { method: 'GET', headers: {}, body: '', remoteAddress: '192.0.2.1', ...request };
  const response = await server.holdfast.handle(whole);
  if (response === null) throw new Error(`${whole.path} is not ours`);
  return response;
};

/**
 * A shared cache that ignores `Authorization`, methods and bodies, and stores every response that does not forbid it.
 */
function behindGreedyCache(origin: Send): Send {
  const kept = new Map<string, HttpResponse>();
  return async (request) => {
    const before = kept.get(request.path);
    if (before !== undefined) return before;
    const response = await origin(request);
    if (!/no-store|private/.test(String(response.headers['cache-control'] ?? ''))) kept.set(request.path, response);
    return response;
  };
}

const formOf = (fields: Readonly<Record<string, string>>): Pick<HttpRequest, 'method' | 'headers' | 'body'> => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});
const bodyOf = ({ body }: HttpResponse): Readonly<Record<string, unknown>> => JSON.parse(body);

test('behind a greedy cache every user gets their own tokens and devices, and a 401 affects no later request', async () => {
  const cached = behindGreedyCache(send);
  const refused = await cached({ path: '/sessions' });
  expect(refused.status).toBe(401);
  const seen = [];
  for (const credentials of [CREDENTIALS, GRACE]) {
    const user = await server.holdfast.users.findByUsername(credentials.username);
    const session = await server.signIn('native', credentials);
    const refresh = { client_id: 'native', grant_type: 'refresh_token', refresh_token: session.refreshToken };
    const tokens = bodyOf(await cached({ path: '/token', ...formOf(refresh) }));
    expect(tokens).toMatchObject({ sub: user?.sub, sid: session.sid });
    const headers = { authorization: `Bearer ${String(tokens['access_token'])}` };
    const devices = bodyOf(await cached({ path: '/sessions', headers }))['sessions'] as readonly { sid: string }[];
    expect(devices.map(({ sid }) => sid)).toContain(session.sid);
    seen.push(...devices.map(({ sid }) => sid));
  }
  expect(new Set(seen).size).toBe(seen.length);
});

/** Documents that are the same for every client. */
const PUBLIC = new Set([
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-protected-resource',
  '/openapi.json',
]);
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

test.each(ENDPOINTS.map(({ path }) => path))('%s: no cache may store a response to any method', async (path) => {
  const { accessToken } = await server.signIn();
  const requests = METHODS.flatMap((method) =>
    [{}, { authorization: `Bearer ${accessToken}` }, { origin: 'https://evil.example' }].map((headers) => ({
      method,
      path: path.replace('{id}', '5c6f0e52-0000-4000-8000-000000000000'),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })),
  );
  const kept = [];
  for (const request of requests) {
    const { status, headers } = await send(request);
    const isPublic = PUBLIC.has(path) && status === 200;
    // Caches never store a response to OPTIONS (RFC 9110 §9.3.7).
    if (headers['cache-control'] === 'no-store' || isPublic || request.method === 'OPTIONS') continue;
    kept.push(`${request.method} ${status}`);
  }
  expect(kept).toEqual([]);
});
