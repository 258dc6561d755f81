import type { Ground } from '../sandbox/process.ts';
import type { CheckedDevice, CheckedTab } from './checked-tab.ts';
import type { Books } from './ledger.ts';

/** The parts of the world that are judged when the faults are over. */
export type Judged = Ground & {
  readonly books: Books;
  readonly device: CheckedDevice;
  /** True if the session is live at the server now. */
  readonly isLive: (sid: string) => boolean;
};

type LastCall = { readonly tab: CheckedTab; readonly ended: Promise<string> };

const STILL_OPEN = 'still open';

/**
 * I5: after the faults have stopped, a session that is live at the server is active in every tab, and its requests are
 * answered. Tabs of one store agree about the session.
 */
export async function judgeAwakening(
  { books, device, scheduler, isLive }: Judged,
  last: readonly LastCall[],
  begunAtMs: number,
): Promise<void> {
  // A record whose cookie was lost with the store is of no use.
  const stored = device.storage.session();
  let activeTabs = 0;
  for (const { tab, ended } of last) {
    const answer = await Promise.race([ended, Promise.resolve(STILL_OPEN)]);
    const snapshot = tab.auth.getSnapshot();
    const { name } = tab.process;
    scheduler.note(name, `in the end: ${snapshot.status}, last request ${answer}`);
    if (snapshot.status === 'restoring') books.violate('I5', `${name} is still restoring`);
    const isShown = snapshot.status === 'active' && snapshot.sid !== null;
    if (isShown && answer !== '200' && !isLive(snapshot.sid))
      books.violate('I5', `${name} shows a session that is over`);
    // The last request could not know a session that was stored after it began.
    if (!stored?.sid || !isLive(stored.sid) || device.storage.heldSinceMs() > begunAtMs) continue;
    if (snapshot.status !== 'active') books.violate('I5', `${name} is ${snapshot.status} while its session lives`);
    else if (snapshot.sid !== stored.sid) books.violate('I5', `${name} shows another session than the store holds`);
    else if (answer !== '200') books.violate('I5', `${name}: the last request ended with ${answer}`);
    else activeTabs++;
  }
  if (activeTabs > 1 && activeTabs === last.length) books.reach('all tabs active at the end');
}

/**
 * I3: every request has ended exactly once, unless its tab was killed or it waits for a user who is asked to
 * authenticate.
 */
export function judgeCalls({ books, device }: Judged): void {
  const asking = device.tabs().filter(({ auth }) => auth.getSnapshot().status === 'reauthentication-required');
  for (const call of books.calls.values()) {
    const isAsked = call.isForUser && asking.some(({ process }) => process.name === call.process);
    if (call.settlements === 0 && !call.isForgotten && !isAsked) books.violate('I3', `request ${call.id} never ended`);
  }
}

/** The refresh allowance of the client's policy: a burst of ten, and one more every six seconds. */
const BURST = 10;
const REFILL_MS = 6_000;

/**
 * I7: refreshes are few. The allowance caps them in every tab. In a world without faults all tabs together send about
 * one for each access token.
 */
export function judgeRefreshes({ books, device, scheduler, setup }: Judged): void {
  let sent = 0;
  for (const { process, openedAtMs, refreshes, dueRefreshes } of device.tabs()) {
    sent += dueRefreshes;
    const livedMs = scheduler.nowMs() - openedAtMs;
    if (refreshes > BURST + livedMs / REFILL_MS) books.violate('I7', `${process.name} sent ${refreshes} refreshes`);
  }
  if (books.faults() > 0 || setup.theftAtMs !== null) return;
  const lifetimeMs = setup.accessTokenLifetimeSeconds * 1_000;
  const livedMs = scheduler.nowMs() - (device.tabs()[0]?.process.startedAtMs ?? 0);
  // Near the end of a session its tokens live for a shorter time, so their number is not judged.
  if (Math.min(setup.absoluteLifetimeSeconds, setup.inactivityTimeoutSeconds) * 1_000 < livedMs) return;
  // A token is refreshed when two thirds of its life are over, by one tab for all of them and seldom by two. Without a
  // lock, tabs that are due at nearly the same time refresh together more often. Each time-out on a lock may cost one
  // more refresh.
  const meetings = device.history.isLockMissing ? 1.5 : 1.1;
  const due = Math.ceil((livedMs / (lifetimeMs * (2 / 3))) * meetings) + setup.tabs + device.history.lockTimeouts;
  if (sent > due) books.violate('I7', `${sent} refreshes where ${due} were due`);
}
