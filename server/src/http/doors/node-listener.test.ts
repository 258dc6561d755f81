import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import { createNodeListener } from './node-listener.ts';
import { notFound } from './router.ts';

const LIMIT_BYTES = 1_000;
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listen(listener: RequestListener): Promise<string> {
  const created = createServer(listener);
  server = created;
  await new Promise<void>((resolve) => {
    created.listen(0, '127.0.0.1', resolve);
  });
  const address = created.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** Answers 200 and records the requests. */
function recorder(): {
  readonly seen: HttpRequest[];
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>;
} {
  const seen: HttpRequest[] = [];
  const headers = { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] };
  return {
    seen,
    handle: async (request) => {
      seen.push(request);
      const isTooLarge = request.body.length > LIMIT_BYTES;
      return { status: isTooLarge ? 413 : 200, headers, body: '{"ok":true}' };
    },
  };
}

test('a request arrives as data, and both cookies of a response reach the browser', async () => {
  const { seen, handle } = recorder();
  const url = await listen(createNodeListener(handle, notFound, LIMIT_BYTES));
  const response = await fetch(`${url}/token?x=1`, { method: 'POST', body: 'a=b', headers: { 'X-Test': 'yes' } });
  expect(await response.json()).toEqual({ ok: true });
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(seen).toMatchObject([{ method: 'POST', path: '/token', query: 'x=1', remoteAddress: '127.0.0.1' }]);
  expect(seen[0]?.headers['x-test']).toBe('yes');
  expect(Buffer.from(seen[0]?.body ?? '').toString()).toBe('a=b');
});

test('a body of 1 MB is refused without being stored, and the client can read why', async () => {
  const { seen, handle } = recorder();
  const url = await listen(createNodeListener(handle, notFound, LIMIT_BYTES));
  const response = await fetch(`${url}/token`, { method: 'POST', body: 'a'.repeat(1_000_000) });
  expect(response.status).toBe(413);
  expect(seen[0]?.body.length).toBeLessThan(100_000);
});

test('other paths reach the application unread, and are 404 without one', async () => {
  const { seen, handle } = recorder();
  const listener = createNodeListener(handle, notFound, LIMIT_BYTES);
  const url = await listen((incoming, response) =>
    listener(incoming, response, () => {
      incoming.pipe(response);
    }),
  );
  const echoed = await fetch(`${url}/echo`, { method: 'POST', body: 'mine' });
  expect(await echoed.text()).toBe('mine');
  expect(seen).toEqual([]);
  server?.close();
  const alone = await listen(listener);
  expect((await fetch(`${alone}/echo`)).status).toBe(404);
});

test('a body that another handler has read does not cause a hang', async () => {
  const { seen, handle } = recorder();
  const listener = createNodeListener(handle, notFound, LIMIT_BYTES);
  const url = await listen((incoming, response) => {
    incoming.resume().once('end', () => setImmediate(() => listener(incoming, response)));
  });
  expect((await fetch(`${url}/token`, { method: 'POST', body: 'a=b' })).status).toBe(200);
  expect(seen[0]?.body.length).toBe(0);
});

test('a client that hangs up during its request is not served', async () => {
  const { seen, handle } = recorder();
  const listener = createNodeListener(handle, notFound, LIMIT_BYTES);
  let hangUp = (): void => {};
  const closed = new Promise<void>((resolve) => {
    hangUp = resolve;
  });
  const url = await listen((incoming, response) => {
    response.once('close', () => hangUp());
    listener(incoming, response);
  });
  const sending = httpRequest(`${url}/token`, { method: 'POST', headers: { 'content-length': '100' } });
  sending.on('error', () => {});
  sending.write('half', () => sending.destroy());
  await closed;
  expect(seen).toEqual([]);
});
