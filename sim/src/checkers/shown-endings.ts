import type { SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { Ground } from '../sandbox/process.ts';
import type { CheckedDevice, CheckedStorage, CheckedTab } from './checked-tab.ts';
import { judgeEnding, type Ending } from './endings.ts';
import type { Books } from './ledger.ts';

/** The database's rows and clock, and the ledger. */
type Witnesses = Pick<Ground, 'scheduler' | 'setup'> & {
  readonly books: Books;
  readonly rowOf: (sid: string) => SessionRow | undefined;
  readonly databaseNowMs: () => number;
  readonly isLive: (sid: string) => boolean;
};

/**
 * Longest time of a read of the store, in ms. A tab that reads has seen everything that was written before that time.
 */
const LOOK_MS = 100;
const SLOW_LOOK_MS = 15_000;

/** I1: a tab that begins to show that there is no session must be right. */
export function judgeShown(
  witnesses: Witnesses,
  { history, storage }: Pick<CheckedDevice, 'history' | 'storage'>,
  tab: CheckedTab,
  before: SessionSnapshot,
  now: Ending,
): void {
  const { books, rowOf } = witnesses;
  judgeSearch(witnesses, storage, before, now);
  const row = tab.sid === null ? undefined : rowOf(tab.sid);
  const truth = tab.sid === null ? undefined : books.sessions.get(tab.sid);
  const complaint = judgeEnding(now, { row, truth, history, nowMs: witnesses.databaseNowMs() });
  if (complaint !== null) {
    if (truth) truth.isLost = true;
    books.violate('I1', complaint);
  }
  if (now.status === 'reauthentication-required') judgeStored(witnesses, storage, tab, row);
}

/**
 * I1: a tab whose store was lost looks for its session until the server gives the definitive answer that there is none.
 */
function judgeSearch(
  { books, isLive }: Witnesses,
  storage: CheckedStorage,
  before: SessionSnapshot,
  now: Ending,
): void {
  const sid = storage.findable();
  if (sid !== null) books.reach('store lost, and a cookie left');
  const isGivenUp = now.status === 'signed-out' && (now.reason === 'storage-lost' || now.reason === 'never-signed-in');
  if (isGivenUp && before.status === 'restoring' && sid !== null && isLive(sid))
    books.violate('I1', 'a tab gives up a session to which a cookie leads');
}

/** I1: no tab shows the end of its session while the store holds another live one, once the tab could have read it. */
function judgeStored(
  { books, scheduler, setup, rowOf, isLive }: Witnesses,
  storage: CheckedStorage,
  tab: CheckedTab,
  row: SessionRow | undefined,
): void {
  const stored = storage.record()?.session?.sid ?? null;
  // While the store refuses, a tab with a cookie relies on the server's answers alone.
  const knowableMs = Math.max(storage.writtenAtMs(), tab.process.thawedAtMs, storage.refusedMs());
  const settledMs = scheduler.nowMs() - knowableMs;
  const longestLookMs = setup.faults.vaultSlow > 0 ? SLOW_LOOK_MS : LOOK_MS;
  if (stored === null || stored === tab.sid) return;
  // If the user has signed in again since, the stored session was left, and only the new session could not be stored.
  const isLeft = (rowOf(stored)?.deviceSequence ?? Infinity) < (row?.deviceSequence ?? 0);
  if (!isLeft && settledMs > longestLookMs && isLive(stored))
    books.violate('I1', 'a tab shows the end of its session while the store holds another that lives');
}
