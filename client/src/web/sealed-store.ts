import { UNREADABLE, type Clear, type Slots, type WithVersion } from './slots.ts';

/** A value and the version of its last write. The value is `null` if it cannot be decrypted any more. */
export type Versioned<T> = WithVersion & { readonly value: T | null };

/** Stores values by slot. Encrypts secret values with a key that cannot be exported. */
export type SealedStore = {
  read<T>(slot: string): Promise<Versioned<T> | null>;
  /** Compares and swaps. Resolves with the stored value; `isSwapped` tells if it is the given one. */
  swap<T>(
    slot: string,
    expectedVersion: number | null,
    value: T,
    isSecret: boolean,
  ): Promise<{ readonly isSwapped: boolean; readonly stored: Versioned<T> | null }>;
  /** Returns the key or other secret in `slot`. Creates it at the first call; it never leaves the browser. */
  key<Key extends CryptoKey | CryptoKeyPair | string>(slot: string, create: () => Promise<Key>): Promise<Key>;
};

type Sealed = { readonly iv: Uint8Array<ArrayBuffer>; readonly data: ArrayBuffer };

/** The stored form. Values without a secret stay in clear text: a sign-out stays readable when the key is lost. */
type Kept = WithVersion & (Sealed | Clear);

const createSealingKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

/** Creates a store in `slots` that encrypts secret values. */
export function sealedStore(slots: Slots): SealedStore {
  const key = async <Key>(slot: string, create: () => Promise<Key>): Promise<Key> => {
    const stored = await slots.get<Key>(slot);
    if (stored) return stored;
    const created = await create();
    // If another tab was faster, keep its key. A key that the system cannot restore reads as `null`: replace it.
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
    // A browser profile restored without its key. Leave the value in place: it shows that there was a session.
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data).catch(() => null);
    return plain ? new TextDecoder().decode(plain) : UNREADABLE;
  };
  const open = async <T>(kept: Kept | undefined): Promise<Versioned<T> | null> =>
    kept
      ? { version: kept.version, value: JSON.parse('text' in kept ? kept.text : await unseal(kept)) as T | null }
      : null;
  return {
    key,
    read: async (slot) => open(await slots.get(slot)),
    swap: async <T>(slot: string, expectedVersion: number | null, value: T, isSecret: boolean) => {
      const text = JSON.stringify(value);
      const next = isSecret ? await seal(text) : { text };
      let isSwapped = false;
      const stored = await slots.update<Kept>(slot, (before) => {
        const version = before?.version ?? 0;
        isSwapped = expectedVersion === null || expectedVersion === version;
        // Start from the time, not from 1, after the store was emptied: a tab may still remember a low version.
        return isSwapped ? { version: before ? version + 1 : Date.now(), ...next } : before;
      });
      return { isSwapped, stored: await open<T>(stored) };
    },
  };
}
