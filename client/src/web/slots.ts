import { orNull } from '../core/or-null.ts';
import { within } from '../runtime/timeouts.ts';
import { webClock } from './clock.ts';

/** Stores values by name in the browser. Every method rejects while the browser refuses access. */
export type Slots = {
  get<T>(slot: string): Promise<T | undefined>;
  /**
   * Stores the result of `change` atomically across tabs. Writes nothing if `change` returns the same value. `change`
   * may run more than once. Resolves with the stored value once it is on disk.
   */
  update<T>(slot: string, change: (stored: T | undefined) => T | undefined): Promise<T | undefined>;
};

const STORE = 'session';

/** A request of IndexedDB, or a transaction. A transaction has no result. */
type Work<T> = Pick<IDBRequest, 'addEventListener' | 'error'> & { readonly result?: T };

const settled = <T>(work: Work<T>, done = 'success', failed = 'error'): Promise<T> =>
  new Promise((resolve, reject) => {
    work.addEventListener(done, () => resolve(work.result as T));
    work.addEventListener(failed, () => reject(work.error as Error));
  });

/** The deadline for opening a database: some browsers neither open it nor report an error. */
const OPEN_WAIT_MS = 4_000;

/**
 * Names of the errors with which browsers refuse a database: in a private window, in a sandboxed frame, with site data
 * blocked. `ReferenceError` and `TypeError`: there is no `indexedDB`.
 */
const REFUSAL = /^(?:Security|InvalidState|NotSupported|Reference|Type)Error$/u;

const nameOf = (error: unknown): string => (error as Error).name;

/** Opens a database. Rejects with `NotSupportedError` if the browser has none for this page; other errors may pass. */
async function openDatabase(name: string): Promise<IDBDatabase> {
  try {
    const request = indexedDB.open(name, 1);
    request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(STORE));
    return await within(webClock, OPEN_WAIT_MS, settled(request));
  } catch (error) {
    throw REFUSAL.test(nameOf(error)) ? new DOMException('no IndexedDB', 'NotSupportedError') : error;
  }
}

/** Runs `work` with an open database. */
type UseDatabase = <T>(work: (database: IDBDatabase) => Promise<T>) => Promise<T>;

/**
 * Keeps one connection open and opens a new one after the browser closed it. WebKit closes connections of pages in the
 * background, sometimes without an event: then the next transaction fails before it has done anything, and is repeated
 * once. After any other error the next operation opens a new connection, because some connections only return errors.
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

/** Slots in IndexedDB, shared by all tabs of the origin. */
function databaseSlots(name: string): Slots {
  const use = connect(name);
  return {
    get: <T>(slot: string) =>
      use<T | undefined>((database) => settled(database.transaction(STORE).objectStore(STORE).get(slot))),
    update: <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      use(async (database) => {
        // IndexedDB runs one read-write transaction at a time among all tabs.
        const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
        const done = settled(transaction, 'complete', 'abort');
        done.catch(() => {}); // an abort also rejects the awaited request
        const store = transaction.objectStore(STORE);
        const before: T | undefined = await settled(store.get(slot));
        const after = change(before);
        if (after !== before) await settled(store.put(after, slot));
        await done;
        return after;
      }),
  };
}

/** Slots that last as long as the page. */
export function memorySlots(): Slots {
  const values: Record<string, unknown> = {};
  return {
    get: async <T>(slot: string) => values[slot] as T | undefined,
    update: async <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      (values[slot] = change(values[slot] as T | undefined)),
  };
}

/** Memory slots by name: a service that is created again in the same page finds the values of the previous one. */
const memories: Record<string, Slots> = {};

/** The version of a stored value. It changes with each write. */
export type WithVersion = { readonly version: number };

/** A value without a secret, as JSON. */
export type Clear = { readonly text: string };

/** Stands for a value that may exist but cannot be read. */
export const UNREADABLE = 'null';

/**
 * Keeps values without a secret in web storage, so that they outlive the page without a database. Every script can read
 * web storage, so a token is never stored there. A sign-out is stored there and counts for all tabs until one of them
 * writes another value. Keeps nothing if the browser refuses web storage too.
 */
const inTheClear = (name: string) => {
  const keyOf = (slot: string): string => `${name} ${slot}`;
  return {
    get: (slot: string) => orNull((): unknown => JSON.parse(localStorage.getItem(keyOf(slot)) ?? 'null')),
    /** Stores a value without a secret. Removes the stored value for any other. Tells if `value` is stored now. */
    put: (slot: string, value: Partial<Clear> | null | undefined) =>
      orNull(() => {
        if (!value?.text) return localStorage.removeItem(keyOf(slot));
        localStorage.setItem(keyOf(slot), JSON.stringify(value));
        return true;
      }),
  };
};

/** The slot that holds the session. */
export const RECORD = 'record';

/**
 * The number of failures in a row after which a page continues without its database: some browser profiles are damaged
 * permanently. Two operations wait for the first opening.
 */
let patience = 4;

/** The same number for a page that has already used its database: most failures pass. */
const LONGER_PATIENCE = 10;

/** True once a database of this page was given up. Give up others at their first failure: all share one profile. */
let isDamaged = false;

/** Failures in a row by database: the session's may be damaged while the DPoP key's, used in between, still works. */
const failures: Record<string, number> = {};

/**
 * Opens slots in IndexedDB. Moves to memory once the browser refuses a database, or once the database has failed too
 * often in a row. Never gives up a full database. A given-up database may still hold a session, which a later launch
 * finds. In this page its session counts as lost if the refresh token was in it: a rotated one could not be stored.
 */
export function openSlots(name: string): Slots {
  const memory = (memories[name] ??= memorySlots());
  const clear = inTheClear(name);
  let current = databaseSlots(name);
  const attempt = async <T>(work: (slots: Slots) => Promise<T>): Promise<T> => {
    if (current !== memory)
      try {
        const result = await work(current);
        failures[name] = 0;
        patience = LONGER_PATIENCE;
        return result;
      } catch (error) {
        const why = nameOf(error);
        if (why === 'QuotaExceededError') throw error;
        const isRefused = why === 'NotSupportedError';
        const count = (failures[name] = (failures[name] ?? 0) + 1);
        if (!isRefused && !isDamaged && count < patience) throw error;
        current = memory;
        if (!isRefused) {
          isDamaged = true;
          await memory.update(RECORD, (stored) => stored ?? { version: 1, text: UNREADABLE });
        }
      }
    return work(memory);
  };
  return {
    get: async <T>(slot: string) => (clear.get(slot) as T | null) ?? attempt((slots) => slots.get<T>(slot)),
    update: <T>(slot: string, change: (stored: T | undefined) => T | undefined) =>
      attempt(async (slots) => {
        let after: T | undefined;
        let told: T | null = null;
        await slots.update<T>(slot, (stored) => {
          told = clear.get(slot) as T | null;
          const before = told ?? stored;
          after = change(before);
          if (after === before) return stored;
          return slots === memory && clear.put(slot, after as Clear) ? undefined : after;
        });
        // Remove a sign-out only now that its successor is on disk, and not the sign-out of another tab.
        const isSame = (clear.get(slot) as WithVersion | null)?.version === (told as WithVersion | null)?.version;
        if (after !== told && isSame) clear.put(slot, null);
        return after;
      }),
  };
}
