import { memoryVault } from '../memory-vault.ts';
import type { SignedOutReason, StoredSession, Vault, VaultRecord } from '../ports.ts';

/** What IndexedDB holds: the session is sealed, the rest is no secret. */
type SealedRecord = {
  readonly stamp: number;
  readonly endedReason: SignedOutReason | null;
  readonly sealed: { readonly iv: Uint8Array<ArrayBuffer>; readonly data: ArrayBuffer } | null;
};

const STORE = 'session';
const KEY = 'key';
const RECORD = 'record';

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB request failed')));
  });

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.addEventListener('upgradeneeded', () => void request.result.createObjectStore(STORE));
  return new Promise((resolve, reject) => {
    request.addEventListener('blocked', () => reject(new Error('IndexedDB is blocked by another tab')));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB cannot be opened')));
    request.addEventListener('success', () => resolve(request.result));
  });
}

/** One connection, opened again after the browser closed it (WebKit does so while a page is in the background). */
function connect(name: string): () => Promise<IDBDatabase> {
  let opening: Promise<IDBDatabase> | null = null;
  const forget = (): void => void (opening = null);
  return () => {
    opening ??= openDatabase(name).then(
      (database) => {
        database.addEventListener('close', forget);
        database.addEventListener('versionchange', () => (database.close(), forget()));
        return database;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return opening;
  };
}

/** The sealing key. It cannot be exported: who copies the database file copies nothing that opens elsewhere. */
async function loadKey(database: IDBDatabase): Promise<CryptoKey> {
  const stored = (await settled(database.transaction(STORE).objectStore(STORE).get(KEY))) as CryptoKey | undefined;
  if (stored !== undefined) return stored;
  const created = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const store = database.transaction(STORE, 'readwrite').objectStore(STORE);
  // Another tab may have been faster: the first key stays.
  const theirs = (await settled(store.get(KEY))) as CryptoKey | undefined;
  if (theirs !== undefined) return theirs;
  await settled(store.put(created, KEY));
  return created;
}

async function seal(key: CryptoKey, session: StoredSession): Promise<NonNullable<SealedRecord['sealed']>> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plain = new TextEncoder().encode(JSON.stringify(session));
  return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plain) };
}

async function unseal(key: CryptoKey, record: SealedRecord | undefined): Promise<VaultRecord | null> {
  if (record === undefined) return null;
  const { stamp, endedReason, sealed } = record;
  if (sealed === null) return { stamp, endedReason, session: null };
  const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: sealed.iv }, key, sealed.data).catch(() => null);
  // A record that its key does not open (restored from a backup, half a profile) is as good as none.
  if (plain === null) return null;
  return { stamp, endedReason, session: JSON.parse(new TextDecoder().decode(plain)) as StoredSession };
}

/** Compare and swap in one transaction, which IndexedDB runs alone among all tabs. Resolves with what is stored afterwards. */
async function swap(
  database: IDBDatabase,
  expectedStamp: number | null,
  next: Omit<SealedRecord, 'stamp'>,
): Promise<{ replaced: boolean; record: SealedRecord | undefined }> {
  const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
  const done = new Promise<void>((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new Error('IndexedDB transaction was aborted')),
    );
  });
  done.catch(() => {}); // an abort also fails the request that is awaited first
  const store = transaction.objectStore(STORE);
  const before = (await settled(store.get(RECORD))) as SealedRecord | undefined;
  const stamp = before?.stamp ?? 0;
  if (expectedStamp !== null && expectedStamp !== stamp) return { replaced: false, record: before };
  const record: SealedRecord = { ...next, stamp: stamp + 1 };
  store.put(record, RECORD);
  await done;
  return { replaced: true, record };
}

/**
 * The session in IndexedDB, sealed under a key that cannot be exported, shared by all tabs of the origin. Where there is
 * no IndexedDB the session is kept in memory: it then ends with the page.
 */
export function indexedDbVault(name: string): Vault {
  if (typeof indexedDB === 'undefined') return memoryVault();
  const database = connect(name);
  return {
    read: async () => {
      const connection = await database();
      const key = await loadKey(connection);
      const store = connection.transaction(STORE).objectStore(STORE);
      return unseal(key, (await settled(store.get(RECORD))) as SealedRecord | undefined);
    },
    replace: async (expectedStamp, { session, endedReason }) => {
      const connection = await database();
      const key = await loadKey(connection);
      const sealed = session === null ? null : await seal(key, session);
      const { replaced, record } = await swap(connection, expectedStamp, { sealed, endedReason });
      return { replaced, record: await unseal(key, record) };
    },
  };
}
