import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, Revocation } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';

const ITEM = 'outbox';

/** Revocations to be delivered, in one item: each change is one task without a pause. */
export function keychainOutbox(keychain: Keychain, protection: Protection): Outbox {
  // Delivered without anybody being asked.
  const kept = protection === 'biometric' ? 'when-unlocked' : protection;
  const list = (): readonly Revocation[] => JSON.parse(keychain.read(ITEM) ?? '[]') as readonly Revocation[];
  const update = async (change: (pending: readonly Revocation[]) => readonly Revocation[]): Promise<void> =>
    keychain.write(ITEM, JSON.stringify(change(list())), kept);
  return {
    list: async () => list(),
    add: (revocation) => update((pending) => withRevocation(pending, revocation)),
    remove: (revocation) => update((pending) => withoutRevocation(pending, revocation)),
  };
}
