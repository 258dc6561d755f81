import type { HoldfastErrorCode } from './errors.ts';
import type { SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type { Freshness, Held, RevocationExtent } from './state.ts';
import { isSameUser, isSameEnd, holdStored } from './stored-session.ts';
import { run, observe, activePhase, type Transition } from './transition.ts';
import { writeRecord, overOf, leftIn } from './vault-writes.ts';
import { helpWaiters, failWaiters } from './waiters.ts';

// A session's life in this tab: held, adopted from another tab, left, signed out of.

/** Ends the flight and the work it has under way: its result would not be used. */
export function endFlight(turn: Transition): void {
  const { flight } = turn.state;
  if (!flight) return;
  turn.state.flight = null;
  turn.state.isUserActive ||= flight.isUserActive;
  run(turn, { type: 'endRefresh', attempt: flight.attempt });
}

/** Forgets failures and refusals, and drops the tokens for resources. */
export function settleDown({ state }: Transition): void {
  state.backoff = null;
  state.failures = 0;
  state.isUnreached = false;
  state.refusal = null;
  state.resourceTokens = {};
}

/**
 * Makes `held` the session of this tab. `isAnswer`: the server has just handed it out for the session that was there,
 * so it is the same user's. `isRenewed`: its access token is new, even if it reads the same.
 */
export function hold(turn: Transition, held: Held, version: number, isAnswer: boolean, isRenewed = isAnswer): void {
  const { state } = turn;
  const { phase } = state;
  const before = activePhase(turn);
  const isSameToken = !isRenewed && before !== null && before.access?.value === held.access?.value;
  const isSameSession = isAnswer || (before !== null && before.stored.sid === held.stored.sid);
  if (!isAnswer && 'stored' in phase && !isSameUser(phase.stored, held.stored)) changeOwner(turn, 'user-changed');
  if (!isSameSession) {
    endFlight(turn);
    state.reauthentication = null;
    // Grant no token here: a process that was frozen has read an old record, and reads the store again first.
    helpWaiters(turn);
  }
  state.phase = {
    kind: 'active',
    ...held,
    isRefused: isSameToken && before.isRefused,
    // The user has already been warned of an end that did not move.
    warningsGiven: before && isSameEnd(before.stored, held.stored) ? before.warningsGiven : 0,
  };
  state.version = version;
  state.unwritten = null;
  settleDown(turn);
  if (!isSameToken) {
    state.tokenNumber++;
    state.tokenSinceMs = turn.now.monotonicMs;
    if (state.wanted === 'refused') state.wanted = null;
    // Two tabs that happen to be close would otherwise meet at every token, where no lock keeps them apart.
    state.jitter = (state.jitter * 997) % 1;
  }
}

/** Another user may be signed in from now on: fail the requests that were parked before, and never send them. */
export function changeOwner(turn: Transition, code: HoldfastErrorCode): void {
  turn.state.userEpoch++;
  turn.state.wanted = null;
  failWaiters(turn, code);
}

/** Adopts a stored record: another tab's session, or its sign-out. */
export function adopt(turn: Transition, record: VaultRecord, freshness: Freshness = 'verified'): void {
  if (!record.session) return leave(turn, record.endedReason ?? 'user', record.version);
  hold(turn, holdStored(record.session, freshness, turn.now), record.version, false);
  observe(turn, { type: 'session.adopted', from: freshness === 'restored' ? 'storage' : 'another-tab' });
}

/** Signs out in this tab without writing to the vault: another tab has written already, or the caller writes. */
export function leave(turn: Transition, reason: SignedOutReason, version = turn.state.version): void {
  const { state } = turn;
  const isNews = state.phase.kind !== 'signed-out' && reason !== 'never-signed-in';
  if (isNews) observe(turn, { type: 'signed-out', reason });
  state.phase = { kind: 'signed-out', reason };
  state.reauthentication = null;
  state.version = version;
  // A read under way was requested before the sign-out: it must not bring the session back.
  state.syncing = null;
  state.unwritten = null;
  settleDown(turn);
  endFlight(turn);
  changeOwner(turn, 'signed-out');
}

/** Signs out and writes a tombstone, so that the other tabs know and no late answer brings the session back. */
export function signOut(turn: Transition, reason: SignedOutReason): void {
  // The vault may hold either one: the session before, or the sign-in that is still being stored.
  const over = overOf(turn);
  // The clock may have been set back since one of them began.
  const endedAtMs = Math.max(turn.now.wallMs, ...leftIn(turn).map(({ startedAtMs }) => startedAtMs));
  leave(turn, reason);
  turn.state.storing = null;
  const isUsersWill = reason === 'user';
  writeRecord(turn, { session: null, reason, endedAtMs, isUsersWill, over });
}

/**
 * Revokes a session that another one has replaced. A session without a name is skipped: the cookie may be another one's
 * by now.
 */
export function revokeReplaced(turn: Transition, session: StoredSession, extent?: RevocationExtent): void {
  if (session.sid !== null || session.refreshToken !== null) run(turn, { type: 'revoke', session, extent });
}
