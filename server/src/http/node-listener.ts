import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpRequest, HttpResponse } from './message.ts';
import { isOurPath, notFound } from './router.ts';

type Handle = (request: HttpRequest) => Promise<HttpResponse | null>;

/** Adapts `handle` to node:http and everything that speaks its `(request, response, next)`. */
export function createNodeListener(
  handle: Handle,
  bodyLimitBytes: number,
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  return (incoming, response, next) => {
    const { path, query } = splitTarget(incoming.url ?? '/');
    if (!isOurPath(path)) {
      if (next === undefined) send(notFound(), response);
      else next();
      return;
    }
    const answer = async (): Promise<void> => {
      const request: HttpRequest = {
        method: incoming.method ?? 'GET',
        path,
        query,
        // The one field that node:http gives as an array is `set-cookie`, which no request has a use for.
        headers: incoming.headers as HttpRequest['headers'],
        body: await readBody(incoming, bodyLimitBytes),
        remoteAddress: incoming.socket.remoteAddress ?? '',
      };
      send((await handle(request)) ?? notFound(), response);
    };
    // Only a peer that hung up gets here: there is nobody to answer.
    answer().catch(() => response.destroy());
  };
}

function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** Reads up to one chunk beyond the limit, which is enough for `handle` to refuse; the rest is thrown away unread. */
function readBody(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  // Somebody before us has read the body already: there is nothing left to wait for.
  if (incoming.readableEnded) return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (): void => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    incoming.on('data', (chunk: Buffer) => {
      if (length > limitBytes) return;
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > limitBytes) finish();
    });
    incoming.on('end', finish);
    incoming.on('error', reject);
    incoming.on('close', () => {
      if (!incoming.readableEnded) reject(new Error('the request was cut off'));
    });
  });
}

function send({ status, headers, body }: HttpResponse, response: ServerResponse): void {
  // HEAD and 204 have no body, and their own idea of its length.
  if (body === '') {
    response.writeHead(status, headers as OutgoingHttpHeaders).end();
    return;
  }
  const length = Buffer.byteLength(body);
  response.writeHead(status, Object.assign({ 'content-length': length }, headers as OutgoingHttpHeaders));
  // A string that is written before the end goes out in one piece with the head; handed to `end` it becomes a second one. ASCII
  // spares the encoder a look at every character.
  response.write(body, length === body.length ? 'latin1' : 'utf8');
  response.end();
}
