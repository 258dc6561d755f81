import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { flood } from '../testing/flood.ts';
import { createNodeListener } from './doors/node-listener.ts';
import { notFound } from './doors/router.ts';

const LIMIT_BYTES = 16_384;
/** One read of a socket, plus the amount that streams buffer before they stop reading. */
const LITTLE_BYTES = 256 * 1_024;

const server = createServer();
beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const portOf = (): number => (server.address() as AddressInfo).port;

const handle = async ({ body }: HttpRequest): Promise<HttpResponse> => ({
  status: body.length > LIMIT_BYTES ? 413 : 200,
  headers: { 'content-type': 'application/json' },
  body: '{"error":"invalid_request"}',
});
server.on('request', createNodeListener(handle, notFound, LIMIT_BYTES));

const post = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: id.example\r\nTransfer-Encoding: chunked\r\n\r\n`;

// Before, one connection sent 9.1 GB in 27 seconds, and every other request waited for it.
test.each([
  ['at an endpoint, in chunks', post('/token'), 413],
  ['at an endpoint, with its length', 'POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n', 413],
  ['with a GET', 'GET /sessions HTTP/1.1\r\nHost: id.example\r\nTransfer-Encoding: chunked\r\n\r\n', 413],
  ['at a path that nobody answers', post('/nothing'), 404],
])('an endless body %s is read only little beyond the limit before the connection closes', async (_, head, status) => {
  const accepted = new Promise<Socket>((resolve) => {
    server.once('connection', resolve);
  });
  const { answer, closedAfterMs } = await flood(portOf(), head);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n');
  expect(answer).toContain('{"error":');
  expect((await accepted).bytesRead).toBeLessThan(LIMIT_BYTES + LITTLE_BYTES);
  expect(closedAfterMs).toBeLessThan(5_000);
});

test('a client that stops sending once it has its answer need not wait for the end of the grace period', async () => {
  const url = `http://127.0.0.1:${portOf()}`;
  const response = await fetch(`${url}/token`, { method: 'POST', body: 'a'.repeat(5_000_000) });
  expect(response.status).toBe(413);
  expect(await response.json()).toEqual({ error: 'invalid_request' });
  // The next request uses a new connection.
  expect((await fetch(`${url}/token`, { method: 'POST', body: 'a=b' })).status).toBe(200);
});
