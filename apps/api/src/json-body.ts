import type { IncomingMessage } from 'node:http';
import { problem, type Answer } from './answer.ts';

/** The largest request body, in bytes. The longest note, all of it escaped, fits. */
const maxBodyBytes = 32 * 1_024;

/** A body that was read, or the answer that refuses it. */
export type JsonBody =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly answer: Answer };

/**
 * Reads a JSON object from a request.
 *
 * @returns the object, or 415 (not JSON by its content type), 413 (too large) or 400 (not a JSON object in UTF-8)
 */
export async function readJsonBody(request: IncomingMessage): Promise<JsonBody> {
  if (!/^application\/json(?:\s*;|$)/i.test(request.headers['content-type'] ?? '')) {
    return refuse(415, 'Unsupported Media Type', 'Send the body as application/json.');
  }
  const bytes = await readBytes(request);
  if (bytes === undefined) {
    return refuse(413, 'Content Too Large', `The body may have ${maxBodyBytes} bytes at most.`);
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { ok: true, value: value as Readonly<Record<string, unknown>> };
    }
  } catch {
    // Falls through to the same answer: what the parser says would echo the input.
  }
  return refuse(400, 'Bad Request', 'The body is not a JSON object.');
}

async function readBytes(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The rest of a body that is too large stays unread, and the request alive for its answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refuse(status: number, title: string, detail: string): JsonBody {
  return { ok: false, answer: problem(status, title, detail) };
}
