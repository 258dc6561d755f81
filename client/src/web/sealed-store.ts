/** A value and the stamp of its last write. */
export type Stamped<T> = { readonly stamp: number; readonly value: T };

/** Values in IndexedDB, sealed under a key that cannot be exported, shared by all tabs of the origin. */
export type SealedStore = {
  read<T>(slot: string): Promise<Stamped<T> | null>;
  /** Compare and swap; resolves with what is stored afterwards and whether it is the value given. */
  swap<T>(
    slot: string,
    expectedStamp: number | null,
    value: T,
  ): Promise<{ readonly isSwapped: boolean; readonly stored: Stamped<T> | null }>;
  /** A key that is made once and never leaves the browser. */
  key<Key extends CryptoKey | CryptoKeyPair>(slot: string, create: () => Promise<Key>): Promise<Key>;
};

type SealedRecord = { readonly stamp: number; readonly iv: Uint8Array<ArrayBuffer>; readonly data: ArrayBuffer };

const STORE = 'session';

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error as Error));
  });

/** Browsers have been seen that neither open a database nor say why. */
const OPEN_WAIT_MS = 4_000;

/** How browsers refuse to open one at all: in a private window, a sandboxed frame, with site data blocked. */
const REFUSALS: ReadonlySet<string> = new Set(['SecurityError', 'InvalidStateError', 'NotSupportedError']);

/** Rejects with a `NotSupportedError` where the browser gives the page no database; anything else may pass. */
async function openDatabase(name: string): Promise<IDBDatabase> {
  const factory = (globalThis as { readonly indexedDB?: IDBFactory | null }).indexedDB;
  if (!factory) throw new DOMException('this browser has no IndexedDB', 'NotSupportedError');
  const timedOut = new Promise<never>((_resolve, reject) =>
    setTimeout(() => reject(new Error('IndexedDB does not open')), OPEN_WAIT_MS),
  );
  try {
    const request = factory.open(name, 1);
    request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(STORE));
    return await Promise.race([settled(request), timedOut]);
  } catch (error) {
    if (!(error instanceof DOMException) || !REFUSALS.has(error.name)) throw error;
    throw new DOMException(`IndexedDB is refused: ${error.name}`, 'NotSupportedError');
  }
}

/** Does something with the database. */
type UseDatabase = <T>(work: (database: IDBDatabase) => Promise<T>) => Promise<T>;

/**
 * One connection, opened again after the browser closed it. WebKit does so while a page is in the background, and has been
 * seen to do it without a word: then a transaction fails, before anything was done in it.
 */
function connect(name: string): UseDatabase {
  let opening: Promise<IDBDatabase> | null = null;
  const forget = (): void => void (opening = null);
  const open = (): Promise<IDBDatabase> =>
    (opening ??= openDatabase(name).then(
      (database) => {
        database.addEventListener('close', forget);
        database.addEventListener('versionchange', () => (database.close(), forget()));
        return database;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    ));
  return async (work) => {
    const database = await open();
    try {
      return await work(database);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'InvalidStateError') throw error;
      forget();
      return work(await open());
    }
  };
}

/** One transaction, which IndexedDB runs alone among all tabs; resolves when it is on disk. `work` awaits only requests. */
async function write<T>(database: IDBDatabase, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
  const done = new Promise<void>((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () => reject(transaction.error as Error));
  });
  done.catch(() => {}); // an abort also fails the request that `work` awaits
  const result = await work(transaction.objectStore(STORE));
  await done;
  return result;
}

async function loadKey<Key>(database: IDBDatabase, slot: string, create: () => Promise<Key>): Promise<Key> {
  const find = (store: IDBObjectStore): Promise<Key | undefined> => settled(store.get(slot));
  const stored = await find(database.transaction(STORE).objectStore(STORE));
  if (stored !== undefined) return stored;
  const created = await create();
  return write(database, async (store) => {
    const theirs = await find(store);
    // Another tab was faster: the first key stays.
    if (theirs !== undefined) return theirs;
    await settled(store.put(created, slot));
    return created;
  });
}

const createSealingKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

/** Opens the store. Every method rejects while the browser does not let it be used. */
export function sealedStore(name: string): SealedStore {
  const use = connect(name);
  const find = (store: IDBObjectStore, slot: string): Promise<SealedRecord | undefined> => settled(store.get(slot));
  const key: SealedStore['key'] = (slot, create) => use((database) => loadKey(database, slot, create));
  const sealingKey = (): Promise<CryptoKey> => key('key', createSealingKey);

  const unseal = async <T>(slot: string, record: SealedRecord | undefined): Promise<Stamped<T> | null> => {
    if (record === undefined) return null;
    const { stamp, iv, data } = record;
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await sealingKey(), data).catch(() => null);
    if (plain !== null) return { stamp, value: JSON.parse(new TextDecoder().decode(plain)) as T };
    // A record that its key does not open (half a profile, restored from a backup) is as good as none, and in the way.
    await use((database) =>
      write(database, async (store) => {
        if ((await find(store, slot))?.stamp === stamp) await settled(store.delete(slot));
      }),
    );
    return null;
  };
  return {
    key,
    read: async (slot) =>
      unseal(slot, await use((database) => find(database.transaction(STORE).objectStore(STORE), slot))),
    swap: async (slot, expectedStamp, value) => {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const plain = new TextEncoder().encode(JSON.stringify(value));
      const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await sealingKey(), plain);
      const put = async (store: IDBObjectStore) => {
        const before = await find(store, slot);
        const stamp = before?.stamp ?? 0;
        if (expectedStamp !== null && expectedStamp !== stamp) return { isSwapped: false, record: before };
        // A store that was emptied does not count from 1 again: a tab may still remember what 1 was.
        const next: SealedRecord = { stamp: before ? stamp + 1 : Date.now(), iv, data };
        await settled(store.put(next, slot));
        return { isSwapped: true, record: next };
      };
      const { isSwapped, record } = await use((database) => write(database, put));
      return { isSwapped, stored: await unseal(slot, record) };
    },
  };
}

/** Values as long as the page. */
function memoryStore(): SealedStore {
  const values = new Map<string, Stamped<unknown>>();
  const keys = new Map<string, Promise<unknown>>();
  return {
    read: <T>(slot: string) => Promise.resolve((values.get(slot) as Stamped<T> | undefined) ?? null),
    swap: <T>(slot: string, expectedStamp: number | null, value: T) => {
      const before = (values.get(slot) as Stamped<T> | undefined) ?? null;
      const stamp = before?.stamp ?? 0;
      const isSwapped = expectedStamp === null || expectedStamp === stamp;
      const stored = isSwapped ? { stamp: stamp + 1, value } : before;
      if (stored) values.set(slot, stored);
      return Promise.resolve({ isSwapped, stored });
    },
    key: <Key>(slot: string, create: () => Promise<Key>) => {
      const made = (keys.get(slot) as Promise<Key> | undefined) ?? create();
      keys.set(slot, made);
      return made;
    },
  };
}

/** The store, or memory from the moment on when the browser says that there is none. A store that is only busy is waited for. */
export function withFallback(store: SealedStore): SealedStore {
  const memory = memoryStore();
  let current = store;
  const attempt = async <T>(work: (store: SealedStore) => Promise<T>): Promise<T> => {
    try {
      return await work(current);
    } catch (error) {
      if (current === memory || !(error instanceof DOMException) || error.name !== 'NotSupportedError') throw error;
      current = memory;
      return work(memory);
    }
  };
  return {
    read: (slot) => attempt((each) => each.read(slot)),
    swap: (slot, expectedStamp, value) => attempt((each) => each.swap(slot, expectedStamp, value)),
    key: (slot, create) => attempt((each) => each.key(slot, create)),
  };
}
