import type { Outbox, Revocation, Vault, VaultRecord } from '../ports.ts';
import type { SealedStore, Stamped } from './sealed-store.ts';

type Kept = Omit<VaultRecord, 'stamp'>;

const toRecord = (stored: Stamped<Kept> | null): VaultRecord | null =>
  stored && { stamp: stored.stamp, ...stored.value };

/** The session, sealed in IndexedDB. */
export const sealedVault = (store: SealedStore): Vault => ({
  read: async () => toRecord(await store.read<Kept>('record')),
  replace: async (expectedStamp, next) => {
    const { isSwapped, stored } = await store.swap<Kept>('record', expectedStamp, next);
    return { replaced: isSwapped, record: toRecord(stored) };
  },
});

/** Revocations to be delivered, sealed in IndexedDB. */
export function sealedOutbox(store: SealedStore): Outbox {
  const list = async (): Promise<Stamped<readonly Revocation[]>> =>
    (await store.read<readonly Revocation[]>('outbox')) ?? { stamp: 0, value: [] };
  const update = async (change: (pending: readonly Revocation[]) => readonly Revocation[]): Promise<void> => {
    // Whoever loses the race against another tab reads again.
    for (let isDone = false; !isDone;) {
      const { stamp, value } = await list();
      isDone = (await store.swap('outbox', stamp, change(value))).isSwapped;
    }
  };
  const isOther = (a: Revocation) => (b: Revocation) => a.sid !== b.sid || a.refreshToken !== b.refreshToken;
  return {
    list: async () => (await list()).value,
    add: (revocation) => update((pending) => [...pending.filter(isOther(revocation)), revocation]),
    remove: (revocation) => update((pending) => pending.filter(isOther(revocation))),
  };
}
