// @ts-check
// The backend of the examples, on one origin: the token server, an API with one route, and the built page of an example.
//   node examples/server.js [folder of the page]
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createHoldfast, startEmbeddedPostgres } from '@holdfast/server';
import { createResourceGuard } from '@holdfast/server/resource';
import sirv from 'sirv';

const ada = { username: 'ada@example.org', password: 'correct horse battery staple', name: 'Ada' };
/** The name of the API in access tokens. It is a name only: nothing is fetched from it. */
const audience = 'https://api.example.com';

const { DATABASE_URL, HOLDFAST_SECRET = randomBytes(32).toString('base64url'), PORT = '4700' } = process.env;
/** Short, so that a refresh is soon seen. The defaults are 15 minutes for a token, and 14 days for an unused session. */
const { ACCESS_TOKEN_SECONDS = '30', SESSION_SECONDS = '90' } = process.env;

// The issuer holds the port, so listen first.
const server = createServer().listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
const address = server.address();
const issuer = `http://localhost:${typeof address === 'object' ? address?.port : ''}`;

// A new PostgreSQL in a folder that goes at the end. With DATABASE_URL everything stays: then keep the HOLDFAST_SECRET too.
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-example-'));
const postgres = DATABASE_URL ? null : await startEmbeddedPostgres({ dataDirectory: path.join(folder, 'postgres') });

const holdfast = await createHoldfast({
  issuer,
  audience,
  databaseUrl: DATABASE_URL || (postgres?.databaseUrl ?? ''),
  secret: HOLDFAST_SECRET,
  clients: [
    { clientId: 'web', refreshTokenTransport: 'cookie', scopes: ['notes'] },
    {
      clientId: 'short', // for a session whose end one can wait for
      refreshTokenTransport: 'cookie',
      scopes: ['notes'],
      sessionLifetimes: { inactivityTimeoutSeconds: Number(SESSION_SECONDS), absoluteLifetimeSeconds: 86_400 },
    },
    { clientId: 'native', refreshTokenTransport: 'body', scopes: ['notes'] },
  ],
  // The API of examples/api may follow the sessions that end.
  resourceServers: [{ id: 'notes', secret: process.env['NOTES_SECRET'] ?? 'an example secret of 32 bytes or more' }],
  policy: { accessTokenLifetimeSeconds: Number(ACCESS_TOKEN_SECONDS) },
  onEvent(event) {
    if (event.type === 'session.created') console.log('session created');
    if (event.type === 'refresh.answered') console.log(`refresh answered: ${event.outcome}`);
    if (event.type === 'session.revoked') console.log(`session ended: ${event.reason}`);
  },
});
if ((await holdfast.users.findByUsername(ada.username)) === null) await holdfast.users.create(ada);

const guard = createResourceGuard({ issuer, audience });
const page = sirv(process.argv[2] ?? '.', {
  setHeaders: (response) =>
    response.setHeader('content-security-policy', "default-src 'self'; img-src data:; frame-ancestors 'none'"),
});

/**
 * One route of the API: only a request with a valid access token gets past the guard.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answerMe(request, response) {
  const { method = 'GET', url: target = '/', headers } = request;
  const { authorization, dpop } = headers;
  const verdict = await guard.check({ method, target, authorization, dpop: dpop?.toString() }, { scope: ['notes'] });
  if (!verdict.ok) return void response.writeHead(verdict.status, verdict.headers).end();
  const { sub, amr } = verdict.claims;
  const user = await holdfast.users.findById(sub);
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ name: user?.name, amr }));
}

server.on('request', (request, response) =>
  // Holdfast answers its own endpoints first.
  holdfast.listener(request, response, () => {
    if (request.url !== '/api/me') return page(request, response, () => void response.writeHead(404).end());
    answerMe(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  }),
);
console.log(`${issuer}\nuser name: ${ada.username}\npassword: ${ada.password}`);

async function stop() {
  server.close();
  server.closeAllConnections();
  await holdfast.close();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop());
