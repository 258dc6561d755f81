import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { HttpResponse } from '../../kernel/http-message.ts';
import { ISSUER, startTestServer, type TestServer } from '../../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../../testing/database.ts';
import { ENDPOINTS } from '../doors/endpoints.ts';
import { describeApi } from '../doors/openapi.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

async function get(
  path: string,
  {
    holdfast = server.holdfast,
    headers = {},
    remoteAddress = '127.0.0.1',
  }: { holdfast?: TestServer['holdfast']; headers?: Record<string, string>; remoteAddress?: string } = {},
): Promise<HttpResponse> {
  const response = await holdfast.handle({ method: 'GET', path, headers, body: '', remoteAddress });
  if (response === null) throw new Error('the path is not ours');
  return response;
}

describe('/readyz', () => {
  test('is 200 while database and keys are available, and 503 as soon as the node retires', async () => {
    const node = await startTestServer(database.databaseUrl);
    const ready = await get('/readyz', { holdfast: node.holdfast });
    expect([ready.status, JSON.parse(ready.body)]).toEqual([
      200,
      { status: 'ready', checks: { database: 'ok', signing_keys: 'ok', node: 'ok' } },
    ]);
    node.holdfast.retire();
    expect((await get('/readyz', { holdfast: node.holdfast })).status).toBe(503);
    // A retiring node still serves requests.
    expect((await node.signIn()).sid).not.toBe('');
    expect((await get('/healthz', { holdfast: node.holdfast })).status).toBe(200);
    await node.holdfast.close();
  });

  test('is 200 while every other connection is busy, so that load balancers keep a busy node', async () => {
    const node = await startTestServer(database.databaseUrl, { policy: { durableConnections: 2 } });
    const held = [await node.holdfast.database.connect(), await node.holdfast.database.connect()];
    try {
      const waiting = node.holdfast.database.query('SELECT 1');
      const ready = await get('/readyz', { holdfast: node.holdfast });
      expect([ready.status, node.holdfast.database.waitingCount]).toEqual([200, 1]);
      for (const connection of held) connection.release();
      await waiting;
    } finally {
      await node.holdfast.close();
    }
  });

  test('is 503 when the database is gone, and the node stays alive', async () => {
    const gone = await createTestDatabase(inject('postgresAdminUrl'));
    const node = await startTestServer(gone.databaseUrl);
    await gone.drop();
    const answer = await get('/readyz', { holdfast: node.holdfast });
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([503, { checks: { database: 'failed' } }]);
    expect((await get('/healthz', { holdfast: node.holdfast })).status).toBe(200);
    await node.holdfast.close();
  });
});

describe('/metrics', () => {
  async function sample(name: string): Promise<number> {
    const { body } = await get('/metrics');
    const line = body.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? 0 : Number(line.slice(name.length + 1));
  }

  test('counts rotations, reuse, refusals and latencies, so that an alarm can watch each', async () => {
    const names = [
      'holdfast_refreshes_total{outcome="rotated"}',
      'holdfast_refreshes_total{outcome="access_token_only"}',
      'holdfast_sessions_revoked_total{reason="reuse"}',
      'holdfast_refresh_refusals_total{error="invalid_grant",reason="reuse"}',
      'holdfast_refresh_refusals_total{error="invalid_grant",reason="malformed"}',
      'holdfast_http_request_duration_seconds_count{route="/token"}',
      'holdfast_rotation_batch_size_count',
    ];
    const samples = (): Promise<readonly number[]> => Promise.all(names.map((name) => sample(name)));
    const before = await samples();
    const { sid, refreshToken } = await server.signIn();
    await server.refresh(refreshToken);
    let latest = refreshToken;
    for (let rotation = 0; rotation < 3; rotation++) {
      await server.letTimePass(sid, 61_000);
      latest = String((await server.refresh(latest)).body['refresh_token']);
    }
    await server.letTimePass(sid, 61_000);
    await server.refresh(refreshToken);
    await server.refresh('hfrt_garbage');
    const after = await samples();
    expect(after.map((value, index) => value - (before[index] ?? 0))).toEqual([3, 1, 1, 1, 1, 7, 5]);
    expect(await sample('holdfast_database_connections{pool="durable",state="idle"}')).toBeGreaterThan(0);
  });

  test('tells apart the reasons of the protocol for the end of a session, and counts the others as one', async () => {
    const reasons = ['discarded', 'limit', 'password_changed', 'user_disabled', 'user_deleted', 'other'];
    const samples = (): Promise<readonly number[]> =>
      Promise.all(reasons.map((reason) => sample(`holdfast_sessions_revoked_total{reason="${reason}"}`)));
    const before = await samples();
    for (const reason of [...reasons.slice(0, -1), 'toString']) {
      const { sid } = await server.signIn();
      await server.holdfast.sessions.revoke(sid, reason);
    }
    const after = await samples();
    expect(after.map((value, index) => value - (before[index] ?? 0))).toEqual(reasons.map(() => 1));
  });

  test('holds no id, address or input', async () => {
    const { sid } = await server.signIn();
    await server.holdfast.sessions.revoke(sid, 'a reason with a name in it: Ada');
    await server.post('/token', {
      client_id: 'native',
      grant_type: 'refresh_token',
      refresh_token: 'sent-by-somebody',
    });
    const { body } = await get('/metrics');
    for (const given of [sid, 'Ada', 'sent-by-somebody', '192.0.2.1', 'native']) expect(body).not.toContain(given);
  });

  test('is readable from this host only, and not through a proxy on it', async () => {
    expect((await get('/metrics', { remoteAddress: '::1' })).status).toBe(200);
    expect((await get('/metrics', { remoteAddress: '192.0.2.7' })).status).toBe(403);
    expect((await get('/metrics', { headers: { 'x-forwarded-for': '127.0.0.1' } })).status).toBe(403);
    expect((await get('/metrics', { remoteAddress: '' })).status).toBe(403);
  });

  test('is readable only with the token if one is configured', async () => {
    const { holdfast } = await startTestServer(database.databaseUrl, { metricsToken: 'scrape' });
    const statusWith = async (headers: Record<string, string>): Promise<number> =>
      (await get('/metrics', { holdfast, headers, remoteAddress: '192.0.2.7' })).status;
    expect(await statusWith({ authorization: 'Bearer scrape' })).toBe(200);
    expect(await statusWith({ authorization: 'Bearer scrap' })).toBe(403);
    expect(await statusWith({})).toBe(403);
    await holdfast.close();
  });
});

describe('/openapi.json', () => {
  type Described = {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { responses: Record<string, unknown> }>>>>;
    readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
  };
  const described = describeApi(ISSUER, ENDPOINTS) as Described;
  const statusesOf = (path: string, method: string): readonly string[] =>
    Object.keys(described.paths[path]?.[method]?.responses ?? {});

  test('describes every method of every endpoint and no other', async () => {
    for (const [path, item] of Object.entries(described.paths)) {
      for (const method of ['GET', 'POST', 'PATCH', 'DELETE', 'PUT']) {
        const request = { method, path, headers: {}, body: '', remoteAddress: '127.0.0.1' };
        const isAccepted = (await server.holdfast.handle(request))?.status !== 405;
        expect([path, method, isAccepted]).toEqual([path, method, Object.hasOwn(item, method.toLowerCase())]);
      }
    }
  });

  test('names the errors of every step that an operation takes', () => {
    expect(statusesOf('/token', 'post')).toEqual(['200', '400', '401', '403', '413', '425', '429', '503']);
    expect(statusesOf('/authorize-challenge', 'post')).toContain('425');
    // A repeated revocation changes nothing, so it may be early data.
    expect(statusesOf('/revoke', 'post')).toEqual(['200', '400', '401', '403', '413', '429', '503']);
    expect(statusesOf('/introspect', 'post')).toEqual(['200', '400', '401', '403', '413', '503']);
    expect(statusesOf('/passkeys', 'get')).toEqual(['200', '401', '403', '429', '503']);
    expect(statusesOf('/passkeys', 'post')).toEqual(['201', '400', '401', '403', '409', '413', '425', '429', '503']);
    expect(statusesOf('/sessions/{id}', 'delete')).toEqual(['204', '401', '403', '404', '425', '429', '503']);
    expect(statusesOf('/healthz', 'get')).toEqual(['200']);
  });

  test('has the grants of the metadata', async () => {
    const metadata = JSON.parse((await get('/.well-known/oauth-authorization-server')).body) as object;
    const { body } = await get('/openapi.json');
    expect(metadata).toMatchObject({ grant_types_supported: ['authorization_code', 'refresh_token'] });
    expect(body).toContain('"grant_type":{"type":"string","enum":["authorization_code","refresh_token"]}');
  });

  test('refers only to schemas that it contains, and its operation ids are unique', async () => {
    const { body } = await get('/openapi.json');
    expect(JSON.parse(body)).toEqual(structuredClone(described));
    const references = [...body.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name ?? '');
    expect(references.length).toBeGreaterThan(0);
    for (const name of references) expect(described.components.schemas).toHaveProperty(name);
    const ids = [...body.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
