import { after } from './instant.ts';
import type { SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import { backOff } from './refresh-budget.ts';
import type { Unwritten } from './state.ts';
import { orderOf, nameOf } from './stored-session.ts';
import { takeNumber, run, observe, type Transition } from './transition.ts';

// Writes this tab's changes to the vault, and interprets the records that it finds there.

export function writeVault(
  turn: Transition,
  operation: number,
  version: number,
  session: StoredSession | null,
  endedReason: SignedOutReason | null = null,
  endedAtMs: number | null = null,
): void {
  run(turn, { type: 'writeVault', operation, version, next: { session, endedReason, endedAtMs } });
}

/**
 * A record as this tab understands it; `null` if it tells nothing. A record that cannot be opened tells no more than an
 * emptied vault. Nor does a tombstone that was written late, for a sign-out before this tab's session began.
 */
export function readable({ state: { phase }, now }: Transition, record: VaultRecord | null): VaultRecord | null {
  // The session of a probe has no known start.
  const isKnown = 'stored' in phase && !('probe' in phase && phase.probe);
  const startedAtMs = isKnown ? phase.stored.startedAtMs : 0;
  const isLate = record?.session === null && startedAtMs > (record.endedAtMs ?? Infinity) && startedAtMs <= now.wallMs;
  const isLost = record?.endedReason === 'storage-lost' || record?.sid !== undefined;
  return isLate || isLost ? null : record;
}

/** The sessions that the user has left here by signing out or in, as far as the vault does not know it yet. */
export function overOf(turn: Transition): readonly string[] {
  const { storing, unwritten } = turn.state;
  const before = unwritten?.isUsersWill ? unwritten.over : [];
  return [...before, ...(storing?.over ?? []), ...leftIn(turn).map(nameOf)];
}

/** The sessions of this tab: the one that is shown, and the sign-in that is still being stored. */
export const leftIn = ({ state: { phase, storing } }: Transition): readonly StoredSession[] =>
  [phase, storing?.held].flatMap((each) => (each && 'stored' in each ? each.stored : []));

/**
 * True if the stored session is over: the user has signed in or out here since, and other tabs' records of the sessions
 * before do not count. A session that began here was never in the vault, so nothing stored can have ended or lost it. A
 * sign-out also covers a record that cannot be read: a cookie may be left.
 */
export function isOver(turn: Transition, record: VaultRecord | null): boolean {
  const { unwritten } = turn.state;
  if (!unwritten?.isUsersWill) return false;
  const { session, over } = unwritten;
  if (!record?.session) return session !== null || !readable(turn, record);
  const name = nameOf(record.session);
  if (session && nameOf(session) === name) return false;
  // Of two sign-ins keep the newer.
  return over.includes(name) || (session !== null && orderOf(turn, record.session, session) < 0);
}

/** The content of a write. */
export type Writing = Omit<Unwritten, 'operation' | 'retryAt'>;

/**
 * Writes by compare-and-swap on the version that this tab knew. So a tombstone ends the session that was signed out of,
 * and not a session that began in another tab meanwhile.
 */
export function writeRecord(turn: Transition, writing: Writing): void {
  const operation = takeNumber(turn);
  turn.state.unwritten = { ...writing, operation, retryAt: null };
  writeVault(turn, operation, turn.state.version, writing.session, writing.reason, writing.endedAtMs);
}

/** Schedules the write for later, because the vault is not available now. */
export function waitForVault(turn: Transition, writing: Writing): void {
  turn.state.unwritten = { ...writing, operation: null, retryAt: after(turn.now, backOff(turn).parkedMs) };
  observe(turn, { type: 'vault.unavailable' });
}

/**
 * Schedules the write of a session that the vault does not hold. `before`: the earlier change that it does not hold
 * either.
 */
export function writeLater(
  turn: Transition,
  session: StoredSession,
  before: Pick<Unwritten, 'isUsersWill' | 'over'> | null,
): void {
  waitForVault(turn, { isUsersWill: false, over: [], ...before, session, reason: null, endedAtMs: null });
}
