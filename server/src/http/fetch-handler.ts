import type { HttpRequest, HttpResponse } from './message.ts';
import { isOurPath, notFound } from './router.ts';

type Handle = (request: HttpRequest) => Promise<HttpResponse | null>;

/** Adapts `handle` to web-standard hosts. */
export function createFetchHandler(
  handle: Handle,
  bodyLimitBytes: number,
): (request: Request, info?: { readonly remoteAddress?: string }) => Promise<Response> {
  return async (request, info = {}) => {
    const { pathname, search } = new URL(request.url);
    if (!isOurPath(pathname)) return toResponse(notFound());
    const response = await handle({
      method: request.method,
      path: pathname,
      query: search.slice(1),
      headers: Object.fromEntries(request.headers),
      body: await readBody(request, bodyLimitBytes),
      remoteAddress: info.remoteAddress ?? '',
    });
    return toResponse(response ?? notFound());
  };
}

/** Reads until the limit is passed, which is enough for `handle` to refuse. */
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
