import type { Platform, Signal, Vault } from '../core/ports.ts';

/**
 * Adds `look` to the signals of a platform: it emits `store-changed` if the store may have changed since the last look.
 *
 * @param version returns a value that differs from the previous one if the store may have been written since. It is
 * cheap and never throws.
 */
export function watchedSignals(
  signals: Platform['signals'],
  version: () => unknown,
): Required<Pick<Platform, 'signals' | 'look'>> {
  const listeners = new Set<(signal: Signal) => void>();
  let before: unknown;
  return {
    look: () => {
      const now = version();
      if (now !== before) for (const emit of listeners) emit('store-changed');
      before = now;
    },
    signals: (emit) => {
      listeners.add(emit);
      const stop = signals(emit);
      return () => {
        listeners.delete(emit);
        stop();
      };
    },
  };
}

/** Looks again after each read: the process may have been frozen between the read and its result. */
export const lookingAfterReads = (vault: Vault, look: () => void): Vault => ({
  ...vault,
  read: async () => {
    const record = await vault.read();
    look();
    return record;
  },
});
