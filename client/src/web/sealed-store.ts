import type { Slots } from './slots.ts';

/** A value and the stamp of its last write; `null` if it is sealed and its key does not open it any more. */
export type Stamped<T> = { readonly stamp: number; readonly value: T | null };

/** Values that are sealed under a key which cannot be exported. */
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

const createSealingKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

/** Seals what is put into `slots`. */
export function sealedStore(slots: Slots): SealedStore {
  const key = async <Key>(slot: string, create: () => Promise<Key>): Promise<Key> => {
    const stored = await slots.get<Key>(slot);
    if (stored) return stored;
    const created = await create();
    // Another tab was faster: the first key stays. One that the system gives back no more is stored as `null`.
    return (await slots.update<Key>(slot, (theirs) => theirs ?? created)) ?? created;
  };
  const sealingKey = (): Promise<CryptoKey> => key('key', createSealingKey);

  const unseal = async <T>(record: SealedRecord | undefined): Promise<Stamped<T> | null> => {
    if (!record) return null;
    const { stamp, iv, data } = record;
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await sealingKey(), data).catch(() => null);
    // Half a profile, restored from a backup: left as it is, for it says that there was something.
    return { stamp, value: plain && (JSON.parse(new TextDecoder().decode(plain)) as T) };
  };
  return {
    key,
    read: async (slot) => unseal(await slots.get(slot)),
    swap: async <T>(slot: string, expectedStamp: number | null, value: T) => {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const plain = new TextEncoder().encode(JSON.stringify(value));
      const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await sealingKey(), plain);
      let isSwapped = false;
      const stored = await slots.update<SealedRecord>(slot, (before) => {
        const stamp = before?.stamp ?? 0;
        isSwapped = expectedStamp === null || expectedStamp === stamp;
        // A store that was emptied does not count from 1 again: a tab may still remember what 1 was.
        return isSwapped ? { stamp: before ? stamp + 1 : Date.now(), iv, data } : before;
      });
      return { isSwapped, stored: await unseal<T>(stored) };
    },
  };
}
