import type { Ground, Process } from '../sandbox/process.ts';
import type { CheckedStorage } from './checked-tab.ts';
import type { Books } from './ledger.ts';

type Witnesses = Pick<Ground, 'scheduler' | 'setup'> & { readonly books: Books; readonly storage: CheckedStorage };

/** How long a process may rely on its last read of the store, and how long a read takes, in ms. */
const KNOWN_MS = 1_000;
const LOOK_MS = 100;
/**
 * How long a process may rely on its token after the store has refused a read, in ms: until it reads again, after 8 s at
 * most, or after twice that time if its timer is late.
 */
const REFUSED_MS = 16_000;
/** A read that a freeze has interrupted for less than this counts: the store may have been that slow. In ms. */
const SLOW_READ_MS = 10_000;

/**
 * I9: after the news of a sign-out has arrived, or after a pause, no request carries a token of the user who was signed
 * out.
 *
 * @param sid the session of the request's access token; `null`: it has none
 */
export function judgeSender(
  process: Process,
  sid: string | null,
  { storage, books, scheduler, setup }: Witnesses,
): void {
  const goneSinceMs = sid === null ? null : storage.goneSinceMs(sid);
  // A process learns nothing from a store that cannot be read in time.
  if (goneSinceMs === null || setup.faults.vaultSlow > 0) return;
  const nowMs = scheduler.nowMs();
  const { newsAtMs } = process;
  const refusedMs = storage.refusedMs();
  const hasHeard = newsAtMs >= goneSinceMs && nowMs > newsAtMs && refusedMs < newsAtMs;
  const frozenMs = nowMs - process.thawedAtMs < LOOK_MS ? process.thawedAtMs - process.frozenAtMs : 0;
  const readMs = frozenMs < SLOW_READ_MS ? LOOK_MS + frozenMs : LOOK_MS;
  const dueMs = Math.max(goneSinceMs + KNOWN_MS, refusedMs + REFUSED_MS);
  const isLate = !storage.isLost() && nowMs - dueMs > readMs;
  if (hasHeard || isLate)
    books.violate('I9', `${process.name} sends a request as somebody who was signed out ${nowMs - goneSinceMs} ms ago`);
}
