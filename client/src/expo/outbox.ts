import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, PendingRevocation } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';

const ITEM = 'outbox';

/**
 * Stores pending revocations in one keychain item. Each change happens in one task, so no other code runs in between.
 */
export function keychainOutbox(keychain: Keychain, protection: Protection): Outbox {
  // The delivery of a revocation must not show a biometric prompt.
  const kept = protection === 'biometric' ? 'when-unlocked' : protection;
  const list = (): readonly PendingRevocation[] =>
    JSON.parse(keychain.read(ITEM) ?? '[]') as readonly PendingRevocation[];
  const update = async (
    change: (pending: readonly PendingRevocation[]) => readonly PendingRevocation[],
  ): Promise<void> => keychain.write(ITEM, JSON.stringify(change(list())), kept);
  return {
    list: async () => list(),
    add: (revocation) => update((pending) => withRevocation(pending, revocation)),
    remove: (revocation) => update((pending) => withoutRevocation(pending, revocation)),
  };
}
