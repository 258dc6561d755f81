import type { AuthService } from './auth-service.ts';
import { isOneShot, type AuthorizedInit, type RequestBody } from './authorized-fetch.ts';
import { HoldfastError } from './core/errors.ts';
import { readRetryAfterMs } from './core/wire.ts';
import type { TokenRequest } from './runtime/effect-runner.ts';
import { unlessAborted } from './runtime/timeouts.ts';
import { untilOnline } from './until-online.ts';

/**
 * When and how often a request is repeated: idempotent methods only, or with an `Idempotency-Key` (RFC 9110 §9.2.2).
 */
export type RetryPolicy = {
  /** Largest number of repetitions of one request. Default: as many as its deadline allows. */
  readonly limit: number;
  /** First step of the exponential back-off with full jitter, in ms. Default 300. */
  readonly baseMs: number;
  /** Longest wait before a repetition, in ms. A longer `Retry-After` is handed to the caller. Default 10 000. */
  readonly capMs: number;
  /**
   * How many repetitions this client may be ahead. Each repetition costs one. One comes back every five seconds, a
   * tenth with each request that succeeds, and two with each repetition that does. So an API in trouble is asked little
   * more than without repetitions, and waiting requests are sent soon after the trouble is over. Default 10.
   */
  readonly budget: number;
};

/** Options of `createApiClient`. */
export type ApiClientOptions = {
  /** Every path is relative to it. Its origin must be one of the auth service's `resources`. */
  readonly baseUrl: string;
  readonly auth: AuthService;
  readonly retry?: Partial<RetryPolicy>;
  /**
   * How long a request may wait before it is sent for the last time, in ms: for a token, for a network, and between
   * tries. A try under way is not cut off. Default 120 000.
   */
  readonly deadlineMs?: number;
};

/** Options of one request. */
export type ApiRequestOptions = {
  /** Sent as JSON. */
  readonly json?: unknown;
  /**
   * Sent as it is. A stream can be sent only once. A function is called for each try, so its body can be sent again.
   */
  readonly body?: RequestBody | (() => RequestBody);
  readonly searchParams?: Readonly<Record<string, string | number | boolean>>;
  readonly headers?: NonNullable<RequestInit['headers']>;
  readonly signal?: AbortSignal;
  /** Used instead of the client's `deadlineMs`. */
  readonly deadlineMs?: number;
  /** Makes a POST or PATCH safe to repeat, if the API honours the key. */
  readonly idempotencyKey?: string;
};

/** The response, or its body at once: `await api.get('/me').json()`. */
export type ApiResponse = Promise<Response> & {
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  blob(): Promise<Blob>;
};

/**
 * Sends requests that carry the session. Rejects with a `HoldfastError` (`http-status` if the API answered outside 2xx,
 * `protocol` if a body that is read as JSON is none), with the caller's abort reason, or with a `TypeError` for a
 * request that cannot be sent.
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
  // Keep the path relative: it must not name another origin.
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

function wait({ platform }: AuthService, delayMs: number, signal: AbortSignal | null | undefined): Promise<void> {
  let cancel = (): void => {};
  const waited = new Promise<void>((resolve) => {
    cancel = platform.clock.wake(delayMs, resolve);
  });
  return unlessAborted(signal, waited, cancel);
}

/** How long to wait before the next try; `null`: there is none. */
function retryDelayMs(
  outcome: Response | HoldfastError,
  tries: number,
  retry: RetryPolicy,
  leftMs: number,
  random: number,
): number | null {
  if (tries > retry.limit || retry.budget < 1 || leftMs <= 0) return null;
  // Make the last try when the deadline comes.
  const backoffMs = Math.min(leftMs, Math.min(retry.capMs, retry.baseMs * 2 ** (tries - 1)) * random);
  if (outcome instanceof HoldfastError) return outcome.code === 'server-unavailable' ? backoffMs : null;
  if (!RETRYABLE_STATUS.has(outcome.status)) return null;
  const askedMs = readRetryAfterMs(Object.fromEntries(outcome.headers)) ?? 0;
  return askedMs > Math.min(leftMs, retry.capMs) ? null : Math.max(askedMs, backoffMs);
}

async function attempt(auth: AuthService, url: URL, init: AuthorizedInit): Promise<Response | HoldfastError> {
  try {
    return await auth.fetch(url, init);
  } catch (cause) {
    if (cause instanceof HoldfastError || init.signal?.aborted) throw cause;
    return new HoldfastError('server-unavailable', 'the API did not answer', { cause });
  }
}

/** One client: its options, and what was left of its budget at `atMs`, in tenths of a repetition. */
type Client = { readonly auth: AuthService; readonly retry: RetryPolicy; credit: number; atMs: number };

/** Time in which one tenth of a repetition comes back, in ms. */
const REFILL_MS = 500;

const nowMs = ({ auth }: Client): number => auth.platform.clock.now().monotonicMs;

function earn(client: Client, tenths: number): void {
  const { retry, credit, atMs } = client;
  client.atMs = nowMs(client);
  client.credit = Math.min(retry.budget * 10, credit + (client.atMs - atMs) / REFILL_MS + tenths);
}

/** Pays for a repetition; `false`: the budget does not allow one now. */
function spend(client: Client): boolean {
  earn(client, 0);
  const isPaid = client.credit >= 10;
  if (isPaid) client.credit -= 10;
  return isPaid;
}

/** Longest time until a request that is out of budget looks again, in ms. */
const LOOK_MS = 2_000;

/** One request on its way through its tries. */
type Trip = { readonly patience: Pick<TokenRequest, 'signal' | 'userEpoch'>; readonly endsAtMs: number };

/**
 * Waits before the next try: for `delayMs`, for the budget, or until the network is back. Without a network the request
 * is parked like one that waits for a token.
 *
 * @returns why there is a next try; `null`: the deadline came first
 */
async function waitForTurn(
  client: Client,
  { patience, endsAtMs }: Trip,
  delayMs: number,
  isLost: boolean,
): Promise<'again' | 'online' | null> {
  const { auth } = client;
  for (let nextMs = delayMs; ; nextMs = LOOK_MS * auth.platform.random()) {
    const startMs = nowMs(client);
    const deadlineMs = endsAtMs - startMs;
    const pauseMs = Math.min(nextMs, deadlineMs);
    const online = isLost ? untilOnline(auth, { ...patience, deadlineMs, pauseMs }) : null;
    await (online ?? wait(auth, pauseMs, patience.signal));
    if (online && nowMs(client) < startMs + pauseMs) return 'online';
    if (spend(client)) return 'again';
    if (nowMs(client) >= endsAtMs) return null;
  }
}

async function send(client: Client, url: URL, init: AuthorizedInit, deadlineMs: number): Promise<Response> {
  const { auth, retry } = client;
  const endsAtMs = nowMs(client) + deadlineMs;
  const patience = { signal: init.signal, deadlineMs };
  // The request's user epoch is known only once the session was restored.
  if (auth.getSnapshot().status === 'restoring') await auth.getAccessToken(patience);
  const userEpoch = auth.userEpoch();
  const trip: Trip = { patience: { signal: init.signal, userEpoch }, endsAtMs };
  const mayRepeat =
    !isOneShot(init.body) && (IDEMPOTENT.has(init.method ?? '') || new Headers(init.headers).has('idempotency-key'));
  for (let tries = 1; ; tries++) {
    const leftMs = Math.max(0, endsAtMs - nowMs(client));
    const outcome = await attempt(auth, url, { ...init, userEpoch, deadlineMs: leftMs });
    const isLost = outcome instanceof HoldfastError;
    if (!isLost && outcome.ok) {
      earn(client, tries > 1 ? 20 : 1);
      return outcome;
    }
    const restMs = Math.max(0, endsAtMs - nowMs(client));
    const delayMs = mayRepeat ? retryDelayMs(outcome, tries, retry, restMs, auth.platform.random()) : null;
    const turn = delayMs === null ? null : await waitForTurn(client, trip, delayMs, isLost);
    if (turn === 'online') tries = 0;
    if (isLost) {
      if (!turn) throw outcome;
    } else if (turn) await outcome.body?.cancel();
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
 * Creates an API client over the session. Its requests are parked during a refresh or an outage, sent again after a
 * 401, and repeated with back-off where that is safe.
 *
 * @throws TypeError if `baseUrl` is not absolute, or not among the origins that may receive the access token
 *
 * @example
 * const api = createApiClient({ baseUrl: 'https://api.example.com', auth })
 * const me = await api.get('/me').json()
 */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const { auth, deadlineMs = 120_000 } = options;
  const retry: RetryPolicy = { limit: Infinity, baseMs: 300, capMs: 10_000, budget: 10, ...options.retry };
  const client: Client = { auth, retry, credit: retry.budget * 10, atMs: auth.platform.clock.now().monotonicMs };
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
