import type { Observation } from '../../../client/src/core/state.ts';
import type { MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { Ground } from '../sandbox/process.ts';
import type { CheckedTab } from './checked-tab.ts';
import type { Books } from './ledger.ts';

/** Tolerance in ms for the clocks of two databases and for answers in whole seconds. */
const GRACE_MS = 3_500;

/** Presses "Extend" for the user. A press while an earlier one is pending does not move its time. */
export function extend(tab: CheckedTab, { scheduler }: Ground, books: Books): void {
  const { sid, auth } = tab;
  const isPending = tab.extension?.sid === sid;
  if (sid !== null && auth.getSnapshot().status === 'active' && !isPending)
    tab.extension = {
      sid,
      askedAtMs: scheduler.nowMs(),
      fallbacks: books.sessions.get(sid)?.fallbacks ?? 0,
      isSent: false,
    };
  auth.extend();
}

type Witnesses = Pick<Ground, 'setup'> & {
  readonly books: Books;
  readonly rowOf: (sid: string) => SessionRow | undefined;
};

/**
 * I10: after a refresh that was sent after the press has succeeded, the session lasts for the whole inactivity timeout.
 */
export function judgeExtension(tab: CheckedTab, observation: Observation, { books, rowOf, setup }: Witnesses): void {
  const { extension } = tab;
  if (extension === null) return;
  // Another session has taken this one's place: its own sign-in has extended it.
  if (tab.sid !== extension.sid) {
    tab.extension = null;
    return;
  }
  // A refresh for a resource extends nothing; the next refresh does.
  if (observation.type === 'refresh.sent' && tab.cause !== 'resource') extension.isSent = true;
  if (observation.type !== 'refresh.succeeded' || !extension.isSent) return;
  tab.extension = null;
  const row = rowOf(extension.sid);
  const isForgotten = books.sessions.get(extension.sid)?.fallbacks !== extension.fallbacks;
  if (row === undefined || row.revokedReason !== null || isForgotten) return;
  books.reach('session extended by its user');
  const timeoutMs = setup.inactivityTimeoutSeconds * 1_000;
  const owedMs = Math.min(extension.askedAtMs + timeoutMs, row.expiresAtMs) - GRACE_MS;
  if (row.idleExpiresAtMs < owedMs)
    books.violate('I10', `an extension gained ${owedMs - row.idleExpiresAtMs} ms less than it had to`);
}
