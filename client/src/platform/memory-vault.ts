import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, Revocation, Vault, VaultRecord } from '../core/ports.ts';

/** Creates a vault in memory: for tests, and for platforms without storage. */
export function memoryVault(): Vault {
  let record: VaultRecord | null = null;
  return {
    read: () => Promise.resolve(record),
    replace: (expectedStamp, next) => {
      const stamp = record?.stamp ?? 0;
      if (expectedStamp !== null && expectedStamp !== stamp) return Promise.resolve({ replaced: false, record });
      record = { ...next, stamp: stamp + 1 };
      return Promise.resolve({ replaced: true, record });
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
  let pending: readonly Revocation[] = [];
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
