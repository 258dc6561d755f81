import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import { isOurPath } from './router.ts';

type Handle = (request: HttpRequest) => Promise<HttpResponse | null>;

/** The answer to a path that is not ours, where there is nobody else to answer it. */
export type AnswerUnknown = (request: Pick<HttpRequest, 'headers' | 'remoteAddress'>) => HttpResponse;

/** How long a peer that still sends may take to read a refusal, in milliseconds. Whoever has read it hangs up. */
const GRACE_MS = 1_000;

/**
 * Adapts `handle` to node:http and everything that speaks its `(request, response, next)`.
 *
 * @param answerUnknown answers a path that is not ours when there is no `next`
 */
export function createNodeListener(
  handle: Handle,
  answerUnknown: AnswerUnknown,
  bodyLimitBytes: number,
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  return (incoming, response, next) => {
    const { path, query } = splitTarget(incoming.url ?? '/');
    const peer = {
      // The one field that node:http gives as an array is `set-cookie`, which no request has a use for.
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
    // Only a peer that hung up gets here: there is nobody to answer.
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
  /** False for a body beyond the limit: more of it may come, and is not read. */
  readonly isWhole: boolean;
};

/** Reads up to one chunk beyond the limit, which is enough for `handle` to refuse, and stops there. */
function readBody(incoming: IncomingMessage, limitBytes: number): Promise<ReadBody> {
  // Somebody before us has read the body already: there is nothing left to wait for.
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
 * Sends an answer to a peer that still sends its request, reads no more of it, and closes the connection.
 *
 * The answer is complete at once. The connection stays for a moment: closing it while bytes are unread resets it, and the peer
 * would lose the answer.
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
