import type { AuthService } from './auth-service.ts';
import { isOneShot, type AuthorizedInit } from './authorized-fetch.ts';
import { HoldfastError } from './errors.ts';
import { readRetryAfterMs } from './wire.ts';
import { unlessAborted } from './within.ts';

/** When and how often a request is repeated. Idempotent methods only, or with an `Idempotency-Key` (RFC 9110 §9.2.2). */
export type RetryPolicy = {
  /** How often a request is repeated at most. Default 2. */
  readonly limit: number;
  /** First step of the exponential back-off with full jitter, in ms. Default 300. */
  readonly baseMs: number;
  /** Longest wait before a repetition, in ms; a longer `Retry-After` is handed to the caller. Default 10 000. */
  readonly capMs: number;
  /**
   * How many repetitions this client may be ahead: each costs one, and each request that succeeds gives back a tenth. An API in
   * trouble is thereby asked a tenth more, not three times as much. Default 10.
   */
  readonly budget: number;
};

/** What `createApiClient` needs to know. */
export type ApiClientOptions = {
  /** Every path is relative to it. Its origin must be one of the auth service's `resources`. */
  readonly baseUrl: string;
  readonly auth: AuthService;
  readonly retry?: Partial<RetryPolicy>;
  /**
   * How long a request may wait before it is sent for the last time, in ms: for a token, for a network, and between tries.
   * What is under way is not cut off. Default 120 000.
   */
  readonly deadlineMs?: number;
};

/** One request. */
export type ApiRequestOptions = {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. A stream can be sent only once; a function is called for each try, and makes one that can be repeated. */
  readonly body?: BodyInit | (() => BodyInit);
  readonly searchParams?: Readonly<Record<string, string | number | boolean>>;
  readonly headers?: HeadersInit;
  readonly signal?: AbortSignal;
  /** Instead of the client's `deadlineMs`. */
  readonly deadlineMs?: number;
  /** Makes a POST or PATCH safe to repeat, if the API honours it. */
  readonly idempotencyKey?: string;
};

/** The answer, or its body at once: `await api.get('/me').json()`. */
export type ApiResponse = Promise<Response> & {
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  blob(): Promise<Blob>;
};

/**
 * Requests that carry the session. Rejects with a `HoldfastError` (`http-status` when the API answered outside 2xx, `protocol`
 * when what was to be read as JSON is none), with the caller's abort reason, or with a `TypeError` for what cannot be sent.
 */
export type ApiClient = {
  readonly get: (path: string, options?: ApiRequestOptions) => ApiResponse;
  readonly post: (path: string, options?: ApiRequestOptions) => ApiResponse;
  readonly put: (path: string, options?: ApiRequestOptions) => ApiResponse;
  readonly patch: (path: string, options?: ApiRequestOptions) => ApiResponse;
  readonly delete: (path: string, options?: ApiRequestOptions) => ApiResponse;
};

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);
const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

function toRequest(baseUrl: string, method: Method, path: string, options: ApiRequestOptions): [URL, AuthorizedInit] {
  // Whatever the path is, it is below the base URL.
  const url = new URL(`./${path.replace(/^\/+/u, '')}`, baseUrl);
  for (const [name, value] of Object.entries(options.searchParams ?? {})) url.searchParams.set(name, String(value));
  const { json, body, signal, idempotencyKey } = options;
  const headers = new Headers(options.headers);
  if (idempotencyKey !== undefined) headers.set('idempotency-key', idempotencyKey);
  if (json !== undefined) headers.set('content-type', 'application/json');
  const content = json === undefined ? body : JSON.stringify(json);
  return [
    url,
    {
      method,
      headers,
      ...(signal && { signal }),
      ...(typeof content === 'function' ? { makeBody: content } : content !== undefined && { body: content }),
    },
  ];
}

function wait({ platform }: AuthService, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  let cancel = (): void => {};
  const waited = new Promise<void>((resolve) => {
    cancel = platform.clock.wake(delayMs, resolve);
  });
  return unlessAborted(signal, waited, cancel);
}

/** How long to wait before the next try, or `null` when there should be none. */
function retryDelayMs(
  outcome: Response | HoldfastError,
  tries: number,
  retry: RetryPolicy,
  random: number,
): number | null {
  if (tries > retry.limit) return null;
  const backoffMs = Math.min(retry.capMs, retry.baseMs * 2 ** (tries - 1)) * random;
  if (outcome instanceof HoldfastError) return outcome.code === 'server-unavailable' ? backoffMs : null;
  if (!RETRYABLE_STATUS.has(outcome.status)) return null;
  const askedMs = readRetryAfterMs(Object.fromEntries(outcome.headers)) ?? 0;
  return askedMs > retry.capMs ? null : Math.max(askedMs, backoffMs);
}

async function attempt(auth: AuthService, url: URL, init: AuthorizedInit): Promise<Response | HoldfastError> {
  try {
    return await auth.fetch(url, init);
  } catch (cause) {
    if (cause instanceof HoldfastError || init.signal?.aborted) throw cause;
    return new HoldfastError('server-unavailable', 'the API did not answer', { cause });
  }
}

/** One client: what it was made with, and what it has left of its budget, in tenths of a repetition. */
type Client = { readonly auth: AuthService; readonly retry: RetryPolicy; credit: number };

/** How long to wait before `outcome` is improved upon, or `null` when it is for the caller. */
function nextTryInMs(client: Client, outcome: Response | HoldfastError, tries: number, leftMs: number): number | null {
  const { auth, retry } = client;
  if (!(outcome instanceof HoldfastError) && outcome.ok) {
    client.credit = Math.min(retry.budget * 10, client.credit + 1);
    return null;
  }
  const delayMs = retryDelayMs(outcome, tries, retry, auth.platform.random());
  if (delayMs === null || delayMs > leftMs || client.credit < 10) return null;
  client.credit -= 10;
  return delayMs;
}

async function send(client: Client, url: URL, init: AuthorizedInit, deadlineMs: number): Promise<Response> {
  const { auth } = client;
  const { clock } = auth.platform;
  const endsAtMs = clock.now().monotonicMs + deadlineMs;
  const patience = { signal: init.signal, deadlineMs };
  // Whose request this is can be said once the session was restored.
  if (auth.getSnapshot().status === 'restoring') await auth.getAccessToken(patience);
  const owner = auth.owner();
  const mayRepeat =
    !isOneShot(init.body) && (IDEMPOTENT.has(init.method ?? '') || new Headers(init.headers).has('idempotency-key'));
  for (let tries = 1; ; tries++) {
    const leftMs = Math.max(0, endsAtMs - clock.now().monotonicMs);
    const outcome = await attempt(auth, url, { ...init, owner, parkDeadlineMs: leftMs });
    // In a tunnel: parked like a request that waits for a token, and sent when the network is back.
    const isLost = mayRepeat && outcome instanceof HoldfastError;
    const online = isLost ? auth.untilOnline({ ...patience, owner, deadlineMs: leftMs }) : null;
    if (online) {
      await online;
      tries = 0;
      continue;
    }
    const delayMs = nextTryInMs(client, outcome, mayRepeat ? tries : Infinity, leftMs);
    if (delayMs !== null) {
      if (!(outcome instanceof HoldfastError)) await outcome.body?.cancel();
      await wait(auth, delayMs, init.signal ?? undefined);
    } else if (outcome instanceof HoldfastError) throw outcome;
    else if (outcome.ok) return outcome;
    else throw new HoldfastError('http-status', `the API answered ${outcome.status}`, { response: outcome });
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('protocol', 'the answer of the API is not JSON', { cause });
  }
}

function withBodyReaders(response: Promise<Response>): ApiResponse {
  return Object.assign(response, {
    json: async <T>(): Promise<T> => (await readJson(await response)) as T,
    text: async () => (await response).text(),
    blob: async () => (await response).blob(),
  });
}

/**
 * Creates an API client over the session: parked while a refresh or an outage is under way, replayed after a 401, repeated
 * with back-off where that is safe.
 *
 * Throws `TypeError` if `baseUrl` is not among the origins that may receive the access token.
 *
 * @example
 * const api = createApiClient({ baseUrl: 'https://api.example.com', auth })
 * const me = await api.get('/me').json()
 */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const { auth, deadlineMs = 120_000 } = options;
  const retry: RetryPolicy = { limit: 2, baseMs: 300, capMs: 10_000, budget: 10, ...options.retry };
  const client: Client = { auth, retry, credit: retry.budget * 10 };
  const baseUrl = options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`;
  if (!URL.canParse(baseUrl)) throw new TypeError('baseUrl must be an absolute URL');
  if (!auth.resources.has(new URL(baseUrl).origin))
    throw new TypeError("baseUrl is not among the auth service's resources: add its origin there");
  const call =
    (method: Method) =>
    (path: string, request: ApiRequestOptions = {}): ApiResponse => {
      const sent = async (): Promise<Response> =>
        send(client, ...toRequest(baseUrl, method, path, request), request.deadlineMs ?? deadlineMs);
      return withBodyReaders(sent());
    };
  return { get: call('GET'), post: call('POST'), put: call('PUT'), patch: call('PATCH'), delete: call('DELETE') };
}
