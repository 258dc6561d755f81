import {
  AxiosError,
  AxiosHeaders,
  getAdapter,
  isAxiosError,
  type AxiosAdapter,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios';
import { HoldfastError, type AuthService } from '../index.ts';
import { waitAsAxios } from './patience.ts';
import { withRepeatableForm } from './repeatable-form.ts';

/** A configuration with its user epoch. axios keeps unknown members when a configuration is sent again. */
type EpochConfig = InternalAxiosRequestConfig & { userEpoch?: number };

/** The result of one try by axios's own adapter: a response, and axios's error if it treats the response as one. */
type Outcome = { readonly response: AxiosResponse; readonly error: AxiosError | null };

/** Restores the caller's configuration and hides `request` from loggers: those of the try contain the token. */
function withoutToken<Target extends AxiosError | AxiosResponse>(target: Target, config: EpochConfig): Target {
  target.config = config;
  if (target.request) Object.defineProperty(target, 'request', { enumerable: false });
  return target;
}

/** Sends one try with axios's own adapter. Rejects if there was no response. */
async function sendOnce(adapter: AxiosAdapter, own: EpochConfig, config: EpochConfig): Promise<Outcome> {
  try {
    return { response: withoutToken(await adapter(own), config), error: null };
  } catch (reason) {
    if (!isAxiosError(reason)) throw reason;
    const error = withoutToken(reason, config);
    if (!error.response) throw error;
    return { response: withoutToken(error.response, config), error };
  }
}

/** Returns the URL of a response after redirects; `''` if axios's adapter does not report it. */
function urlOf({ request }: AxiosResponse): string {
  const { res, responseURL } = (request ?? {}) as { res?: { responseUrl?: string }; responseURL?: string };
  return res?.responseUrl ?? responseURL ?? '';
}

/** Copies the parts of a response that decide if its request is sent again. */
function decisiveOf({ response }: Outcome, { resources }: AuthService): Response {
  const { status } = response;
  const all = AxiosHeaders.from(response.headers as AxiosHeaders);
  const headers = new Headers();
  for (const name of ['www-authenticate', 'dpop-nonce', 'date'])
    if (all.has(name)) headers.set(name, String(all.get(name)));
  // Use 200 for a status that `Response` does not accept: it has no effect on the decision.
  const decisive = new Response(null, { status: status >= 200 && status <= 599 ? status : 200, headers });
  const url = urlOf(response);
  // A redirect between the session's own origins may carry the token, so do not mark it as redirected.
  if (!URL.canParse(url) || resources.has(new URL(url).origin)) return decisive;
  return Object.defineProperties(decisive, { url: { value: url }, redirected: { value: true } });
}

/** True for a body that can be read only once: a web stream or a Node stream. */
const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || 'pipe' in body || Symbol.asyncIterator in body);

/** Discards the data of a response that no caller will read: an unread stream would keep its connection open. */
function discard(data: unknown): void {
  const stream = data as { readonly destroy?: () => void; readonly cancel?: () => Promise<void> } | null | undefined;
  if (typeof stream?.destroy === 'function') stream.destroy();
  else if (typeof stream?.cancel === 'function') stream.cancel().catch(() => {});
}

/** Removes the token before a redirect to an origin outside the session, whatever axios or Node would do. */
const dropToken =
  (config: EpochConfig, { resources }: AuthService): EpochConfig['beforeRedirect'] =>
  (options, ...details) => {
    const { href = '', headers = {} } = options as { href?: string; headers?: Record<string, unknown> };
    if (!URL.canParse(href) || !resources.has(new URL(href).origin))
      for (const name of Object.keys(headers))
        if (['authorization', 'dpop'].includes(name.toLowerCase())) delete headers[name];
    config.beforeRedirect?.(options, ...details);
  };

/** Makes the configuration of one try: the caller's, with the headers that the session adds. */
function configOf(config: EpochConfig, given: HeadersInit | undefined, auth: AuthService): EpochConfig {
  // Copy the headers: axios's adapters modify them.
  const headers = new AxiosHeaders(config.headers);
  const added = new Headers(given);
  if (!added.has('authorization')) return { ...config, headers };
  added.forEach((value, name) => headers.set(name, value));
  return { ...config, headers, beforeRedirect: dropToken(config, auth) } as EpochConfig;
}

async function send(
  auth: AuthService,
  adapter: AxiosAdapter,
  config: EpochConfig,
  url: string,
): Promise<AxiosResponse> {
  // Remember the user epoch in the configuration: a retry must be sent for the same user.
  const userEpoch = (config.userEpoch ??= auth.userEpoch());
  const patience = waitAsAxios(config);
  const sent = withRepeatableForm(config);
  let outcome = null as Outcome | null;
  const fetch = async (_input: unknown, init?: RequestInit): Promise<Response> => {
    discard(outcome?.response.data);
    const own = { ...configOf(sent, init?.headers, auth), ...patience.begin() };
    outcome = await sendOnce(adapter, own, config).finally(patience.end);
    return decisiveOf(outcome, auth);
  };
  const method = (config.method ?? 'get').toUpperCase();
  // Pass a stream on, so that `auth.fetch` sends the request only once.
  const body = isStream(sent.data) ? { body: sent.data as BodyInit } : {};
  try {
    await auth.fetch(url, { method, userEpoch, ...body, signal: patience.signal, fetch });
  } catch (error) {
    throw error instanceof HoldfastError ? AxiosError.from(error, error.code, config) : error;
  } finally {
    patience.stop();
  }
  const { response, error } = outcome as Outcome;
  if (error) throw error;
  return response;
}

/**
 * Attaches an axios instance to the session. Each of its requests waits for a token, is parked during a refresh or an
 * outage, and is sent again after a 401. Instances attached to one `auth` share one refresh. axios still sends the
 * requests itself: with the adapter that it would have used (`xhr`, `http`, `fetch`, the instance's own) and the same
 * body, headers, progress, proxy and agents. Only the `Authorization` header is added. Requests with credentials of
 * their own (`auth`, an `Authorization` header, a user in the URL) are sent without a token.
 *
 * Interceptors, `baseURL`, cancelling and `responseType` work as before. A 401 after the retry is axios's own error
 * with the response in it. `timeout` covers everything, including the time while a request is parked. A stream is sent
 * only once. A request that was never sent fails with an `AxiosError` whose `cause` is the `HoldfastError` and whose
 * `code` is its code, such as `user-changed` for a retry after another user signed in. `request` of errors and
 * responses is not enumerable, so that no logger writes the token.
 *
 * @returns the function that detaches the instance
 * @example
 * const client = axios.create({ baseURL: 'https://api.example.com' })
 * attach(client, auth)
 * const { data } = await client.get('/me')
 */
export function attach(instance: AxiosInstance, auth: AuthService): () => void {
  const { adapter } = instance.defaults;
  const attached: AxiosAdapter = async (config: EpochConfig) => {
    const own = getAdapter(adapter, config);
    const url = instance.getUri(config);
    const hasCredentials = config.auth || config.headers.has('authorization') || /^\w+:\/\/[^/?#]*@/u.test(url);
    return hasCredentials ? own(config) : send(auth, own, config, url);
  };
  instance.defaults.adapter = attached;
  return () => {
    if (instance.defaults.adapter === attached) Object.assign(instance.defaults, { adapter });
  };
}
