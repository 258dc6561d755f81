import { after, hasPassed } from './instant.ts';
import type { Transition } from './transition.ts';

/** True while the machine may go by its last look into the store; `false`: another tab or process may have written since. */
export const isStoreKnown = ({ state, now }: Transition): boolean => !hasPassed(state.knownUntil, now);

/** The store was read: it counts as known for a while, unless it has to be read again already. */
export function knowStore({ state, now, config }: Transition): void {
  if (state.syncing === null && !(state.syncAt && hasPassed(state.syncAt, now)))
    state.knownUntil = after(now, config.storeKnownMs);
}
