import { untilEither } from './instant.ts';
import { refreshMarginMs } from './turn.ts';
import { dispatch, requestToken, type GrantedToken, type Shell } from './shell.ts';

// A fetch that carries the session: waits for a token, sends, and on a 401 refreshes once and sends again.

type Fetch = typeof globalThis.fetch;

/** How one request is sent, as often as it may be. */
type Plan = {
  /** Whether the body is still there after it was sent once. */
  readonly isReplayable: boolean;
  readonly send: (authorization: string) => Promise<Response>;
};

const isStream = (body: unknown): boolean => typeof ReadableStream !== 'undefined' && body instanceof ReadableStream;

function withAuthorization(headers: HeadersInit | undefined, authorization: string): Headers {
  const all = new Headers(headers);
  all.set('authorization', authorization);
  return all;
}

/**
 * Decides before sending whether the request can be repeated. A stream in `init` cannot: it is sent once. The body of a
 * `Request` is cloned for the first try, so that the original is left for the second.
 */
function planRequest(input: RequestInfo | URL, init: RequestInit | undefined, fetch: Fetch): Plan {
  if (isStream(init?.body))
    return {
      isReplayable: false,
      send: (authorization) =>
        fetch(input, { ...init, headers: withAuthorization(headersOf(input, init), authorization) }),
    };
  if (!(input instanceof Request))
    return {
      isReplayable: true,
      send: (authorization) => fetch(input, { ...init, headers: withAuthorization(init?.headers, authorization) }),
    };
  const request = new Request(input, init);
  return {
    isReplayable: true,
    send: (authorization) => {
      const attempt = request.clone();
      attempt.headers.set('authorization', authorization);
      return fetch(attempt);
    },
  };
}

const headersOf = (input: RequestInfo | URL, init: RequestInit | undefined): HeadersInit | undefined =>
  init?.headers ?? (input instanceof Request ? input.headers : undefined);

/**
 * Whether a 401 is about the access token. A challenge that names another error (RFC 6750 §3.1 `insufficient_scope`,
 * RFC 9470 `insufficient_user_authentication`) is for the caller: a fresh token would be answered the same.
 */
function isTokenRefused(response: Response): boolean {
  if (response.status !== 401) return false;
  const error = /\berror="?([a-z_]+)/iu.exec(response.headers.get('www-authenticate') ?? '');
  return error === null || error[1] === 'invalid_token';
}

/** The URL that a request goes to, or `null` if it is none. */
function targetOf(input: RequestInfo | URL, base: string): URL | null {
  const url = input instanceof Request ? input.url : String(input);
  return URL.canParse(url, base) ? new URL(url, base) : null;
}

const isNearExpiry = (token: GrantedToken, shell: Shell): boolean =>
  untilEither(token.access.expiresAt, shell.platform.clock.now()) <=
  refreshMarginMs(token.access, shell.state.jitter, shell.policy);

async function sendAuthorized(
  shell: Shell,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  fetch: Fetch,
): Promise<Response> {
  const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
  const plan = planRequest(input, init, fetch);
  let token = await requestToken(shell, { signal });
  // What can be sent only once must not be spent on a token that is about to be refused.
  if (!plan.isReplayable && isNearExpiry(token, shell))
    token = await requestToken(shell, { signal, newerThan: token.generation });
  const first = await plan.send(`${token.access.tokenType} ${token.access.value}`);
  if (!isTokenRefused(first)) return first;
  dispatch(shell, { type: 'tokenRefused', generation: token.generation });
  if (!plan.isReplayable) return first;
  // A 401 comes from before any side effect (RFC 9110 §15.5.2), so any method may be sent again.
  await first.body?.cancel();
  const fresh = await requestToken(shell, { signal, newerThan: token.generation });
  return plan.send(`${fresh.access.tokenType} ${fresh.access.value}`);
}

/**
 * A `fetch` that sends the session's access token to the origins in `resources`, and to nobody else: requests to other
 * origins, and requests that bring an `Authorization` header of their own, pass through untouched.
 *
 * Rejects like `fetch`, with the caller's abort reason, or with a `HoldfastError` when the request was never sent
 * (`signed-out`, `user-changed`, `deadline-exceeded`, `queue-full`).
 */
export function createAuthorizedFetch(shell: Shell, resources: ReadonlySet<string>, base: string, fetch: Fetch): Fetch {
  return async (input, init) => {
    const target = targetOf(input, base);
    const isOurs = target !== null && resources.has(target.origin);
    if (!isOurs || new Headers(headersOf(input, init)).has('authorization')) return fetch(input, init);
    return sendAuthorized(shell, input, init, fetch);
  };
}
