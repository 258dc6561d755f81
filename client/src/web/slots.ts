import { within } from '../within.ts';
import { webClock } from './clock.ts';

/** Values by name, as a browser keeps them. Every method rejects while the browser does not let them be used. */
export type Slots = {
  get<T>(slot: string): Promise<T | undefined>;
  /**
   * Stores what `change` makes of the stored value, while no other tab can; the same value stays as it is. `change` may run more
   * than once. Resolves with what is stored then, once it is on disk.
   */
  update<T>(slot: string, change: (stored: T | undefined) => T | undefined): Promise<T | undefined>;
};

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
  try {
    if (!factory) throw new DOMException('this browser has no IndexedDB', 'NotSupportedError');
    const request = factory.open(name, 1);
    request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(STORE));
    return await within(webClock, OPEN_WAIT_MS, settled(request), new Error('IndexedDB does not open'));
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

/** In IndexedDB, shared by all tabs of the origin. */
function databaseSlots(name: string): Slots {
  const use = connect(name);
  return {
    get: <T>(slot: string) =>
      use<T | undefined>((database) => settled(database.transaction(STORE).objectStore(STORE).get(slot))),
    update: <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      use(async (database) => {
        // One transaction, which IndexedDB runs alone among all tabs.
        const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
        const done = new Promise<void>((resolve, reject) => {
          transaction.addEventListener('complete', () => resolve());
          transaction.addEventListener('abort', () => reject(transaction.error as Error));
        });
        done.catch(() => {}); // an abort also fails the request that is awaited
        const store = transaction.objectStore(STORE);
        const before: T | undefined = await settled(store.get(slot));
        const after = change(before);
        if (after !== before) await settled(store.put(after, slot));
        await done;
        return after;
      }),
  };
}

/** As long as the page. */
export function memorySlots(): Slots {
  const values = new Map<string, unknown>();
  return {
    get: async <T>(slot: string) => values.get(slot) as T | undefined,
    update: async <T>(slot: string, change: (stored: T | undefined) => T | undefined) => {
      const after = change(values.get(slot) as T | undefined);
      values.set(slot, after);
      return after;
    },
  };
}

/** A value that is no secret. */
export type Clear = { readonly text: string };

/**
 * What is no secret outlives the page also where there is no database: in web storage, which every script can read. A sign-out is
 * there, and counts for all tabs until one of them writes something else; a token never is.
 */
const inTheClear = (name: string) => {
  const attempt = (slot: string, work: (key: string) => unknown): unknown => {
    try {
      return work(`${name} ${slot}`) ?? undefined;
    } catch {
      // It is refused as well.
      return undefined;
    }
  };
  return {
    get: (slot: string): unknown => attempt(slot, (key) => JSON.parse(localStorage.getItem(key) ?? 'null')),
    /** Answers whether it is kept; what is not takes away what was. */
    put: (slot: string, value: unknown): boolean =>
      attempt(slot, (key) => {
        const isClear = (value as Partial<Clear> | null | undefined)?.text !== undefined;
        if (isClear) localStorage.setItem(key, JSON.stringify(value));
        else localStorage.removeItem(key);
        return isClear;
      }) === true,
  };
};

/** In a database, or in memory from the moment on when the browser says that there is none. A database that is only busy is waited for. */
export function openSlots(name: string): Slots {
  const memory = memorySlots();
  const clear = inTheClear(name);
  let current = databaseSlots(name);
  const attempt = async <T>(work: (slots: Slots) => Promise<T>): Promise<T> => {
    try {
      return await work(current);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotSupportedError') throw error;
      current = memory;
      return work(memory);
    }
  };
  return {
    get: async <T>(slot: string) => (clear.get(slot) as T | undefined) ?? attempt((slots) => slots.get<T>(slot)),
    update: <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      attempt(async (slots) => {
        let after: T | undefined;
        await slots.update<T>(slot, (stored) => {
          const before = (clear.get(slot) as T | undefined) ?? stored;
          after = change(before);
          if (after === before) return stored;
          return clear.put(slot, slots === memory && after) ? undefined : after;
        });
        return after;
      }),
  };
}
