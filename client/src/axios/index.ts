import { getAdapter, type AxiosAdapter, type AxiosInstance, type InternalAxiosRequestConfig } from 'axios';
import type { AuthService } from '../index.ts';

/** A body that can be read once, also one of Node's. */
const isStream = (body: unknown): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && body !== null && (Symbol.asyncIterator in body || 'getReader' in body || 'pipe' in body);

/** Node's streams as the one kind that `auth.fetch` knows. */
function withWebStream(init: RequestInit | undefined): RequestInit | undefined {
  const body: unknown = init?.body;
  if (!isStream(body) || body instanceof ReadableStream) return init;
  return { ...init, body: ReadableStream.from(body) };
}

/** What `attach` changes in an instance, as it was before. */
type Before = Pick<AxiosInstance['defaults'], 'adapter'>;

/**
 * Makes an axios instance carry the session: every request of it goes out by `auth.fetch`, so it waits for a token, is
 * parked while a refresh or an outage is under way, and is sent again after a 401. Instances that are attached to one
 * `auth` share one refresh. Interceptors, `baseURL`, `timeout`, cancelling and `responseType` work as before; a 401 that
 * stays one is axios's own error with the answer in it. What was never sent fails with an `AxiosError` whose `cause` is the
 * `HoldfastError` and whose `code` is its code.
 *
 * Requests go out by axios's `fetch` adapter, in Node as well: `proxy`, `httpAgent` and a number in `maxRedirects` have no
 * effect there. `timeout` also runs while a request is parked. A stream is sent once; with `onUploadProgress` it is kept in
 * memory until it was answered, and can be sent again.
 *
 * Answers the function that puts the instance back as it was.
 *
 * @example
 * const client = axios.create({ baseURL: 'https://api.example.com' })
 * attach(client, auth)
 * const { data } = await client.get('/me')
 */
export function attach(instance: AxiosInstance, auth: AuthService): () => void {
  const { adapter }: Before = instance.defaults;
  const fetch: typeof globalThis.fetch = (input, init) => auth.fetch(input, withWebStream(init));
  const attached: AxiosAdapter = (config: InternalAxiosRequestConfig) => {
    // In a Request a stream would be copied in memory; passed as it is, it is known to be one.
    const isOneShot = isStream(config.data) && !config.onUploadProgress;
    const env = { ...config.env, fetch, ...(isOneShot ? { Request: null } : {}) };
    const own = { ...config, env } as unknown as InternalAxiosRequestConfig;
    return getAdapter('fetch', own)(own);
  };
  instance.defaults.adapter = attached;
  return () => {
    if (instance.defaults.adapter !== attached) return;
    if (adapter === undefined) delete instance.defaults.adapter;
    else instance.defaults.adapter = adapter;
  };
}
