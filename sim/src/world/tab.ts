import { createHash } from 'node:crypto';
import { createApiClient, type ApiClient } from '../../../client/src/api-client.ts';
import { createAuthService } from '../../../client/src/auth-service.ts';
import { HoldfastError } from '../../../client/src/core/errors.ts';
import type { HttpResponse, Platform, Transport } from '../../../client/src/core/ports.ts';
import type { SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { Observation } from '../../../client/src/core/state.ts';
import { automaticStage } from '../../../client/src/optional/automatic-stage.ts';
import { foreignTokenResponses } from '../../../client/src/optional/foreign-token-responses.ts';
import type { SignInMethod } from '../../../client/src/runtime/sign-in.ts';
import type { CheckedTab } from '../checkers/checked-tab.ts';
import type { Books, Call } from '../checkers/ledger.ts';
import type { Prices } from '../checkers/prices.ts';
import { followRefusals, type RefusalWatch } from '../checkers/refused-store.ts';
import { judgeSender } from '../checkers/senders.ts';
import { processClock, runTask, type DeviceClock, type Ground, type Process } from '../sandbox/process.ts';
import { CLIENTS, FILES, ISSUER } from './cluster.ts';
import type { Dialect } from './dialect.ts';
import type { Locks } from './locks.ts';
import type { Network } from './network.ts';
import type { Storage } from './storage.ts';

/** A running tab: a process with the real client in it. */
export type Tab = CheckedTab & {
  readonly api: ApiClient;
  readonly prices: Prices;
  readonly refusals: RefusalWatch;
  /** The number of the attempt that sent the last refresh. */
  lastAttempt: number;
};

/** The parts of its device and the world that a tab needs. */
export type TabParts = Ground & {
  readonly books: Books;
  readonly network: Network;
  readonly storage: Storage;
  readonly locks: Locks;
  readonly prices: Prices;
  readonly clock: DeviceClock;
  /** Tells every other tab that the store has changed. */
  readonly announce: (from: Process) => void;
  readonly onObserved: (tab: Tab, observation: Observation) => void;
  readonly onChanged: (tab: Tab, before: SessionSnapshot, now: SessionSnapshot) => void;
  /** Draws a random token, for example a PKCE verifier. */
  readonly drawToken: () => string;
  /** Answers a reauthentication prompt that the platform starts by itself; `null`: the platform starts none. */
  readonly prompt: ((process: Process) => SignInMethod) | null;
  /** Translates the answers of a server that does not follow RFC 6749; `null`: the server follows it. */
  readonly dialect: Dialect | null;
};

/**
 * Opens a tab: a client in a process that restores its session.
 *
 * @param sid the session that the process has shown before
 */
export function openTab(process: Process, sid: string | null, parts: TabParts): Tab {
  const { name } = process;
  const platform = platformOf(process, parts);
  const { books, scheduler, prompt, dialect } = parts;
  const early: Observation[] = [];
  let tab: Tab | null = null;
  const onEvent = (observation: Observation): void => {
    books.scan('an observation of the client', observation);
    scheduler.note(name, describe(observation));
    if (tab) parts.onObserved(tab, observation);
    else early.push(observation);
  };
  const auth = createAuthService({
    issuer: ISSUER,
    clientId: platform.refreshTokenTransport === 'cookie' ? CLIENTS.cookie : CLIENTS.body,
    platform,
    onEvent,
    fetch: fetchOf(process, parts),
    ...(prompt && { reauthentication: [automaticStage('passkey', prompt(process)), 'password'] }),
    ...(dialect?.classify && { readTokenResponse: foreignTokenResponses(dialect.classify) }),
  });
  const opened: Tab = {
    process,
    auth,
    api: createApiClient({ baseUrl: ISSUER, auth }),
    prices: parts.prices,
    refusals: followRefusals(parts),
    openedAtMs: scheduler.nowMs(),
    isUnmounted: false,
    sid,
    refreshes: 0,
    dueRefreshes: 0,
    cause: '',
    lastAttempt: 0,
    extension: null,
    hearsOtherWords: dialect !== null && dialect.classify === null,
    refusedSinceMs: null,
    monotonicMs: () => platform.clock.now().monotonicMs,
  };
  tab = opened;
  let snapshot = auth.getSnapshot();
  auth.subscribe(() => {
    const before = snapshot;
    snapshot = auth.getSnapshot();
    parts.onChanged(opened, before, snapshot);
  });
  scheduler.note(name, 'opens');
  return opened;
}

/** Writes an observation as one line. */
function describe(observation: Observation): string {
  let line: string = observation.type;
  for (const [name, value] of Object.entries(observation)) if (name !== 'type') line += ` ${name}=${String(value)}`;
  return line;
}

function platformOf(process: Process, parts: TabParts): Platform {
  const { random, setup, storage, locks, clock } = parts;
  const refreshTokenTransport = setup.store === 'cookie' ? 'cookie' : 'body';
  return {
    clock: processClock(process, clock, parts),
    transport: transportOf(process, parts),
    vault: storage.vaultOf(process),
    outbox: storage.outboxOf(process),
    refreshLock: locks.mutexOf(process),
    signals: (emit) => {
      process.listeners.add(emit);
      return () => process.listeners.delete(emit);
    },
    announce: () => parts.announce(process),
    random: () => random.next(),
    randomToken: parts.drawToken,
    deviceSecret: storage.deviceSecretOf(process),
    sha256: (text) => Promise.resolve(createHash('sha256').update(text).digest('base64url')),
    refreshTokenTransport,
  };
}

const networkError = (): TypeError => new TypeError('Failed to fetch');

/**
 * Exchanges messages with the authorization server. The browser stores cookies itself, even if the script never gets
 * the answer.
 */
function transportOf(process: Process, { network, storage, setup, dialect }: TabParts): Transport {
  const who = { address: '192.0.2.1', userAgent: process.name };
  return (request, signal) =>
    new Promise<HttpResponse>((resolve, reject) => {
      let isAborted = signal.aborted;
      const abort = (): void => {
        isAborted = true;
        reject(networkError());
      };
      signal.addEventListener('abort', abort);
      const cookie = setup.store === 'cookie' ? storage.cookies() : null;
      network.exchange(request, cookie, who, (delivered) => {
        if (isAborted) return;
        // The browser stores cookies before the script gets the answer, and also if the script never gets it.
        if (delivered && setup.store === 'cookie' && delivered.setCookie.length > 0)
          storage.setCookies(delivered.setCookie);
        runTask(process, () => {
          signal.removeEventListener('abort', abort);
          if (delivered) resolve(dialect?.translate(delivered.answer, request) ?? delivered.answer);
          else reject(networkError());
        });
      });
    });
}

const CALL = /\/calls\/(\d+)$/;

/** The `fetch` by which the client sends requests to resources. */
function fetchOf(process: Process, parts: TabParts): typeof fetch {
  const { network, books, prices } = parts;
  return (input, init) => {
    const call = books.calls.get(Number(CALL.exec(input instanceof Request ? input.url : input.toString())?.[1]));
    const authorization = new Headers(init?.headers).get('authorization') ?? '';
    if (call === undefined) return Promise.reject(networkError());
    judgeSender(process, network.sidOf(authorization.replace('Bearer ', '')), parts);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(init?.signal?.reason as Error);
      init?.signal?.addEventListener('abort', onAbort);
      network.callResource(call, authorization.replace('Bearer ', ''), (answer) => {
        runTask(process, () => {
          init?.signal?.removeEventListener('abort', onAbort);
          if (answer === null) return reject(networkError());
          // An aborted request counts for nothing: its tab is gone.
          if (!init?.signal?.aborted) prices.onTried(call, authorization, answer);
          const headers = answer.challenge === null ? {} : { 'www-authenticate': answer.challenge };
          resolve(new Response(null, { status: answer.status, headers }));
        });
      });
    });
  };
}

/** The kinds of requests that an app makes; some may be executed more than once. */
export type CallKind = 'get' | 'post' | 'post-with-key' | 'fetch-post' | keyof typeof RESOURCES;

/** The resources that requests can name. */
const RESOURCES = { account: ISSUER, files: FILES } as const;

/** Makes one request of the app and follows it to its end. Resolves with the status, or with the code of the error. */
export async function call(tab: Tab, kind: CallKind, books: Books, signal?: AbortSignal): Promise<string> {
  const snapshot = tab.auth.getSnapshot();
  const sub = 'user' in snapshot ? snapshot.user.sub : null;
  const mayRepeat = kind === 'get' || kind === 'post-with-key';
  const resource = kind === 'account' || kind === 'files' ? RESOURCES[kind] : null;
  const opened = books.openCall({ process: tab.process.name, sub, mayRepeat, resource });
  const judgeRefusal = tab.refusals.begin(tab, opened);
  const ended = await send(tab, kind, opened, signal).then(
    (response) => String(response.status),
    (error: unknown) => {
      books.scan('an error of the client', error);
      return error instanceof HoldfastError ? error.code : 'network';
    },
  );
  books.onSettled(opened, ended);
  judgeRefusal(ended);
  const after = tab.auth.getSnapshot();
  const isSteady = snapshot.status === 'active' && after.status === 'active' && snapshot.sid === after.sid;
  tab.prices.onEnded(opened, ended, isSteady && !signal?.aborted);
  if (ended === 'user-changed') books.reach('request of the first user failed, not sent');
  if (ended === 'deadline-exceeded') books.reach('request parked past its deadline');
  return ended;
}

function send(tab: Tab, kind: CallKind, { id, resource }: Call, signal?: AbortSignal): Promise<Response> {
  const path = `/calls/${id}`;
  const options = signal ? { signal } : {};
  switch (kind) {
    case 'get':
      return tab.api.get(path, options);
    case 'post':
      return tab.api.post(path, { ...options, json: { id } });
    case 'post-with-key':
      return tab.api.post(path, { ...options, json: { id }, idempotencyKey: String(id) });
    case 'account':
    case 'files':
      return tab.auth.fetch(`${ISSUER}${path}`, { ...options, method: 'POST', ...(resource && { resource }) });
    case 'fetch-post':
      return tab.auth.fetch(`${ISSUER}${path}`, { ...options, method: 'POST', body: 'note' });
  }
}
