import { HoldfastError } from './core/errors.ts';
import { orNull } from './core/or-null.ts';
import type { GrantedToken, Trial } from './core/state.ts';
import { freshMs } from './core/stored-session.ts';
import { claimsOf } from './core/wire.ts';
import { recordResponseHeaders, signProof } from './runtime/authorization-server.ts';
import { dispatch, requestToken, tellObservers, type TokenRequest } from './runtime/effect-runner.ts';
import type { Shell } from './runtime/shell.ts';

// A `fetch` that carries the session: waits for a token, sends, and after a 401 refreshes once and sends again.

type Fetch = typeof globalThis.fetch;

/** `BodyInit` of the DOM, under a name that Node's declarations know as well. */
export type RequestBody = NonNullable<RequestInit['body']>;

/** `RequestInit`, and how long the request may be parked in total, in ms. Default: `policy.deadlineMs`. */
export type AuthorizedInit = RequestInit & {
  readonly deadlineMs?: number;
  /** `auth.userEpoch()` when the request was first made. In another epoch it fails with `user-changed`. */
  readonly userEpoch?: number;
  /**
   * The resource to request a token for, if the endpoint refuses the ordinary token as one for another audience (401,
   * `reason="audience"`): the issuer, for its account endpoints. The refresh then asks for that resource, and the
   * session keeps its ordinary token. Use this only for endpoints of that very resource: a receiver of a token for the
   * issuer can act on the user's account.
   * @see RFC 8707
   */
  readonly resource?: string;
  /** Makes a new body for each try, in place of `body`, so that a stream can be sent again as well. */
  readonly makeBody?: () => RequestBody;
  /**
   * Sends the tries of this request, in place of the service's `fetch`. For HTTP libraries that send in their own way.
   */
  readonly fetch?: Fetch;
};

/** A drop-in for `fetch` that carries the session. */
export type AuthorizedFetch = (input: string | URL | Request, init?: AuthorizedInit) => Promise<Response>;

/** How one request is sent, and whether it can be sent again. */
type Plan = {
  /** True if the body is still there after it was sent once. */
  readonly isRepeatable: boolean;
  /** The body of another try, if the request does not hold it any more. */
  readonly bodyAgain?: () => Promise<ArrayBuffer> | undefined;
  readonly send: (headers: Readonly<Record<string, string>>, body?: ArrayBuffer) => Promise<Response>;
};

/** Waits for a token on behalf of one call. All its waits share one deadline. Time on the network does not count. */
type Wait = {
  (request: TokenRequest & { refusal: Trial }): Promise<GrantedToken | null>;
  (request?: TokenRequest): Promise<GrantedToken>;
};

function createWait(shell: Shell, signal: AbortSignal | null | undefined, init: AuthorizedInit | undefined): Wait {
  const { policy, platform } = shell;
  let userEpoch = init?.userEpoch;
  let waitedMs = 0;
  return async (request?: TokenRequest) => {
    const startMs = platform.clock.now().monotonicMs;
    // A prompt to the user takes the time it takes, unless the call names a deadline.
    const limitMs = init?.deadlineMs ?? (request?.stepUp ? Infinity : policy.deadlineMs);
    const deadlineMs = limitMs - waitedMs;
    const token: GrantedToken | null = await requestToken(shell, { signal, userEpoch, deadlineMs, ...request });
    if (limitMs < Infinity) waitedMs += platform.clock.now().monotonicMs - startMs;
    // From its first token on, a call belongs to one user.
    userEpoch = token?.userEpoch;
    return token;
  };
}

/** True for a body that is gone once it was read: a stream of the web or of Node, or an async iterable in Node. */
export const isOneShot = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body || 'pipe' in body);

/**
 * The body of one try. Throws a `TypeError` if the engine would send a stream as the text "[object ReadableStream]".
 */
function bodyOf(init: AuthorizedInit | undefined): { readonly body?: BodyInit; readonly duplex?: 'half' } {
  const body = init?.makeBody?.() ?? init?.body;
  if (!isOneShot(body)) return init?.makeBody && body ? { body } : {};
  const probe = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as const;
  if (!init?.fetch && new Request('https://localhost', probe).headers.has('content-type'))
    throw new TypeError('cannot stream: give a Blob');
  return { body: body as BodyInit, duplex: 'half' };
}

/** Not `instanceof`, because a request may come from another frame. */
const isRequest = (input: RequestInfo | URL): input is Request => typeof input === 'object' && 'url' in input;

function setAll(headers: Headers, more: Readonly<Record<string, string>>): Headers {
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
  return headers;
}

/**
 * Decides before sending whether the request can be repeated. A stream in `init` cannot: it is sent once. The body of a
 * `Request` is kept in a clone, and read if it has to be sent again.
 */
function planRequest(input: RequestInfo | URL, init: AuthorizedInit | undefined, fetch: Fetch): Plan {
  const isRepeatable = init?.makeBody !== undefined || !isOneShot(init?.body);
  if (init?.makeBody || !isRepeatable || !isRequest(input)) {
    const headers = headersOf(input, init);
    return {
      isRepeatable,
      send: async (more) => fetch(input, { ...init, ...bodyOf(init), headers: setAll(new Headers(headers), more) }),
    };
  }
  const request = new Request(input, init);
  const spare = request.clone();
  let isSent = false;
  // A `Request` carries the members that every platform has. Members of one platform (`dispatcher`, `next`, `cf`,
  // `priority`) are read by `fetch` only.
  const added = Object.entries(Object.assign({}, input, init)).filter(
    ([name]) => name === 'duplex' || !(name in request),
  );
  return {
    isRepeatable: true,
    bodyAgain: () => (isSent && spare.body ? spare.clone().arrayBuffer() : undefined),
    send: (more, body) => {
      isSent = true;
      const { referrer, referrerPolicy } = request;
      // A clone would lose the `dispatcher` that Node keeps in a request. Engines whose requests have no `body`
      // (Firefox, React Native) keep none.
      const attempt =
        'body' in request ? new Request(request, body && { body, referrer, referrerPolicy }) : spare.clone();
      setAll(attempt.headers, more);
      return fetch(attempt, Object.fromEntries(added));
    },
  };
}

const headersOf = (input: RequestInfo | URL, init: RequestInit | undefined): HeadersInit | undefined =>
  init?.headers ?? (isRequest(input) ? input.headers : undefined);

/** A parameter of a challenge: its name, then its value as a quoted string or a token. */
const PARAMETER = /\b(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))/giu;

/** A parameter of a 401's challenge; `null`: the challenge has none. @see RFC 6750 §3.1, RFC 9449 §9, RFC 9470 §3 */
const challengeParameter = ({ headers }: Response, name: string): string | null =>
  [...(headers.get('www-authenticate') ?? '').matchAll(PARAMETER)]
    .find(([, key]) => key?.toLowerCase() === name)
    ?.slice(2)
    .find(Boolean) ?? null;

/** The URL that a request goes to; `null`: the input is no URL. */
function targetOf(input: RequestInfo | URL, base: string): URL | null {
  const url = isRequest(input) ? input.url : String(input);
  return orNull(() => new URL(url, base));
}

const isNearExpiry = ({ access }: GrantedToken, shell: Shell): boolean =>
  freshMs({ ...shell, now: shell.platform.clock.now() }, access) <= 0;

/**
 * True if a redirect has led to another origin. The answer then says nothing of the token, because `fetch` sent the
 * token to the first origin only. React Native's `Response` has no `redirected`.
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
const isForeign = (response: { readonly redirected?: boolean; readonly url: string }, target: URL): boolean =>
  response.redirected !== false && new URL(response.url, target).origin !== target.origin;

/**
 * Sends the request with the token and, if the session is bound to a key, with a DPoP proof. Sends it once more for
 * each fault of the proof.
 */
async function sendOnce(
  shell: Shell,
  plan: Plan,
  method: string,
  target: URL,
  { access }: GrantedToken,
  wait: Wait,
): Promise<Response> {
  const attempt = async (): Promise<Response> => {
    const body = await plan.bodyAgain?.();
    const proof = access.tokenType === 'DPoP' ? await signProof(shell, method, target.href, access.value) : null;
    // Both take time, in which another tab may have signed out: the request leaves in the same task as this answer.
    if (proof !== null || body) await wait();
    const authorization = `${access.tokenType} ${access.value}`;
    const sent = plan.send({ authorization, ...(proof && { dpop: proof }) }, body);
    sent.catch(() => dispatch(shell, { type: 'requestLost' }));
    return sent;
  };
  // Another proof helps, with the server's nonce or with its time. @see RFC 9449 §7.1, §9
  let curable: readonly (string | null)[] = ['use_dpop_nonce', 'invalid_dpop_proof'];
  for (;;) {
    const response = await attempt();
    if (isForeign(response, target)) return response;
    const { headers, status } = response;
    const error = status === 401 ? challengeParameter(response, 'error') : null;
    // Take the time only from an answer that refuses a proof: an answer from a cache has an older `Date`.
    const time = error === 'invalid_dpop_proof' && {
      resourceDate: headers.get('date'),
      isRetry: !curable.includes(error),
    };
    recordResponseHeaders(shell, target.href, { 'dpop-nonce': headers.get('dpop-nonce'), ...time });
    if (!plan.isRepeatable || !curable.includes(error)) return response;
    curable = curable.filter((each) => each !== error);
    await response.body?.cancel();
  }
}

/** `Trial.aheadMs` of a refusal. @see RFC 7519 §4.1.6 */
function aheadMs(token: string, { headers }: Response): number | null {
  const issuedAtMs = Number(claimsOf(token)?.['iat']) * 1_000;
  const atMs = Date.parse(headers.get('date') ?? '');
  return issuedAtMs && !atMs ? null : issuedAtMs - atMs;
}

/** The token for another try after a 401; `null`: the 401 is for the caller. */
async function answerChallenge(
  shell: Shell,
  response: Response,
  trial: Trial,
  { isRepeatable }: Plan,
  wait: Wait,
  resource: string | null | undefined,
): Promise<GrantedToken | null> {
  const parameter = (name: string): string | null => challengeParameter(response, name);
  const error = parameter('error');
  // The token is valid for another audience, and a newer one would be for that audience as well.
  if (parameter('reason') === 'audience') return resource && isRepeatable ? wait({ resource }) : null;
  if (error === null || error === 'invalid_token') {
    const refusal: Trial = { ...trial, verdict: error ? 'refused' : 'bare' };
    if (isRepeatable) return wait({ refusal });
    dispatch(shell, { type: 'tokenTried', trial: refusal });
  }
  if (error !== 'insufficient_user_authentication' || !isRepeatable || trial.before !== null) return null;
  const maxAge = parameter('max_age');
  const stepUp = { acrValues: parameter('acr_values'), maxAgeSeconds: maxAge === null ? null : Number(maxAge) };
  return wait({ stepUp }).catch((reason: unknown) => {
    if (reason instanceof HoldfastError && reason.code === 'step-up-declined') return null;
    throw reason;
  });
}

async function sendAuthorized(
  shell: Shell,
  input: RequestInfo | URL,
  init: AuthorizedInit | undefined,
  target: URL,
  fetch: Fetch,
): Promise<Response> {
  const request = isRequest(input) ? input : null;
  const signal = init?.signal === undefined ? request?.signal : init.signal;
  const wait = createWait(shell, signal, init);
  const method = init?.method ?? request?.method ?? 'GET';
  const plan = planRequest(input, init, fetch);
  let token = await wait();
  // Do not spend a request that can be sent only once on a token that is about to be refused.
  if (!plan.isRepeatable && isNearExpiry(token, shell)) token = await wait({ newerThan: token.tokenNumber });
  const { origin, pathname } = target;
  let before: number | null = null;
  for (;;) {
    const { tokenNumber, resource } = token;
    const response = await sendOnce(shell, plan, method, target, token, wait);
    if (isForeign(response, target)) return response;
    const trial: Trial = { tokenNumber, before, origin, url: origin + pathname, verdict: 'accepted', aheadMs: NaN };
    if (response.status !== 401) {
      // A 5xx of the server, or of the gateway before it, says nothing of the token.
      if (response.status < 500 && !resource) dispatch(shell, { type: 'tokenTried', trial });
      return response;
    }
    // A 401 comes from before any side effect (RFC 9110 §15.5.2), so any method may be sent again.
    const refusal = { ...trial, aheadMs: aheadMs(token.access.value, response) };
    const other = resource ? null : init?.resource;
    const next = await answerChallenge(shell, response, refusal, plan, wait, other);
    if (!next) return response;
    await response.body?.cancel();
    tellObservers(shell, { type: 'request.resent', tokenNumber: next.tokenNumber });
    // A refused audience says nothing of the ordinary token, so `before` stays as it was.
    [before, token] = [next.resource ? before : tokenNumber, next];
  }
}

/**
 * Creates a `fetch` that sends the session's access token only to the origins in `resources`. Requests to other
 * origins, and requests that bring an `Authorization` header of their own, pass through untouched.
 *
 * Rejects like `fetch`, with the caller's abort reason, or with a `HoldfastError` if there was no token for the request
 * or for its repetition after a 401 (such as `signed-out`, `user-changed`, `deadline-exceeded`, `queue-full`).
 */
export function createAuthorizedFetch(
  shell: Shell,
  resources: ReadonlySet<string>,
  base: () => string,
): AuthorizedFetch {
  return async (input, init) => {
    const send = init?.fetch ?? shell.send;
    const target = targetOf(input, base());
    const isOurs = target !== null && resources.has(target.origin);
    if (!isOurs || new Headers(headersOf(input, init)).has('authorization')) return send(input, init);
    // Send the URL that was checked: a relative one could resolve differently, and a `URL` object may change meanwhile.
    return sendAuthorized(shell, isRequest(input) ? input : target.href, init, target, send);
  };
}
