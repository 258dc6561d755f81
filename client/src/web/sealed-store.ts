import { UNREADABLE, type Clear, type Slots } from './slots.ts';

/** A value and the stamp of its last write; `null` if its key does not open it any more. */
export type Stamped<T> = { readonly stamp: number; readonly value: T | null };

/** Values that are sealed under a key which cannot be exported, if they are secret. */
export type SealedStore = {
  read<T>(slot: string): Promise<Stamped<T> | null>;
  /** Compare and swap; resolves with what is stored afterwards and whether it is the value given. */
  swap<T>(
    slot: string,
    expectedStamp: number | null,
    value: T,
    isSecret: boolean,
  ): Promise<{ readonly replaced: boolean; readonly stored: Stamped<T> | null }>;
  /** A key, or another secret of this store, that is made once and never leaves the browser. */
  key<Key extends CryptoKey | CryptoKeyPair | string>(slot: string, create: () => Promise<Key>): Promise<Key>;
};

type Sealed = { readonly iv: Uint8Array<ArrayBuffer>; readonly data: ArrayBuffer };

/** As it is stored: what is no secret stays in the clear, so that no lost key can make a sign-out unreadable. */
type Kept = { readonly stamp: number } & (Sealed | Clear);

const createSealingKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

/** Seals what is put into `slots`. */
export function sealedStore(slots: Slots): SealedStore {
  const key = async <Key>(slot: string, create: () => Promise<Key>): Promise<Key> => {
    const stored = await slots.get<Key>(slot);
    if (stored) return stored;
    const created = await create();
    // Another tab was faster: the first key stays. One that the system gives back no more is stored as `null`.
    return (await slots.update<Key>(slot, (theirs) => theirs ?? created)) as Key;
  };
  const sealingKey = (): Promise<CryptoKey> => key('key', createSealingKey);

  const seal = async (text: string): Promise<Sealed> => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = new TextEncoder().encode(text);
    return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await sealingKey(), plain) };
  };
  const unseal = async ({ iv, data }: Sealed): Promise<string> => {
    const key = await sealingKey();
    // Half a profile, restored from a backup: left as it is, for it says that there was something.
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data).catch(() => null);
    return plain ? new TextDecoder().decode(plain) : UNREADABLE;
  };
  const open = async <T>(kept: Kept | undefined): Promise<Stamped<T> | null> =>
    kept ? { stamp: kept.stamp, value: JSON.parse('text' in kept ? kept.text : await unseal(kept)) as T | null } : null;
  return {
    key,
    read: async (slot) => open(await slots.get(slot)),
    swap: async <T>(slot: string, expectedStamp: number | null, value: T, isSecret: boolean) => {
      const text = JSON.stringify(value);
      const next = isSecret ? await seal(text) : { text };
      let replaced = false;
      const stored = await slots.update<Kept>(slot, (before) => {
        const stamp = before?.stamp ?? 0;
        replaced = expectedStamp === null || expectedStamp === stamp;
        // A store that was emptied does not count from 1 again: a tab may still remember what 1 was.
        return replaced ? { stamp: before ? stamp + 1 : Date.now(), ...next } : before;
      });
      return { replaced, stored: await open<T>(stored) };
    },
  };
}
