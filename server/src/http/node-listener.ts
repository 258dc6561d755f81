import type { IncomingMessage, ServerResponse } from 'node:http';
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
        headers: joinHeaders(incoming.headers),
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

/** Reads up to one byte beyond the limit, which is enough for `handle` to refuse; the rest is thrown away unread. */
function readBody(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  // Somebody before us has read the body already: there is nothing left to wait for.
  if (incoming.readableEnded) return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      if (length > limitBytes) return;
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > limitBytes) resolve(Buffer.concat(chunks));
    });
    incoming.once('end', () => resolve(Buffer.concat(chunks)));
    incoming.once('error', reject);
    incoming.once('close', () => {
      if (!incoming.readableEnded) reject(new Error('the request was cut off'));
    });
  });
}

function joinHeaders(headers: IncomingMessage['headers']): HttpRequest['headers'] {
  const joined: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    joined[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}

function send({ status, headers, body }: HttpResponse, response: ServerResponse): void {
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) fields[name] = typeof value === 'string' ? value : [...value];
  // HEAD and 204 have no body, and their own idea of its length.
  if (body !== '') fields['content-length'] = String(Buffer.byteLength(body));
  response.writeHead(status, fields);
  // A string that is written before the end goes out with the head in one plain write; handed to `end` it becomes two.
  if (body !== '') response.write(body);
  response.end();
}
