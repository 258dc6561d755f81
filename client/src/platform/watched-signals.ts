import type { Platform, Signal } from '../core/ports.ts';

/**
 * Signals of a platform that can say cheaply whether its store may have changed, and the look that emits `store-changed` if so.
 * `version` differs from its last answer if anybody may have written since; it never throws.
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
