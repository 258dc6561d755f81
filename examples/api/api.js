// @ts-check
// An API in a process of its own: it has no database, and checks access tokens by the keys of the token server.
import { createServer } from 'node:http';
import process from 'node:process';
import { createResourceGuard, followRevocations } from '@holdfast/server/resource';

const issuer = process.env['ISSUER'] ?? 'http://localhost:4700';
const secret = process.env['NOTES_SECRET'] ?? 'an example secret of 32 bytes or more';

// The token server tells which sessions have ended. Without this, a token works until it expires.
const revocations = followRevocations({
  issuer,
  id: 'notes',
  secret,
  onFailure: (error) => console.error(String(error)),
});
const guard = createResourceGuard({ issuer, audience: 'https://api.example.com', revocations });

/** A requirement for each route. To delete everything, the user has signed in within the last five minutes. */
const requirements = {
  'GET /notes': { scope: ['notes'] },
  'DELETE /notes': { scope: ['notes'], maxAgeSeconds: 300 },
};

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(request, response) {
  const { method = 'GET', url: target = '/', headers } = request;
  const route = `${method} ${target}`;
  if (route !== 'GET /notes' && route !== 'DELETE /notes') return void response.writeHead(404).end();
  const { authorization, dpop } = headers;
  const verdict = await guard.check({ method, target, authorization, dpop: dpop?.toString() }, requirements[route]);
  if (!verdict.ok) return void response.writeHead(verdict.status, verdict.headers).end();
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ owner: verdict.claims.sub, notes: [] }));
}

await revocations.ready;
const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(Number(process.env['PORT'] ?? 4_701), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://localhost:${typeof address === 'object' ? address?.port : ''}`);
});
process.once('SIGTERM', () => process.exit());
