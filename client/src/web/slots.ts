import { orNull } from '../core/or-null.ts';
import { within } from '../runtime/timeouts.ts';
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

/** A request of IndexedDB, or a transaction, which has no result. */
type Work<T> = Pick<IDBRequest, 'addEventListener' | 'error'> & { readonly result?: T };

const settled = <T>(work: Work<T>, done = 'success', failed = 'error'): Promise<T> =>
  new Promise((resolve, reject) => {
    work.addEventListener(done, () => resolve(work.result as T));
    work.addEventListener(failed, () => reject(work.error as Error));
  });

/** Browsers have been seen that neither open a database nor say why. */
const OPEN_WAIT_MS = 4_000;

/**
 * How browsers refuse to open one at all: in a private window, a sandboxed frame, with site data blocked; or there is no such
 * name, or nothing to call.
 */
const REFUSAL = /^(?:Security|InvalidState|NotSupported|Reference|Type)Error$/u;

/** Errors of the browser are told by their names. */
const nameOf = (error: unknown): string => (error as Error).name;

/** Rejects with a `NotSupportedError` where the browser gives the page no database; anything else may pass. */
async function openDatabase(name: string): Promise<IDBDatabase> {
  try {
    const request = indexedDB.open(name, 1);
    request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(STORE));
    return await within(webClock, OPEN_WAIT_MS, settled(request));
  } catch (error) {
    throw REFUSAL.test(nameOf(error)) ? new DOMException('no IndexedDB', 'NotSupportedError') : error;
  }
}

/** Does something with the database. */
type UseDatabase = <T>(work: (database: IDBDatabase) => Promise<T>) => Promise<T>;

/**
 * One connection, opened again after the browser closed it. WebKit does so while a page is in the background, and has been
 * seen to do it without a word: then a transaction fails, before anything was done in it. After any other error as well, the next
 * operation opens a new connection: some answer nothing but errors any more.
 */
function connect(name: string): UseDatabase {
  let opening: Promise<IDBDatabase> | null = null;
  const forget = (): void => void (opening = null);
  const open = (): Promise<IDBDatabase> =>
    (opening ??= openDatabase(name).then((database) => {
      database.addEventListener('close', forget);
      database.addEventListener('versionchange', () => (database.close(), forget()));
      return database;
    }));
  const use = async <T>(work: (database: IDBDatabase) => Promise<T>, isRepeated = false): Promise<T> => {
    try {
      return await work(await open());
    } catch (error) {
      forget();
      if (nameOf(error) !== 'InvalidStateError' || isRepeated) throw error;
      return use(work, true);
    }
  };
  return use;
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
        const done = settled(transaction, 'complete', 'abort');
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

/** By name: a service that is created anew in the same page finds what the one before has kept. */
const memories = new Map<string, Slots>();

function memoryOf(name: string): Slots {
  if (!memories.has(name)) memories.set(name, memorySlots());
  return memories.get(name) as Slots;
}

/** A value that is no secret, as JSON. */
export type Clear = { readonly text: string };

/** The text of what there may be, and cannot be read. */
export const UNREADABLE = 'null';

/**
 * What is no secret outlives the page also where there is no database: in web storage, which every script can read, unless it is
 * refused as well. A sign-out is there, and counts for all tabs until one of them writes something else; a token never is.
 */
const inTheClear = (name: string) => {
  const keyOf = (slot: string): string => `${name} ${slot}`;
  return {
    get: (slot: string) => orNull((): unknown => JSON.parse(localStorage.getItem(keyOf(slot)) ?? 'null')),
    /** Answers whether it is kept; what is not takes away what was. */
    put: (slot: string, value: unknown) =>
      orNull(() => {
        const isClear = (value as Partial<Clear> | null | undefined)?.text !== undefined;
        if (isClear) localStorage.setItem(keyOf(slot), JSON.stringify(value));
        else localStorage.removeItem(keyOf(slot));
        return isClear;
      }),
  };
};

/** The slot of the session. */
export const RECORD = 'record';

/**
 * So many operations may fail in a row until a page goes on without a database: some profiles are damaged for good. Two operations
 * wait for the first opening.
 */
let patience = 4;

/** The same in a page that has used its database: most failures pass. */
const LONGER_PATIENCE = 10;

/** A database of this page has failed for good. They are all in one place, so another one that fails is not waited for. */
let isDamaged = false;

/** In a row, by name: the session's database may be lost where the one with the proof's key, used in between, is not. */
const failures = new Map<string, number>();

/**
 * In a database, or in memory from the moment on when the browser says that there is none. A database that is only busy or full is
 * waited for. Of one that fails for good nothing is known: there may be a session in it, which a later launch finds. In this page it
 * counts as lost where the refresh token was in it: a new one could not be kept.
 */
export function openSlots(name: string): Slots {
  const memory = memoryOf(name);
  const clear = inTheClear(name);
  let current = databaseSlots(name);
  const attempt = async <T>(work: (slots: Slots) => Promise<T>): Promise<T> => {
    if (current !== memory)
      try {
        const result = await work(current);
        failures.delete(name);
        patience = LONGER_PATIENCE;
        return result;
      } catch (error) {
        const why = nameOf(error);
        if (why === 'QuotaExceededError') throw error;
        const isRefused = why === 'NotSupportedError';
        const count = (failures.get(name) ?? 0) + 1;
        failures.set(name, count);
        if (!isRefused && !isDamaged && count < patience) throw error;
        current = memory;
        isDamaged ||= !isRefused;
        if (!isRefused) await memory.update(RECORD, (stored) => stored ?? { stamp: 1, text: UNREADABLE });
      }
    return work(memory);
  };
  return {
    get: async <T>(slot: string) => (clear.get(slot) as T | null) ?? attempt((slots) => slots.get<T>(slot)),
    update: <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      attempt(async (slots) => {
        let after: T | undefined;
        await slots.update<T>(slot, (stored) => {
          const before = (clear.get(slot) as T | null) ?? stored;
          after = change(before);
          if (after === before) return stored;
          return clear.put(slot, slots === memory && after) ? undefined : after;
        });
        return after;
      }),
  };
}
