import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, PendingRevocation, Vault, VaultRecord } from '../core/ports.ts';

/** Creates a vault in memory: for tests, and for platforms without storage. */
export function memoryVault(): Vault {
  let record: VaultRecord | null = null;
  return {
    read: () => Promise.resolve(record),
    compareAndSwap: (expectedVersion, next) => {
      const version = record?.version ?? 0;
      if (expectedVersion !== null && expectedVersion !== version) return Promise.resolve({ isSwapped: false, record });
      record = { ...next, version: version + 1 };
      return Promise.resolve({ isSwapped: true, record });
    },
  };
}

/** Keeps the device secret in memory. */
export function memoryDeviceSecret(): (candidate: string) => Promise<string> {
  let kept: string | null = null;
  return (candidate) => Promise.resolve((kept ??= candidate));
}

/** Creates an outbox in memory. */
export function memoryOutbox(): Outbox {
  let pending: readonly PendingRevocation[] = [];
  return {
    list: () => Promise.resolve(pending),
    add: (revocation) => {
      pending = withRevocation(pending, revocation);
      return Promise.resolve();
    },
    remove: (revocation) => {
      pending = withoutRevocation(pending, revocation);
      return Promise.resolve();
    },
  };
}
