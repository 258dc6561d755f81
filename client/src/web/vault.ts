import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, Platform, PendingRevocation, Vault, VaultRecord } from '../core/ports.ts';
import type { SealedStore, Versioned } from './sealed-store.ts';
import { RECORD } from './slots.ts';

type Kept = Omit<VaultRecord, 'version'>;

const LOST: Kept = { session: null, endedReason: 'storage-lost', sid: null };

const toRecord = (stored: Versioned<Kept> | null): VaultRecord | null =>
  stored && { version: stored.version, ...(stored.value ?? LOST) };

/** Creates the vault: the session, encrypted if it holds a token. */
export const sealedVault = (store: SealedStore): Vault => ({
  read: async () => toRecord(await store.read<Kept>(RECORD)),
  compareAndSwap: async (expectedVersion, next) => {
    const { isSwapped, stored } = await store.swap<Kept>(RECORD, expectedVersion, next, next.session !== null);
    return { isSwapped, record: toRecord(stored) };
  },
});

/**
 * Stores the device secret in clear text. It is useless without the user's credential, and a lost key cannot make it
 * unreadable.
 */
export const storedDeviceSecret =
  (store: SealedStore): Platform['deviceSecret'] =>
  (candidate) =>
    store.key('device', async () => candidate);

/** Creates the outbox of pending revocations. Treats an outbox that cannot be decrypted any more as empty. */
export function sealedOutbox(store: SealedStore): Outbox {
  const update = async (
    change: (pending: readonly PendingRevocation[]) => readonly PendingRevocation[],
  ): Promise<void> => {
    // Read again if another tab wrote first.
    for (let isDone = false; !isDone;) {
      const stored = await store.read<readonly PendingRevocation[]>('outbox');
      const pending = change(stored?.value ?? []);
      const isSecret = pending.some(({ refreshToken }) => refreshToken !== null);
      isDone = (await store.swap('outbox', stored?.version ?? 0, pending, isSecret)).isSwapped;
    }
  };
  return {
    list: async () => (await store.read<readonly PendingRevocation[]>('outbox'))?.value ?? [],
    add: (revocation) => update((pending) => withRevocation(pending, revocation)),
    remove: (revocation) => update((pending) => withoutRevocation(pending, revocation)),
  };
}
