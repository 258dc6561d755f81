import { getAdapter, type AxiosAdapter, type AxiosInstance, type InternalAxiosRequestConfig } from 'axios';
import type { AuthService } from '../index.ts';
import { isStream, toWebStream } from './stream-body.ts';

/** The body as `auth.fetch` knows it, so that it never sends half a stream again. */
function withWebStream(init: RequestInit | undefined): RequestInit | undefined {
  const body: unknown = init?.body;
  return isStream(body) ? { ...init, body: toWebStream(body) } : init;
}

/** Unknown members stay with a configuration when it is sent again. */
type OwnedConfig = InternalAxiosRequestConfig & { owner?: number };

/**
 * Makes an axios instance carry the session: every request of it goes out by `auth.fetch`, so it waits for a token, is
 * parked while a refresh or an outage is under way, and is sent again after a 401. Instances that are attached to one
 * `auth` share one refresh. Interceptors, `baseURL`, `timeout`, cancelling and `responseType` work as before; a 401 that
 * stays one is axios's own error with the answer in it. What was never sent fails with an `AxiosError` whose `cause` is the
 * `HoldfastError` and whose `code` is its code: `user-changed` for a retry after somebody else signed in.
 *
 * Requests go out by axios's `fetch` adapter, in Node as well: `proxy`, `httpAgent` and a number in `maxRedirects` have no
 * effect there, and a timeout's code is `ETIMEDOUT`. `timeout` also runs while a request is parked. A stream is sent once; with
 * `onUploadProgress` it is kept in memory until it was answered, and can be sent again.
 *
 * Answers the function that puts the instance back as it was.
 *
 * @example
 * const client = axios.create({ baseURL: 'https://api.example.com' })
 * attach(client, auth)
 * const { data } = await client.get('/me')
 */
export function attach(instance: AxiosInstance, auth: AuthService): () => void {
  const { adapter, env } = instance.defaults;
  const attached: AxiosAdapter = (config: OwnedConfig) => {
    // Whoever sends the same configuration again, as retries do, sends it for the same user.
    const owner = (config.owner ??= auth.owner());
    const fetch: typeof globalThis.fetch = (input, init) => auth.fetch(input, { ...withWebStream(init), owner });
    // In a Request a stream would be copied in memory; passed as it is, it is known to be one.
    const isOneShot = isStream(config.data) && !config.onUploadProgress;
    const ownEnv = { ...config.env, fetch, ...(isOneShot ? { Request: null } : {}) };
    const own = { ...config, env: ownEnv } as InternalAxiosRequestConfig;
    return getAdapter('fetch', own)(own);
  };
  // In Node, axios would write forms with a class that makes a stream of them; the global one can be sent twice.
  Object.assign(instance.defaults, { adapter: attached, env: { ...env, FormData: globalThis.FormData } });
  return () => {
    if (instance.defaults.adapter === attached) Object.assign(instance.defaults, { adapter, env });
  };
}
