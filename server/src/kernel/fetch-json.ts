/** The part of the standard `fetch` that this package uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The authorization server did not answer, or answered wrongly. The caller may repeat the request that needed it. */
export class AuthorizationServerUnavailable extends Error {
  override readonly name = 'AuthorizationServerUnavailable';
}

export type JsonAnswer = {
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
};

/**
 * Gets a JSON object from the authorization server, or posts a form for one. Follows no redirect: a key set from
 * another place cannot be trusted.
 *
 * @throws AuthorizationServerUnavailable
 */
export async function fetchJson(
  fetch: Fetch,
  url: string,
  limits: { readonly timeoutMs: number; readonly bytes: number; readonly signal?: AbortSignal },
  request: { readonly headers?: Readonly<Record<string, string>>; readonly form?: URLSearchParams } = {},
): Promise<JsonAnswer> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const signal = limits.signal === undefined ? timeout : AbortSignal.any([timeout, limits.signal]);
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json', ...request.headers },
      redirect: 'error',
      signal,
      ...(request.form !== undefined && { method: 'POST', body: request.form }),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    }
    const body: unknown = JSON.parse(await readText(response, limits.bytes));
    if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Error('no JSON object');
    return { body: body as JsonAnswer['body'], headers: response.headers };
  } catch (cause) {
    throw new AuthorizationServerUnavailable(`${new URL(url).pathname} was not answered`, { cause });
  }
}

async function readText(response: Response, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > limitBytes) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Checks that keys and revocations may be fetched from a URL: https, or http on the loopback interface. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** @param hostname as `URL` gives it */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
