import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import { isOurPath } from './router.ts';

type Handle = (request: HttpRequest) => Promise<HttpResponse | null>;

/** Answers a path that is not ours when no other handler does. */
export type AnswerUnknown = (request: Pick<HttpRequest, 'headers' | 'remoteAddress'>) => HttpResponse;

/**
 * How long a peer that is still sending may take to read a refusal, in milliseconds. A peer hangs up once it has read
 * it.
 */
const GRACE_MS = 1_000;

/**
 * Adapts `handle` to node:http and frameworks with its `(request, response, next)`.
 *
 * @param answerUnknown answers a path that is not ours if there is no `next`
 */
export function createNodeListener(
  handle: Handle,
  answerUnknown: AnswerUnknown,
  bodyLimitBytes: number,
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  return (incoming, response, next) => {
    const { path, query } = splitTarget(incoming.url ?? '/');
    const peer = {
      // node:http gives only `set-cookie` as an array, and we never read it from a request.
      headers: incoming.headers as HttpRequest['headers'],
      remoteAddress: incoming.socket.remoteAddress ?? '',
    };
    if (!isOurPath(path)) {
      if (next !== undefined) next();
      else if (hasBody(incoming)) sendAndClose(answerUnknown(peer), incoming, response);
      else send(answerUnknown(peer), response);
      return;
    }
    const answer = async (): Promise<void> => {
      const { body, isWhole } = await readBody(incoming, bodyLimitBytes);
      const answered = await handle({ method: incoming.method ?? 'GET', path, query, ...peer, body });
      if (isWhole) send(answered ?? answerUnknown(peer), response);
      else sendAndClose(answered ?? answerUnknown(peer), incoming, response);
    };
    // The request fails only if the peer hung up, so there is no one to answer.
    answer().catch(() => response.destroy());
  };
}

function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

type ReadBody = {
  readonly body: Buffer;
  /** False for a body beyond the limit: the rest is not read. */
  readonly isWhole: boolean;
};

/** Reads up to one chunk beyond the limit, so that `handle` can refuse the body, and stops there. */
function readBody(incoming: IncomingMessage, limitBytes: number): Promise<ReadBody> {
  // An earlier handler has read the body, so no events would follow.
  if (incoming.readableEnded) return Promise.resolve({ body: Buffer.alloc(0), isWhole: true });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (isWhole: boolean): void => {
      resolve({ body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks), isWhole });
    };
    const read = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length <= limitBytes) return;
      incoming.off('data', read).pause();
      finish(false);
    };
    incoming.on('data', read);
    incoming.on('end', () => finish(true));
    incoming.on('error', reject);
    incoming.on('close', () => {
      if (!incoming.readableEnded) reject(new Error('the request was cut off'));
    });
  });
}

/**
 * Sends a response to a peer that is still sending its request, reads no more, and closes the connection.
 *
 * The response is complete at once. The connection stays open for a moment: closing it with unread bytes resets it, and
 * the peer would lose the response.
 *
 * @see RFC 9112 §9.6
 */
function sendAndClose(
  { status, headers, body }: HttpResponse,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  const ending = { connection: 'close', 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, Object.assign(ending, headers as OutgoingHttpHeaders));
  if (body === '') response.flushHeaders();
  else response.write(body);
  const timer = setTimeout(() => response.end(() => incoming.socket.destroy()), GRACE_MS);
  response.once('close', () => clearTimeout(timer));
}

function send({ status, headers, body }: HttpResponse, response: ServerResponse): void {
  // HEAD and 204 responses have no body and must not get a `content-length` of 0.
  if (body === '') {
    response.writeHead(status, headers as OutgoingHttpHeaders).end();
    return;
  }
  const length = Buffer.byteLength(body);
  response.writeHead(status, Object.assign({ 'content-length': length }, headers as OutgoingHttpHeaders));
  // `write` before `end` sends head and body in one piece; `end(body)` would send two. `latin1` spares the encoder a
  // look at every character of an ASCII body.
  response.write(body, length === body.length ? 'latin1' : 'utf8');
  response.end();
}
