// The server behind nginx as a shared cache, named by NGINX_PATH: one user's tokens must not become the next one's answer, nor
// a 401 everybody's. The configuration is careless: its cache ignores Authorization, cookies, bodies and the method. Only
// Cache-Control holds it back (RFC 9111 §5.2.2, RFC 9700 §4.3.1).
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CREDENTIALS, startTestServer, type TestServer } from '../../server/src/testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../test-database.ts';

const GRACE = { username: 'grace', password: 'another horse battery' };
/** Paths of the origin that are not the server's, for control: nothing forbids keeping them. */
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['/plain', 200],
  ['/plain-401', 401],
]);

/** `unix:` sockets in a folder of the test: no port can be taken by another program. */
const configuration = (folder: string): string => `
  daemon off;
  master_process off;
  pid ${folder}/nginx.pid;
  error_log stderr;
  events {}
  http {
    access_log off;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/temp;
    fastcgi_temp_path ${folder}/fastcgi;
    uwsgi_temp_path ${folder}/uwsgi;
    scgi_temp_path ${folder}/scgi;
    proxy_cache_path ${folder}/cache keys_zone=shared:1m;
    server {
      listen unix:${folder}/proxy.sock;
      location / {
        proxy_pass http://unix:${folder}/origin.sock:;
        proxy_cache shared;
        proxy_cache_key $request_uri;
        proxy_cache_methods GET HEAD POST;
        proxy_cache_convert_head off;
        proxy_cache_valid any 10m;
        add_header x-cache $upstream_cache_status always;
      }
    }
  }`;

let folder: string;
let database: TestDatabase;
let server: TestServer;
let origin: http.Server;
let proxy: ChildProcess;
let output = '';

type Answer = { readonly status: number; readonly cache: unknown; readonly body: string };

function send(
  target: string,
  { method = 'GET', headers = {}, body = '' }: Partial<Record<'method' | 'body', string>> & { headers?: object } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: `${folder}/proxy.sock`,
      path: target,
      method,
      headers: { host: 'id.example', ...headers },
    };
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, cache: response.headers['x-cache'], body: text });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-nginx-'));
  database = await createTestDatabase();
  server = await startTestServer(database.databaseUrl);
  await server.holdfast.users.create({ ...GRACE, name: 'Grace' });
  origin = http.createServer((request, response) => {
    const status = CONTROLS.get(request.url ?? '');
    if (status === undefined) server.holdfast.listener(request, response);
    else response.writeHead(status).end('kept');
  });
  await new Promise<void>((resolve) => origin.listen(`${folder}/origin.sock`, resolve));
  writeFileSync(`${folder}/nginx.conf`, configuration(folder));
  const program = process.env['NGINX_PATH'] ?? '';
  if (program === '') throw new Error('NGINX_PATH names no nginx: run this by `npm test -- --only proxy`');
  proxy = spawn(program, ['-p', folder, '-c', `${folder}/nginx.conf`], { stdio: ['ignore', 'ignore', 'pipe'] });
  proxy.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  proxy.on('error', (error) => (output += String(error)));
  await vi
    .waitFor(() => send('/plain'), { timeout: 30_000 })
    .catch((cause: unknown) => {
      throw new Error(`nginx does not answer: ${output}`, { cause });
    });
});
afterAll(async () => {
  if (proxy?.exitCode === null && proxy.kill()) await once(proxy, 'exit');
  origin?.closeAllConnections();
  origin?.close();
  await server?.holdfast.close();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const formOf = (fields: Readonly<Record<string, string>>) => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});

it('the cache works: it keeps an answer and a 401 that allow it, for every user and method', async () => {
  for (const [target, status] of CONTROLS) {
    await send(target);
    for (const request of [{ headers: { authorization: 'Bearer of-another-user' } }, formOf({ of: 'another user' })])
      expect(await send(target, request)).toEqual({ status, cache: 'HIT', body: 'kept' });
  }
});

it('the key set is cached, as its Cache-Control allows', async () => {
  await send('/.well-known/jwks.json');
  expect(await send('/.well-known/jwks.json')).toMatchObject({ status: 200, cache: 'HIT' });
});

it('every user gets the own tokens and devices, and a 401 is over with the next request', async () => {
  expect(await send('/sessions')).toMatchObject({ status: 401 });
  const seen = [];
  for (const credentials of [CREDENTIALS, GRACE]) {
    const user = await server.holdfast.users.findByUsername(credentials.username);
    const session = await server.signIn('native', credentials);
    const form = { client_id: 'native', grant_type: 'refresh_token', refresh_token: session.refreshToken };
    const refreshed = await send('/token', formOf(form));
    const tokens: Readonly<Record<string, unknown>> = JSON.parse(refreshed.body);
    expect(tokens).toMatchObject({ sub: user?.sub, sid: session.sid });
    const headers = { authorization: `Bearer ${String(tokens['access_token'])}` };
    const devices: { readonly sessions: readonly { readonly sid: string }[] } = JSON.parse(
      (await send('/sessions', { headers })).body,
    );
    expect(devices.sessions.map(({ sid }) => sid)).toContain(session.sid);
    seen.push(...devices.sessions.map(({ sid }) => sid));
  }
  expect(new Set(seen).size).toBe(seen.length);
});

/** Documents that are the same for everybody. */
const PUBLIC = /^\/(?:\.well-known\/|openapi\.json$)/;

it('nothing else is answered from the cache, whatever was asked before', async () => {
  const { accessToken } = await server.signIn();
  const description: { readonly paths: object } = JSON.parse((await send('/openapi.json')).body);
  const routes = Object.keys(description.paths).filter((route) => !PUBLIC.test(route));
  expect(routes).toEqual(expect.arrayContaining(['/token', '/authorize-challenge', '/sessions/{id}']));
  const callers = [{}, { authorization: `Bearer ${accessToken}` }, { origin: 'https://evil.example' }];
  const kept = [];
  for (const route of routes) {
    const target = route.replace('{id}', '5c6f0e52-0000-4000-8000-000000000000');
    for (const method of ['GET', 'HEAD', 'POST', 'GET']) {
      for (const caller of callers) {
        const headers = { 'content-type': 'application/x-www-form-urlencoded', ...caller };
        const { status, cache } = await send(target, { method, headers });
        if (cache !== 'MISS') kept.push(`${method} ${target} ${status} ${String(cache)}`);
      }
    }
  }
  expect(kept).toEqual([]);
});
