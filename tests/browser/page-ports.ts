// Runs in the page: the browser's ports, within reach of a test. The query may name their store.
import type { HttpResponse, HttpRequest, Platform, ProofSigner, Signal } from 'holdfast';
import { web, webProofSigner } from 'holdfast/web';

/** The clock's events. */
type Measured = {
  readonly passedMs: readonly { readonly asked: number; readonly passed: number }[];
  /** A delay longer than a timer can count was over at once. */
  readonly isEarly: boolean;
  readonly isMonotonic: boolean;
};

/** The calls that a test can make to the ports of a page. */
export type PagePorts = {
  readonly platform: Platform;
  /** Signals that the page has heard. */
  readonly heard: Signal[];
  /** Starts to listen beside it, as another session in the page would; answers its number. */
  listen(): number;
  heardBy(listener: number): readonly Signal[];
  stop(listener: number): void;
  readonly signer: ProofSigner;
  randomTokens(count: number): readonly string[];
  randomNumbers(count: number): readonly number[];
  acquire(use: number, waitMs: number, level: number): Promise<boolean>;
  release(use: number): void;
  send(exchange: number, request: HttpRequest, isAborted: boolean): Promise<HttpResponse>;
  abort(exchange: number): void;
  measureClock(delaysMs: readonly number[]): Promise<Measured>;
  /** Empties the store from outside. */
  empty(): Promise<void>;
  /** Everything that is stored, as text, and what came of exporting the keys among it. */
  dump(): Promise<{ readonly text: string; readonly keys: readonly unknown[] }>;
};

const name = new URLSearchParams(location.search).get('name') ?? 'ports';
const platform = web({ name, refreshTokenTransport: 'body' });
const releases = new Map<number, () => void>();
const exchanges = new Map<number, AbortController>();
const heard: Signal[] = [];
platform.signals((signal) => heard.push(signal));
const listeners: { readonly heard: Signal[]; readonly stop: () => void }[] = [];

function listen(): number {
  const heardHere: Signal[] = [];
  const stop = web({ name, refreshTokenTransport: 'body' }).signals((signal) => heardHere.push(signal));
  return listeners.push({ heard: heardHere, stop }) - 1;
}

async function measureClock(delaysMs: readonly number[]): Promise<Measured> {
  const { clock } = platform;
  let isEarly = false;
  const cancel = clock.wake(2 ** 40, () => (isEarly = true));
  const moments = Array.from({ length: 1_000 }, () => clock.now().monotonicMs);
  const passedMs = await Promise.all(
    delaysMs.map(async (asked) => {
      const before = clock.now().monotonicMs;
      await new Promise<void>((resolve) => void clock.wake(asked, resolve));
      return { asked, passed: clock.now().monotonicMs - before };
    }),
  );
  cancel();
  return {
    passedMs,
    isEarly,
    isMonotonic: moments.every((moment, at) => at === 0 || moment >= (moments[at - 1] ?? 0)),
  };
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('the request failed')));
  });

/** Every byte of a value, as text. */
function textOf(value: unknown): string {
  if (value instanceof ArrayBuffer) return String.fromCharCode(...new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return String.fromCharCode(...new Uint8Array(value.buffer));
  if (typeof value === 'object' && value !== null) return Object.values(value).map(textOf).join(' ');
  return String(value);
}

async function dump(): Promise<{ text: string; keys: unknown[] }> {
  const values: unknown[] = [];
  const database = await settled(indexedDB.open(`holdfast-${name}`));
  for (const store of database.objectStoreNames)
    values.push(...(await settled(database.transaction(store).objectStore(store).getAll())));
  database.close();
  const exported = (key: CryptoKey): Promise<string> =>
    crypto.subtle.exportKey(key.type === 'secret' ? 'raw' : 'pkcs8', key).then(
      () => 'exported',
      (error: Error) => error.name,
    );
  const keys = values.filter((value) => value instanceof CryptoKey);
  return {
    text: values.map(textOf).join('\n'),
    keys: await Promise.all(
      keys.map(async (key) => ({ algorithm: key.algorithm.name, exported: await exported(key) })),
    ),
  };
}

const ports: PagePorts = {
  platform,
  heard,
  listen,
  heardBy: (listener) => listeners[listener]?.heard ?? [],
  stop: (listener) => listeners[listener]?.stop(),
  signer: webProofSigner(name),
  randomTokens: (count) => Array.from({ length: count }, platform.randomToken),
  randomNumbers: (count) => Array.from({ length: count }, platform.random),
  acquire: async (use, waitMs, level) => {
    const release = await platform.refreshLock(waitMs, level);
    if (release) releases.set(use, release);
    return release !== null;
  },
  release: (use) => releases.get(use)?.(),
  send: (exchange, request, isAborted) => {
    const controller = new AbortController();
    exchanges.set(exchange, controller);
    if (isAborted) controller.abort();
    return platform.transport(request, controller.signal);
  },
  abort: (exchange) => exchanges.get(exchange)?.abort(),
  measureClock,
  empty: async () => void (await settled(indexedDB.deleteDatabase(`holdfast-${name}`))),
  dump,
};
Object.assign(globalThis, { ports });
