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

/** Unknown members stay with a configuration when it is sent again. */
type OwnedConfig = InternalAxiosRequestConfig & { owner?: number };

/** The result of one try by axios's own adapter: an answer, and the error if axios takes it for one. */
type Outcome = { readonly response: AxiosResponse; readonly error: AxiosError | null };

/** The caller's own configuration in place of that of a try, and the request out of the sight of loggers: both hold the token. */
function withoutToken<Target extends AxiosError | AxiosResponse>(target: Target, config: OwnedConfig): Target {
  target.config = config;
  if (target.request) Object.defineProperty(target, 'request', { enumerable: false });
  return target;
}

/** One try by axios's own adapter. Rejects where there was no answer. */
async function sendOnce(adapter: AxiosAdapter, own: OwnedConfig, config: OwnedConfig): Promise<Outcome> {
  try {
    return { response: withoutToken(await adapter(own), config), error: null };
  } catch (reason) {
    if (!isAxiosError(reason)) throw reason;
    const error = withoutToken(reason, config);
    if (!error.response) throw error;
    return { response: withoutToken(error.response, config), error };
  }
}

/** The URL that an answer came from, after redirects; `''`: axios's adapter does not tell it. */
function urlOf({ request }: AxiosResponse): string {
  const { res, responseURL } = (request ?? {}) as { res?: { responseUrl?: string }; responseURL?: string };
  return res?.responseUrl ?? responseURL ?? '';
}

/** As much of an answer as decides whether its request is sent again. */
function decisiveOf({ response }: Outcome, { resources }: AuthService): Response {
  const { status } = response;
  const all = AxiosHeaders.from(response.headers as AxiosHeaders);
  const headers = new Headers();
  for (const name of ['www-authenticate', 'dpop-nonce', 'date'])
    if (all.has(name)) headers.set(name, String(all.get(name)));
  // A `Response` can have no other status, and no other one decides anything.
  const decisive = new Response(null, { status: status >= 200 && status <= 599 ? status : 200, headers });
  const url = urlOf(response);
  // A redirect between the session's own origins may take the token along.
  if (!URL.canParse(url) || resources.has(new URL(url).origin)) return decisive;
  return Object.defineProperties(decisive, { url: { value: url }, redirected: { value: true } });
}

/** A body that can be read once: a stream of the web or of Node. */
const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || 'pipe' in body || Symbol.asyncIterator in body);

/** An answer that nobody will read: as a stream it would keep its connection. */
function discard(data: unknown): void {
  const stream = data as { readonly destroy?: () => void; readonly cancel?: () => Promise<void> } | null | undefined;
  if (typeof stream?.destroy === 'function') stream.destroy();
  else if (typeof stream?.cancel === 'function') stream.cancel().catch(() => {});
}

/** A redirect to an origin that is none of the session's takes no token along, whatever axios or Node would do. */
const dropToken =
  (config: OwnedConfig, { resources }: AuthService): OwnedConfig['beforeRedirect'] =>
  (options, ...details) => {
    const { href = '', headers = {} } = options as { href?: string; headers?: Record<string, unknown> };
    if (!URL.canParse(href) || !resources.has(new URL(href).origin))
      for (const name of Object.keys(headers))
        if (['authorization', 'dpop'].includes(name.toLowerCase())) delete headers[name];
    config.beforeRedirect?.(options, ...details);
  };

/** The configuration of one try: the caller's, and what the session adds to it. */
function configOf(config: OwnedConfig, given: HeadersInit | undefined, auth: AuthService): OwnedConfig {
  // axios's adapters write into the headers that they are given.
  const headers = new AxiosHeaders(config.headers);
  const added = new Headers(given);
  if (!added.has('authorization')) return { ...config, headers };
  added.forEach((value, name) => headers.set(name, value));
  return { ...config, headers, beforeRedirect: dropToken(config, auth) } as OwnedConfig;
}

async function send(
  auth: AuthService,
  adapter: AxiosAdapter,
  config: OwnedConfig,
  url: string,
): Promise<AxiosResponse> {
  // A configuration that is sent again, as retries do, is sent for the same user.
  const owner = (config.owner ??= auth.owner());
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
  // Told that the body is a stream, `auth.fetch` sends the request once.
  const body = isStream(sent.data) ? { body: sent.data as BodyInit } : {};
  try {
    await auth.fetch(url, { method, owner, ...body, signal: patience.signal, fetch });
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
 * Makes an axios instance carry the session: every request of it waits for a token, is parked while a refresh or an outage is
 * under way, and is sent again after a 401. Instances that are attached to one `auth` share one refresh. What is sent, and how, is
 * axios's own affair as before: the adapter that it would have used (`xhr`, `http`, `fetch`, the instance's own) with the same body,
 * headers, progress, proxy and agents, and a header `Authorization` besides. Requests that bring credentials of their own (`auth`,
 * an `Authorization` header) go out without a token.
 *
 * Interceptors, `baseURL`, cancelling and `responseType` work as before; a 401 that stays one is axios's own error with the answer
 * in it. `timeout` counts over everything, also while a request is parked. A stream is sent once. What was never sent fails with an
 * `AxiosError` whose `cause` is the `HoldfastError` and whose `code` is its code: `user-changed` for a retry after somebody else
 * signed in. `request` of errors and answers is not enumerable, so that no logger writes the token.
 *
 * Answers the function that puts the instance back as it was.
 *
 * @example
 * const client = axios.create({ baseURL: 'https://api.example.com' })
 * attach(client, auth)
 * const { data } = await client.get('/me')
 */
export function attach(instance: AxiosInstance, auth: AuthService): () => void {
  const { adapter } = instance.defaults;
  const attached: AxiosAdapter = async (config: OwnedConfig) => {
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
