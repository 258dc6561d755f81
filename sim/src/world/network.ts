import type { HttpResponse, HttpRequest } from '../../../client/src/core/ports.ts';
import type { HttpResponse as ServerResponse } from '../../../server/src/kernel/http-message.ts';
import type { Books, Call, ResourceAnswer } from '../checkers/ledger.ts';
import { createOverlapping } from '../sandbox/overlapping.ts';
import type { Ground } from '../sandbox/process.ts';
import { LIFE_MS } from '../sandbox/setup.ts';
import { API, type Cluster } from './cluster.ts';
import { createOutages, type Outages } from './outages.ts';

/** An answer that arrives. `Set-Cookie` is apart, because browsers hide it from scripts. */
export type Delivered = { readonly answer: HttpResponse; readonly setCookie: readonly string[] };

/** Simulates everything between clients and servers: loss, delay, repetition, reordering, proxies. */
export type Network = {
  /**
   * Exchanges one request and answer with the authorization server. Calls `onEnd` at most once, within the longest life
   * of messages: with the answer, or with `null` if the connection broke. It may never call `onEnd`.
   */
  exchange(
    request: HttpRequest,
    cookie: string | null,
    who: Sender,
    onEnd: (delivered: Delivered | null) => void,
  ): void;
  /** The `sid` of an access token; `null` if the token is not valid. */
  sidOf(accessToken: string): string | null;
  /**
   * Sends one request to a resource. Calls `onEnd` with status and challenge, or with `null` if there was no answer.
   */
  callResource(call: Call, accessToken: string, onEnd: (answer: ResourceAnswer | null) => void): void;
  /** Takes the network away. @returns a function that brings it back */
  goDown(): () => void;
  isDown(): boolean;
  readonly outages: Outages;
};

export type Sender = { readonly address: string; readonly userAgent: string };

export type NetworkParts = Ground & {
  readonly cluster: Cluster;
  readonly books: Books;
  /** True if a fault was aimed at this answer, so that it is lost. */
  readonly isAnswerDoomed: (response: ServerResponse) => boolean;
};

const html: HttpResponse = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<!doctype html><title>Sign in to the network</title>',
};

const proxyAnswer = (status: number, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers,
  body: status === 429 ? '{"error":"slow_down"}' : '<h1>error</h1>',
});

/** The random fate of one exchange. Everything is drawn at once, so that one more fault does not change the others. */
type Fate = {
  readonly isRequestLost: boolean;
  readonly isAnswerLost: boolean;
  readonly isDuplicated: boolean;
  readonly isSilent: boolean;
  readonly requestMs: number;
  readonly answerMs: number;
  readonly duplicateMs: number;
  readonly proxy: 'none' | 'error' | 'refusal' | 'not-json';
  readonly isProxyEarly: boolean;
};

function drawFate({ random, setup }: NetworkParts): Fate {
  const { faults } = setup;
  const latency = (longestMs: number): number => {
    const isDelayed = random.chance(faults.delayed);
    return isDelayed ? random.int(500, longestMs) : random.int(2, 90);
  };
  const isError = random.chance(faults.proxyError);
  const isRefusal = random.chance(faults.proxyRefusal);
  const isNotJson = random.chance(faults.notJson);
  return {
    isRequestLost: random.chance(faults.requestLost),
    isAnswerLost: random.chance(faults.answerLost),
    isDuplicated: random.chance(faults.duplicated),
    isSilent: random.chance(0.5),
    requestMs: latency(LIFE_MS.request - 3_000),
    answerMs: latency(LIFE_MS.answer),
    duplicateMs: random.int(1, 3_000),
    proxy: isError ? 'error' : isRefusal ? 'refusal' : isNotJson ? 'not-json' : 'none',
    isProxyEarly: random.chance(0.5),
  };
}

export function createNetwork(parts: NetworkParts): Network {
  const { scheduler, random } = parts;
  const resource: ResourceChances = {
    stepUps: random.fork('step-ups'),
    items: random.fork('items'),
    hasWords: random.fork('words of items').chance(0.5),
  };
  const outages = createOutages(parts);
  const absences = createOverlapping();
  const breakOff = (fate: Fate, onEnd: (nothing: null) => void): void => {
    if (!fate.isSilent) scheduler.after(random.int(5, 3_000), () => onEnd(null));
  };
  return {
    goDown: absences.begin,
    isDown: absences.isAny,
    sidOf: (accessToken) => parts.cluster.verify(accessToken)?.sid ?? null,
    outages,
    exchange: (request, cookie, who, onEnd) => {
      const fate = drawFate(parts);
      const outage = outages.kind();
      if (outage === 'silent') return;
      if (outage === 'refused') return void scheduler.after(fate.requestMs, () => onEnd(null));
      if (outage === 'unavailable')
        return void scheduler.after(fate.requestMs, () => onEnd({ answer: proxyAnswer(503), setCookie: [] }));
      if (absences.isAny() || fate.isRequestLost) {
        if (!absences.isAny()) parts.books.struck('request lost');
        return breakOff(fate, onEnd);
      }
      const answer = (delivered: Delivered): void => {
        scheduler.after(fate.answerMs, () => (absences.isAny() ? breakOff(fate, onEnd) : onEnd(delivered)));
      };
      const isSlow = parts.setup.faults.serverSlow > 0 && request.url.endsWith('/token');
      const slowMs = isSlow ? outages.slowMs() : 0;
      scheduler.after(fate.requestMs + slowMs, () =>
        arrive(parts, fate, request, cookie, who, answer, () => breakOff(fate, onEnd)),
      );
      if (fate.isDuplicated) {
        parts.books.struck('request duplicated');
        scheduler.after(fate.requestMs + fate.duplicateMs, () => serve(parts, request, cookie, who, () => {}));
      }
    },
    callResource: (call, accessToken, onEnd) =>
      callResource({ ...parts, ...resource, outages }, absences.isAny, call, accessToken, onEnd),
  };
}

function arrive(
  parts: NetworkParts,
  fate: Fate,
  request: HttpRequest,
  cookie: string | null,
  who: Sender,
  answer: (delivered: Delivered) => void,
  breakOff: () => void,
): void {
  const { books, random } = parts;
  const instead = proxyInstead(fate, random.int(0, 2));
  if (instead && fate.isProxyEarly) {
    books.struck(`proxy answers ${instead.status}`);
    if (fate.proxy === 'not-json') books.reach('answer that is not JSON');
    return answer({ answer: instead, setCookie: [] });
  }
  serve(parts, request, cookie, who, (response) => {
    if (response === null) return breakOff();
    if (parts.isAnswerDoomed(response) || fate.isAnswerLost) {
      books.struck('answer lost');
      return breakOff();
    }
    if (instead) {
      books.struck(`proxy answers ${instead.status} after the server`);
      if (fate.proxy === 'not-json') books.reach('answer that is not JSON');
      return answer({ answer: instead, setCookie: [] });
    }
    const { 'set-cookie': setCookie = [], ...headers } = response.headers;
    const answered = { status: response.status, headers: headers as Record<string, string>, body: response.body };
    answer({ answer: answered, setCookie: typeof setCookie === 'string' ? [setCookie] : setCookie });
  });
}

function proxyInstead(fate: Fate, which: number): HttpResponse | null {
  if (fate.proxy === 'error') return proxyAnswer([502, 503, 504][which] ?? 502);
  if (fate.proxy === 'not-json') return which === 0 ? { ...html, body: '{"access_token":"cut o' } : html;
  if (fate.proxy === 'refusal')
    return which === 0 ? proxyAnswer(429, { 'retry-after': '7' }) : proxyAnswer([401, 403][which - 1] ?? 401);
  return null;
}

/** Lets a node answer. An answer that takes longer than the longest work is dropped. */
function serve(
  { cluster, scheduler }: NetworkParts,
  request: HttpRequest,
  cookie: string | null,
  who: Sender,
  onServed: (response: ServerResponse | null) => void,
): void {
  let isOver = false;
  const cancel = scheduler.after(LIFE_MS.work, () => {
    isOver = true;
    onServed(null);
  });
  const serving = cluster.handle({
    method: request.method,
    path: new URL(request.url).pathname,
    headers: {
      ...request.headers,
      'user-agent': who.userAgent,
      'sec-fetch-site': 'same-origin',
      ...(cookie === null ? {} : { cookie }),
    },
    body: request.body ?? '',
    remoteAddress: who.address,
  });
  if (serving === null) {
    cancel();
    return onServed(null);
  }
  const hear = (response: ServerResponse): void => {
    if (isOver) return;
    cancel();
    onServed(response);
  };
  void serving.then(hear);
}

/** Greatest age of an authentication that a resource accepts as fresh, in ms. */
const FRESH_MS = 60_000;
const STEP_UP = `Bearer error="insufficient_user_authentication", max_age=${FRESH_MS / 1_000}`;

const INVALID_TOKEN = 'Bearer error="invalid_token"';
const OTHER_AUDIENCE = 'Bearer error="invalid_token", reason="audience"';

type ResourceChances = {
  readonly stepUps: Ground['random'];
  readonly items: Ground['random'];
  /** True if refusals of single items carry `invalid_token`, as if the token were to blame. */
  readonly hasWords: boolean;
};
type ResourceParts = NetworkParts & ResourceChances & { readonly outages: Outages };

/** Fails a request while the servers are out of reach: a silent outage breaks the connection at its end. */
function failCall({ scheduler, outages }: ResourceParts, onEnd: (answer: ResourceAnswer | null) => void): void {
  const kind = outages.kind();
  if (kind === 'unavailable') onEnd({ status: 503, challenge: null });
  else if (kind === 'refused') onEnd(null);
  else {
    const look = (): void => {
      if (outages.kind() === 'silent') scheduler.after(500, look);
      else onEnd(null);
    };
    look();
  }
}

/** I12: a token for a resource is sent only with requests that name that resource. */
function judgeAudience({ cluster, books }: NetworkParts, { id, resource }: Call, accessToken: string): void {
  const audience = cluster.verify(accessToken)?.audience ?? API;
  if (audience === API) return;
  books.reach('token of a resource used');
  if (audience !== resource) books.violate('I12', `request ${id} carries a token for ${audience}`);
}

function callResource(
  parts: ResourceParts,
  isDown: () => boolean,
  call: Call,
  accessToken: string,
  onEnd: (answer: ResourceAnswer | null) => void,
): void {
  const { scheduler, random, setup, cluster, books, stepUps, items, hasWords, outages } = parts;
  judgeAudience(parts, call, accessToken);
  call.isItemRefused ??= items.chance(setup.faults.itemRefused);
  const isLost = random.chance(setup.faults.requestLost / 2);
  const isAnswerLost = random.chance(setup.faults.answerLost / 2);
  const isRefused = random.chance(setup.faults.resourceRefuses);
  const isUnavailable = random.chance(setup.faults.resourceDown);
  const hasChallenge = random.chance(0.7);
  const end = (answer: ResourceAnswer | null): void => {
    scheduler.after(random.int(2, 200), () => onEnd(answer));
  };
  scheduler.after(random.int(2, 200), () => {
    const isDoomed = setup.faults.offlineWrongly > 0 && outages.isLost(call.process);
    if (isDown() || isLost || isDoomed) return end(null);
    if (outages.kind() !== null) return failCall(parts, onEnd);
    if (isUnavailable) return end({ status: 503, challenge: null });
    const grant = cluster.verify(accessToken);
    if (grant === null || isRefused) {
      if (grant) books.reach('request refused with a good token');
      return end({ status: 401, challenge: hasChallenge ? INVALID_TOKEN : null });
    }
    if (grant.audience !== (call.resource ?? API)) return end({ status: 401, challenge: OTHER_AUDIENCE });
    if (call.isItemRefused) {
      books.reach('item refused');
      return end({ status: 401, challenge: hasWords ? INVALID_TOKEN : null });
    }
    if (scheduler.nowMs() - grant.authTimeMs > FRESH_MS && stepUps.chance(setup.faults.stepUpWanted)) {
      books.reach('step-up wanted');
      call.isForUser = true;
      return end({ status: 401, challenge: STEP_UP });
    }
    books.onExecuted(call, grant.sub);
    end(isAnswerLost ? null : { status: 200, challenge: null });
  });
}
