'use client';
import { useCallback, useSyncExternalStore } from 'react';
import type { Clock } from '../index.ts';
import { useAuth } from './auth-context.tsx';
import { useSession } from './session.ts';

/** The data of an expiry warning. */
export type ExpiryWarning = {
  /** Whole seconds until the session ends, 0 once it has ended. The component renders once a second. */
  readonly secondsLeft: number;
  /** True if `extend` can renew the session. If not, the user authenticates again at its end, and loses nothing. */
  readonly isExtendable: boolean;
  /** True while a refresh is under way. */
  readonly isExtending: boolean;
  /** Renews the session, as a user activity. */
  readonly extend: () => void;
};

const secondsUntil = (atMs: number | null, clock: Clock): number =>
  atMs === null ? 0 : Math.max(0, Math.ceil((atMs - clock.now().wallMs) / 1_000));

/** Counts down to `atMs` on the wall clock. Returns 0 for `null`. */
function useSecondsUntil(atMs: number | null, clock: Clock): number {
  const subscribe = useCallback(
    (onTick: () => void) => {
      let cancel = (): void => {};
      const waitForTick = (): void => {
        const leftMs = atMs === null ? 0 : atMs - clock.now().wallMs;
        if (leftMs <= 0) return;
        cancel = clock.wake(leftMs % 1_000 || 1_000, () => {
          onTick();
          waitForTick();
        });
      };
      waitForTick();
      return () => cancel();
    },
    [atMs, clock],
  );
  return useSyncExternalStore(
    subscribe,
    () => secondsUntil(atMs, clock),
    () => 0,
  );
}

/**
 * Returns the data for a warning that the session is about to end; `null` while there is none.
 * `policy.expiryWarningsMs` sets the times of the warnings.
 *
 * @example
 * const warning = useExpiryWarning()
 * if (warning?.isExtendable)
 *   return <button onClick={warning.extend}>Stay signed in ({warning.secondsLeft} s left)</button>
 */
export function useExpiryWarning(): ExpiryWarning | null {
  const auth = useAuth();
  const isExtending = useSession((session) => session.status === 'active' && session.isRefreshing);
  const endsAtMs = useSession((session) =>
    session.status === 'active' && session.isExpiring ? session.sessionExpiresAtMs : null,
  );
  const isExtendable = useSession((session) => session.status === 'active' && session.isExtendable);
  const secondsLeft = useSecondsUntil(endsAtMs, auth.platform.clock);
  return endsAtMs === null ? null : { secondsLeft, isExtendable, isExtending, extend: auth.extend };
}
