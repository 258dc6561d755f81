import type { Ground } from '../sandbox/process.ts';
import type { CheckedDevice, CheckedTab } from './checked-tab.ts';
import type { Books } from './ledger.ts';

/** What is judged when the faults are over. */
export type Judged = Ground & {
  readonly books: Books;
  readonly device: CheckedDevice;
  /** Whether the server would answer for a session now. */
  readonly isLive: (sid: string) => boolean;
};

type LastCall = { readonly tab: CheckedTab; readonly ended: Promise<string> };

const STILL_OPEN = 'still open';

/**
 * I5: once faults have stopped, a session that lives at the server is active in every tab and its requests are answered;
 * and tabs of one store agree about who is signed in.
 */
export async function judgeAwakening(
  { books, device, scheduler, isLive }: Judged,
  last: readonly LastCall[],
  begunAtMs: number,
): Promise<void> {
  // Written down without its cookie, which was lost with the store, a session is of no use to anybody.
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
    // What was stored after the last request began, the request could not know.
    if (!stored?.sid || !isLive(stored.sid) || device.storage.heldSinceMs() > begunAtMs) continue;
    if (snapshot.status !== 'active') books.violate('I5', `${name} is ${snapshot.status} while its session lives`);
    else if (snapshot.sid !== stored.sid) books.violate('I5', `${name} shows another session than the store holds`);
    else if (answer !== '200') books.violate('I5', `${name}: the last request ended with ${answer}`);
    else activeTabs++;
  }
  if (activeTabs > 1 && activeTabs === last.length) books.reach('all tabs active at the end');
}

/** I3: every request has ended, exactly once, unless its tab was killed, or it waits for a user who is being asked. */
export function judgeCalls({ books, device }: Judged): void {
  const asking = device.tabs().filter(({ auth }) => auth.getSnapshot().status === 'reauth-required');
  for (const call of books.calls.values()) {
    const isAsked = call.isForUser && asking.some(({ process }) => process.name === call.process);
    if (call.settlements === 0 && !call.isForgotten && !isAsked) books.violate('I3', `request ${call.id} never ended`);
  }
}

/** As the client's policy has it: a burst of ten, and one more every six seconds. */
const BURST = 10;
const REFILL_MS = 6_000;

/** I7: refreshes are few: capped in every tab whatever happens, and one per access token over all tabs when all is well. */
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
  // Towards the end of a session its tokens are shorter.
  if (Math.min(setup.absoluteLifetimeSeconds, setup.inactivityTimeoutSeconds) * 1_000 < livedMs) return;
  // A token is refreshed when two thirds of its life are over: by one tab for all of them, seldom by two; more often where there is
  // no lock, which is what keeps apart those that happen to be close. Of those that waited for it in vain one goes ahead.
  const meetings = device.history.isLockMissing ? 1.5 : 1.1;
  const due = Math.ceil((livedMs / (lifetimeMs * (2 / 3))) * meetings) + setup.tabs + device.history.lockTimeouts;
  if (sent > due) books.violate('I7', `${sent} refreshes where ${due} were due`);
}
