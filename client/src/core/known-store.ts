import { after, hasPassed } from './instant.ts';
import type { Transition } from './transition.ts';

/**
 * True while the machine may rely on its last read of the store; `false`: another tab or process may have written
 * since.
 */
export const isStoreKnown = ({ state, now }: Transition): boolean => !hasPassed(state.knownUntil, now);

/** Notes a read of the store. It counts as known for a while, unless another read is due already. */
export function knowStore({ state, now, config }: Transition): void {
  if (state.syncing === null && !(state.syncAt && hasPassed(state.syncAt, now)))
    state.knownUntil = after(now, config.storeKnownMs);
}
