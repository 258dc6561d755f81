import { createHash } from 'node:crypto';
import { createAuthService, type AuthService } from '../../../client/src/auth-service.ts';
import { withoutRevocation, withRevocation } from '../../../client/src/core/outbox.ts';
import {
  type HttpResponse,
  type Platform,
  type PendingRevocation,
  type Signal,
  type Vault,
  type VaultRecord,
  type HttpRequest,
} from '../../../client/src/core/ports.ts';
import type { SessionState } from '../../../client/src/core/state.ts';
import { markedVault } from '../../../client/src/platform/marked-vault.ts';
import type { HttpResponse as ServerResponse } from '../../../server/src/kernel/http-message.ts';
import { drain } from '../sandbox/drain.ts';
import { createRandom, type Random } from '../sandbox/random.ts';
import { enterStage } from '../sandbox/stage.ts';
import { stateOf } from '../sandbox/staged-snapshot.ts';
import { CLIENTS, ISSUER, USERS, type UserName } from '../world/cluster.ts';
import { readRefreshCopy } from '../world/refresh-copy.ts';
import { isLive, type SessionRow } from '../world/session-table.ts';
import { createServer, type ChainServer } from './chain-server.ts';

// One browser and one server, small enough to be explored completely: tabs of the real client over one vault and one
// cookie jar, and the real endpoints over the memory store. Nothing happens by itself: each message and each write of a
// sign-in waits until it is chosen.

/** The parameters of an explored world. */
export type ChainSetup = {
  readonly title: string;
  /** `active`: every tab shows the live session A; `expired`: A is over, its cookie is gone; `first`: no user ever signed in. */
  readonly begins: 'active' | 'expired' | 'first';
  readonly tabs: number;
  readonly signIns: number;
  readonly signOuts: number;
  readonly faults: number;
  /** A refresh is one step (`whole`), or a request and an answer with other steps between them (`messages`). */
  readonly refreshes?: 'messages' | 'whole';
  /** True if a resource has asked every tab for a fresher authentication, so that a request waits for the sign-in. */
  readonly isStepUp?: boolean;
  /** True if the user may sign in again after the sign-out. */
  readonly returns?: boolean;
  /** True if the last tab has a named store, for bob's account. It opens after ada has signed in in the other tabs. */
  readonly hasSecondAccount?: boolean;
};

/** A request under way, or its answer. */
export type Letter = {
  readonly tab: number;
  readonly kind: 'exchange' | 'refresh' | 'revoke' | 'discard';
  /** The `sid` that the request names; empty if none. */
  readonly sid: string;
  readonly request: HttpRequest;
  /** The `Cookie` header that the browser adds when it sends. */
  readonly cookie: string | null;
  readonly sentAtMs: number;
  answer: HttpResponse | null;
  setCookie: readonly string[];
  readonly resolve: (answer: HttpResponse) => void;
  readonly reject: (error: Error) => void;
};

/** A new session that a tab is about to write over the record with this version. */
export type Writing = {
  readonly tab: number;
  readonly sid: string;
  readonly version: number | null;
  readonly run: () => void;
};

export type ChainTab = {
  readonly auth: AuthService;
  /** The user who signs in here. */
  readonly user: UserName;
  readonly emit: Set<(signal: Signal) => void>;
  isAlive: boolean;
  /** Number of sign-ins that have begun and not ended. */
  signingIn: number;
  signOuts: number;
  /** True while the request waits for a step-up. */
  isWaiting: boolean;
};

export type ChainWorld = ChainServer & {
  readonly setup: ChainSetup;
  readonly tabs: readonly ChainTab[];
  readonly letters: Letter[];
  readonly writings: Writing[];
  readonly jar: ReadonlyMap<string, string>;
  readonly stores: Readonly<Record<UserName, Readonly<Store>>>;
  nowMs: number;
  signIns: number;
  faults: number;
  /** When ada signed out; `null` before. Bob never does. */
  signedOutAtMs: number | null;
  /** When the exchange of a session was sent, by `sid`. */
  readonly sentAt: Map<string, number>;
  broken: string | null;
};

type Store = {
  record: VaultRecord | null;
  outbox: readonly PendingRevocation[];
  marker: string | null;
  deviceSecret: string | null;
};

type Built = ChainWorld & { readonly stores: Readonly<Record<UserName, Store>>; readonly jar: Map<string, string> };

const START_MS = Date.UTC(2_030, 0, 1);
/** Time that passes at each step, in ms. It is shorter than every timer. */
const STEP_MS = 20;

/** Callbacks of `setImmediate` that wait for a free stack. */
let soon: (() => void)[] = [];

/** Runs everything that waits only for a free stack. */
function settle(): void {
  drain();
  while (soon.length > 0) {
    const callbacks = soon;
    soon = [];
    for (const callback of callbacks) callback();
    drain();
  }
}

/** Makes a change, and runs everything that follows from it at once. */
export function act(world: ChainWorld, change: () => void): void {
  world.nowMs += STEP_MS;
  change();
  settle();
}

/** Builds a world in its first state. */
export function chainWorld(setup: ChainSetup): ChainWorld {
  const random = createRandom(1, 'chain');
  soon = [];
  const bytes = random.fork('bytes');
  enterStage({ randomBytes: (length) => bytes.bytes(length), soon: (callback) => void soon.push(callback) });
  const world: Built = {
    ...createServer(() => world, random),
    setup,
    tabs: [],
    letters: [],
    writings: [],
    jar: new Map(),
    stores: { ada: emptyStore(), bob: emptyStore() },
    nowMs: START_MS,
    signIns: setup.signIns,
    faults: setup.faults,
    signedOutAtMs: null,
    sentAt: new Map(),
    broken: null,
  };
  const tabs = world.tabs as ChainTab[];
  const draw = random.fork('tokens');
  const open = (user: UserName, count: number): void => {
    for (let opened = 0; opened < count; opened++) tabs.push(openTab(world, tabs.length, user, draw));
  };
  const others = setup.hasSecondAccount ? 1 : 0;
  act(world, () => open('ada', setup.tabs - others));
  if (setup.begins !== 'first') beginSession(world);
  act(world, () => open('bob', others));
  if (setup.isStepUp) for (const tab of tabs) act(world, () => waitForStepUp(tab));
  return world;
}

const emptyStore = (): Store => ({ record: null, outbox: [], marker: null, deviceSecret: null });

/** Signs in once and tells every tab. The session then ends if the setup begins with an expired one. */
function beginSession(world: Built): void {
  const [first] = world.tabs;
  act(world, () => void (first && signInAs(first).catch(() => {})));
  finish(world);
  for (const tab of world.tabs) act(world, () => tab.auth.extend());
  finish(world);
  if (world.setup.begins !== 'expired') return;
  const rows = world.rows as Map<string, SessionRow>;
  for (const [sid, row] of rows) rows.set(sid, { ...row, idleExpiresAtMs: world.nowMs });
  world.jar.clear();
  for (const tab of world.tabs) act(world, () => tab.auth.extend());
  finish(world);
}

function waitForStepUp(tab: ChainTab): void {
  const over = (): void => void (tab.isWaiting = false);
  tab.isWaiting = true;
  void tab.auth.fetch(`${ISSUER}/notes`).then(over, over);
}

/** Delivers everything under way, and tells every tab of changes in its store, until nothing is left. */
export function finish(world: ChainWorld): void {
  for (let round = 0; round < 50; round++) {
    const [letter] = world.letters;
    const [writing] = world.writings;
    if (letter) act(world, () => (letter.answer ? hear(world, letter) : serve(world, letter)));
    else if (writing) act(world, () => write(world, writing));
    else if (world.tabs.some((tab) => tab.isAlive && isBehind(world, tab)))
      for (const tab of world.tabs) act(world, () => tell(tab, 'store-changed'));
    else return;
  }
  world.broken ??= 'it never becomes quiet';
}

/** True if the vault holds a record that the tab has not read. */
export const isBehind = ({ stores }: ChainWorld, tab: ChainTab): boolean =>
  (stores[tab.user].record?.version ?? 0) !== (machineOf(tab)?.version ?? 0);

/** The machine's state in a tab after its last transition. */
export const machineOf = ({ auth }: ChainTab): SessionState | null => stateOf(auth.getSnapshot());

export function tell(tab: ChainTab, signal: Signal): void {
  if (tab.isAlive) for (const listener of tab.emit) listener(signal);
}

function openTab(world: Built, tab: number, user: UserName, draw: Random): ChainTab {
  const store = world.stores[user];
  const emit = new Set<(signal: Signal) => void>();
  const platform: Platform = {
    clock: {
      now: () => ({ wallMs: world.nowMs, monotonicMs: world.nowMs - START_MS + 1_000 }),
      wake: () => () => {},
    },
    transport: (request) => send(world, tab, request),
    vault: vaultOf(world, store, tab),
    outbox: {
      list: () => Promise.resolve(store.outbox),
      add: async (revocation) => void (store.outbox = withRevocation(store.outbox, revocation)),
      remove: async (revocation) => void (store.outbox = withoutRevocation(store.outbox, revocation)),
    },
    refreshLock: () => Promise.resolve(null),
    signals: (listener) => {
      emit.add(listener);
      return () => void emit.delete(listener);
    },
    look: () => {},
    announce: () => {},
    random: () => 0.5,
    randomToken: () => draw.bytes(32).toString('base64url'),
    deviceSecret: (candidate) => Promise.resolve((store.deviceSecret ??= candidate)),
    sha256: (text) => Promise.resolve(createHash('sha256').update(text).digest('base64url')),
    refreshTokenTransport: 'cookie',
  };
  const fetch = (): Promise<Response> => Promise.resolve(answerOf(world.tabs[tab]));
  const auth = createAuthService({ issuer: ISSUER, clientId: CLIENTS.cookie, platform, fetch });
  return { auth, user, emit, isAlive: true, signingIn: 0, signOuts: 0, isWaiting: false };
}

const STEP_UP = { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age=0' };

/** Answers a request to a resource, which asks each tab once for a step-up. */
function answerOf(tab: ChainTab | undefined): Response {
  const isAsked =
    tab?.auth.getSnapshot().status === 'active' && machineOf(tab)?.reauthentication === null && !hasAsked.has(tab);
  if (tab && isAsked) hasAsked.add(tab);
  return isAsked ? new Response(null, { status: 401, headers: STEP_UP }) : new Response(null, { status: 200 });
}

const hasAsked = new WeakSet<ChainTab>();

/**
 * Creates the vault of a tab. Only the write of a sign-in waits to be chosen; every other operation is done in the same
 * task.
 */
function vaultOf({ writings }: Built, store: Store, tab: number): Vault {
  const swap: Vault['compareAndSwap'] = (expected, next) => {
    const version = store.record?.version ?? 0;
    const isFresh = expected === null || expected === version;
    if (isFresh) store.record = { ...next, version: version + 1 };
    return Promise.resolve({ isSwapped: isFresh, record: store.record });
  };
  const vault: Vault = {
    read: () => Promise.resolve(store.record),
    compareAndSwap: (expected, next) => {
      const sid = next.session?.sid;
      if (!sid || sid === store.record?.session?.sid) return swap(expected, next);
      return new Promise((resolve) => {
        writings.push({ tab, sid, version: expected, run: () => void swap(expected, next).then(resolve) });
      });
    },
  };
  return markedVault(vault, { get: () => store.marker, set: (sid) => void (store.marker = sid) });
}

export function write(world: ChainWorld, writing: Writing): void {
  world.writings.splice(world.writings.indexOf(writing), 1);
  if (world.tabs[writing.tab]?.isAlive) writing.run();
}

const kindOf = (path: string, fields: URLSearchParams): Letter['kind'] => {
  if (path === '/revoke') return fields.get('discard') === 'true' ? 'discard' : 'revoke';
  return fields.get('grant_type') === 'authorization_code' ? 'exchange' : 'refresh';
};

/** Sends a request of a tab. A password is answered at once; every other request waits to be chosen. */
function send(world: Built, tab: number, request: HttpRequest): Promise<HttpResponse> {
  const path = new URL(request.url).pathname;
  const cookie = [...world.jar].map(([name, value]) => `${name}=${value}`).join('; ') || null;
  if (path === '/authorize-challenge')
    return ask(world, request, cookie).then(({ status, body }) => ({ status, headers: {}, body }));
  const fields = new URLSearchParams(request.body);
  const sid = fields.get('sid') ?? fields.get('replaces') ?? '';
  return new Promise((resolve, reject) => {
    const kind = kindOf(path, fields);
    const sentAtMs = world.nowMs;
    world.letters.push({ tab, kind, sid, request, cookie, sentAtMs, answer: null, setCookie: [], resolve, reject });
  });
}

function ask({ cluster }: ChainWorld, { method, url, headers, body }: HttpRequest, cookie: string | null) {
  const served = cluster.handle({
    method,
    path: new URL(url).pathname,
    headers: { ...headers, 'user-agent': 'tab', 'sec-fetch-site': 'same-origin', ...(cookie && { cookie }) },
    body: body ?? '',
    remoteAddress: '192.0.2.1',
  });
  if (served === null) throw new Error('the only node of a small world never dies');
  return served;
}

/** Lets the server answer a request. The answer to a dead tab is dropped. */
export function serve(world: ChainWorld, letter: Letter): void {
  const onServed = (response: ServerResponse): void => {
    const { 'set-cookie': setCookie = [], ...headers } = response.headers;
    letter.answer = { status: response.status, headers: headers as Record<string, string>, body: response.body };
    letter.setCookie = typeof setCookie === 'string' ? [setCookie] : setCookie;
    const { sid } = JSON.parse(response.body || '{}') as { readonly sid?: string };
    if (letter.kind === 'exchange' && sid) world.sentAt.set(sid, letter.sentAtMs);
    if (!world.tabs[letter.tab]?.isAlive) drop(world, letter);
  };
  void ask(world, letter.request, letter.cookie).then(onServed);
}

function drop({ letters }: ChainWorld, letter: Letter): void {
  letters.splice(letters.indexOf(letter), 1);
}

/** Stores the cookies of an answer in the jar. */
export function keepCookies(world: ChainWorld, { setCookie }: Letter): void {
  const jar = world.jar as Map<string, string>;
  for (const field of setCookie) {
    const [pair = '', ...attributes] = field.split('; ');
    const at = pair.indexOf('=');
    jar.delete(pair.slice(0, at));
    if (!attributes.includes('Max-Age=0')) jar.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

/** Delivers an answer to its tab. */
export function hear(world: ChainWorld, letter: Letter): void {
  drop(world, letter);
  keepCookies(world, letter);
  if (letter.answer) letter.resolve(letter.answer);
}

/** Loses an answer with its cookies. */
export function lose(world: ChainWorld, letter: Letter): void {
  drop(world, letter);
  letter.reject(new TypeError('Failed to fetch'));
}

/** Kills a tab. Its requests under way go on. */
export function kill(world: ChainWorld, tab: number): void {
  const own = world.tabs[tab];
  if (own) own.isAlive = false;
  const { letters, writings } = world;
  letters.splice(0, letters.length, ...letters.filter((letter) => letter.tab !== tab || letter.answer === null));
  writings.splice(0, writings.length, ...writings.filter((writing) => writing.tab !== tab));
}

export function signIn(world: ChainWorld, tab: ChainTab): void {
  const over = (): void => void tab.signingIn--;
  tab.signingIn++;
  world.signIns--;
  void signInAs(tab).then(over, over);
}

const signInAs = ({ auth, user }: ChainTab): Promise<void> =>
  auth.signIn({ username: user, password: USERS[user].password });

export function signOut(world: ChainWorld, tab: ChainTab): void {
  world.signedOutAtMs = world.nowMs;
  tab.signOuts++;
  void tab.auth.signOut().catch(() => {});
}

/** Sessions that are live at the server. */
export const living = ({ rows, nowMs }: ChainWorld): readonly SessionRow[] =>
  [...rows.values()].filter((row) => isLive(row, nowMs));

/** The sessions of the cookies in the jar. */
export const cookiesOf = ({ jar }: ChainWorld): readonly string[] =>
  [...jar.values()].map((token) => readRefreshCopy(token).sid);

/** The username for a `sub`. */
export const nameOfUser = (sub: string): UserName => (sub === USERS.bob.sub ? 'bob' : 'ada');
