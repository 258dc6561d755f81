import type { DeviceClock, Ground } from '../sandbox/process.ts';
import type { CheckedStorage, CheckedTab } from './checked-tab.ts';
import type { Books, Call } from './ledger.ts';

/** Follows the requests of a tab while its store refuses. */
export type RefusalWatch = {
  /** Notes that a request begins. @returns a function that judges its end */
  begin(tab: CheckedTab, call: Call): (ended: string) => void;
};

type Witnesses = Ground & {
  readonly books: Books;
  readonly storage: CheckedStorage;
  readonly clock: DeviceClock;
};

/**
 * I3: a store that only a person can mend holds up no request. If the tab has a token, the request is sent. Otherwise
 * it fails at once and does not wait for its deadline. With a cookie the session goes on without the store.
 */
export function followRefusals({ storage, scheduler, clock, setup, books }: Witnesses): RefusalWatch {
  const hasToken = ({ auth }: CheckedTab): boolean => {
    const snapshot = auth.getSnapshot();
    return snapshot.status === 'active' && (snapshot.accessTokenExpiresAtMs ?? 0) > scheduler.nowMs() + clock.offsetMs;
  };
  const isInUse = ({ auth }: CheckedTab): boolean => ['active', 'restoring'].includes(auth.getSnapshot().status);
  return {
    begin: (tab, call) => {
      const sinceMs = storage.refusesSinceMs();
      const [hadToken, wasInUse] = [hasToken(tab), isInUse(tab)];
      return (ended) => {
        // Skip a process that has thawed meanwhile: its deadline may have passed during the freeze.
        const isAwake = tab.process.thawedAtMs < call.beganAtMs;
        if (sinceMs === null || storage.refusesSinceMs() !== sinceMs || !isAwake) return;
        if (ended === 'storage-unavailable') books.reach('request failed for want of a store');
        if (ended === '200') books.reach('request sent while the store refused');
        const isSent = call.isItemRefused !== null;
        const isWithToken = hadToken && hasToken(tab) && !isSent;
        if (ended === 'storage-unavailable' && (isWithToken || setup.store === 'cookie'))
          books.violate('I3', `request ${call.id} was given up for want of a store that it does not need`);
        // A request that was sent may wait for the network, for its user, or for the token of its resource.
        const isStoreNeeded = setup.store !== 'cookie' && wasInUse && isInUse(tab);
        if (ended === 'deadline-exceeded' && !isSent && isStoreNeeded)
          books.violate('I3', `request ${call.id} waited for a store that refuses`);
      };
    },
  };
}
