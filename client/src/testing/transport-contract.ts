import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AbortSignalLike, HttpRequest, Transport } from '../core/ports.ts';
import { startResource, type SeenRequest } from './resource.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;
type Respond = (request: SeenRequest, response: ServerResponse) => void;

const post = (url: string): HttpRequest => ({
  url,
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
  body: 'grant_type=refresh_token&refresh_token=a%20b',
});

const never: AbortSignalLike = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };

/** Moments at which a request may be aborted. */
const aborts: readonly (readonly [string, (response: ServerResponse, abort: () => void) => void])[] = [
  ['it waits for the response', (_response, abort) => abort()],
  [
    'it receives the body',
    (response, abort) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{');
      setImmediate(abort);
    },
  ],
];

/** The contract of every transport. `allow` adds answers to CORS preflights, for platforms that send them. */
export function transportContract(
  name: string,
  transport: Transport,
  allow: (respond: Respond) => Respond = (respond) => respond,
): void {
  describe(`${name} sends one request`, () => {
    let respond: Respond = (_request, response) => response.end();
    let server: Resource;
    const seen = (): readonly SeenRequest[] => server.seen.filter(({ method }) => method !== 'OPTIONS');
    beforeEach(async () => {
      server = await startResource(allow((request, response) => respond(request, response)));
    });
    afterEach(() => server.close());

    it('sends it once, unchanged, and resolves with the response', async () => {
      respond = (_request, response) =>
        response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
      const answer = await transport(post(server.url), never);
      expect(answer).toMatchObject({ status: 400, body: '{"error":"invalid_grant"}' });
      expect(answer.headers['content-type']).toBe('application/json');
      expect(seen()).toHaveLength(1);
      expect(seen()[0]).toMatchObject({ method: 'POST', body: post('').body });
      expect(seen()[0]?.headers).toMatchObject(post('').headers);
    });

    it('names the headers of the response in lower case, so that the client finds `retry-after`', async () => {
      respond = (_request, response) => response.writeHead(503, { 'Retry-After': '7' }).end();
      expect((await transport(post(server.url), never)).headers['retry-after']).toBe('7');
    });

    it('does not follow a redirect, which could send the refresh token to another server', async () => {
      const elsewhere = await startResource(allow((_request, response) => response.end('{}')));
      respond = (_request, response) => response.writeHead(307, { location: elsewhere.url }).end();
      await expect(transport(post(server.url), never)).rejects.toBeInstanceOf(Error);
      expect(elsewhere.seen).toEqual([]);
      await elsewhere.close();
    });

    it('rejects if the server is unreachable or the connection breaks', async () => {
      respond = (_request, response) => response.destroy();
      await expect(transport(post(server.url), never)).rejects.toBeInstanceOf(Error);
      const { url } = server;
      await server.close();
      await expect(transport(post(url), never)).rejects.toBeInstanceOf(Error);
    });

    it('rejects if the response is incomplete', async () => {
      respond = (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"access_token":"');
        setImmediate(() => response.destroy());
      };
      await expect(transport(post(server.url), never)).rejects.toBeInstanceOf(Error);
    });

    it('sends none if it is already aborted', async () => {
      const aborted = new AbortController();
      aborted.abort();
      await expect(transport(post(server.url), aborted.signal)).rejects.toBeInstanceOf(Error);
      expect(seen()).toEqual([]);
    });

    it.each(aborts)('rejects if it is aborted while %s', async (_name, answer) => {
      const controller = new AbortController();
      respond = (_request, response) => answer(response, () => controller.abort());
      await expect(transport(post(server.url), controller.signal)).rejects.toBeInstanceOf(Error);
    });
  });
}
