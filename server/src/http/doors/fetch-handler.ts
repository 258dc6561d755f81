import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import type { AnswerUnknown } from './node-listener.ts';
import { isOurPath } from './router.ts';

type Handle = (request: HttpRequest) => Promise<HttpResponse | null>;

/**
 * Adapts `handle` to web-standard hosts.
 *
 * @param answerUnknown answers a path that is not ours
 */
export function createFetchHandler(
  handle: Handle,
  answerUnknown: AnswerUnknown,
  bodyLimitBytes: number,
): (request: Request, info?: { readonly remoteAddress?: string }) => Promise<Response> {
  return async (request, info = {}) => {
    const { pathname, search } = new URL(request.url);
    const peer = { headers: Object.fromEntries(request.headers), remoteAddress: info.remoteAddress ?? '' };
    if (!isOurPath(pathname)) return toResponse(answerUnknown(peer));
    const response = await handle({
      method: request.method,
      path: pathname,
      query: search.slice(1),
      ...peer,
      body: await readBody(request, bodyLimitBytes),
    });
    return toResponse(response ?? answerUnknown(peer));
  };
}

/** Reads just beyond the limit, so that `handle` can refuse the body. */
async function readBody(request: Request, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > limitBytes) break;
  }
  return Buffer.concat(chunks);
}

function toResponse({ status, headers, body }: HttpResponse): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const field of typeof value === 'string' ? [value] : value) fields.append(name, field);
  }
  return new Response(body === '' ? null : body, { status, headers: fields });
}
