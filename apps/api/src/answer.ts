import type { IncomingMessage, ServerResponse } from 'node:http';
import { HoldfastServerError } from '@holdfast/server';

/** A route's answer, as data. `body` undefined: no content. */
export type Answer = {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/**
 * An error answer.
 *
 * @param status the HTTP status code
 * @param title what kind of error it is, the same words every time
 * @param detail what the caller can do about this one; never echoes input
 * @see RFC 9457 section 3
 */
export function problem(
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    body: { type: 'about:blank', title, status, detail },
    headers: { 'content-type': 'application/problem+json', ...headers },
  };
}

/** How long a peer that still sends may take to read the answer, in milliseconds. */
const graceMs = 1_000;

/** Writes an answer; JSON unless its headers say otherwise, and never cached: every answer belongs to one user. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
  const isRead = response.req.complete || !hasBody(response.req);
  response.writeHead(answer.status, {
    'cache-control': 'no-store',
    ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...answer.headers,
    ...(isRead ? {} : { connection: 'close' }),
  });
  if (isRead) return void response.end(text);
  // No more of the request is read. The connection closes when the peer has had the time to read the answer: closed at once, it
  // would be reset, and the answer lost.
  response.req.pause();
  if (text === '') response.flushHeaders();
  else response.write(text);
  const timer = setTimeout(() => response.end(() => response.req.socket.destroy()), graceMs);
  response.once('close', () => clearTimeout(timer));
}

/** True if a request brings a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The answer to a failure inside: the cause stays inside, and the caller learns whether to try again. */
export function answerForError(error: unknown): Answer {
  const isRetryable = error instanceof HoldfastServerError ? error.isRetryable : isDatabaseOutage(error);
  if (!isRetryable) return problem(500, 'Internal Server Error', 'The server could not answer this request.');
  return problem(503, 'Service Unavailable', 'The database does not answer.', { 'retry-after': '1' });
}

/**
 * Lost connections and PostgreSQL's classes for them (08, 57), for conflicts (40, 55) and for lack of resources (53).
 * Any other code is a mistake in this program.
 */
function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return /^(?:08|40|53|55|57|E[A-Z])/.test(code) || /timeout|terminated/i.test(error.message);
}
