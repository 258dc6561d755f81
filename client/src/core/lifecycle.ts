import type { HoldfastErrorCode } from './errors.ts';
import type { SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type { Freshness, Held, RevocationExtent } from './state.ts';
import { isSameUser, isSameEnd, holdStored } from './stored-session.ts';
import { run, observe, activePhase, type Transition } from './transition.ts';
import { writeRecord, overOf, leftIn } from './vault-writes.ts';
import { settleWaiters, failWaiters } from './waiters.ts';

// How a session comes to this tab and leaves it: held, adopted from another tab, left, signed out of.

/** Ends the flight, and whatever it still does: nobody would use its answer. */
export function endFlight(turn: Transition): void {
  const { flight } = turn.state;
  if (!flight) return;
  turn.state.flight = null;
  turn.state.isUserActive ||= flight.isUserActive;
  run(turn, { type: 'endRefresh', attempt: flight.attempt });
}

/** Nothing has failed. */
export function settleDown({ state }: Transition): void {
  state.backoff = null;
  state.failures = 0;
  state.isUnreached = false;
  state.refusal = null;
  state.resourceTokens = {};
}

/**
 * Makes `held` the session of this tab. `isAnswer`: the server has just handed it out for the session that was there, so
 * it is the same user's. `isRenewed`: so is its token, even if it reads the same.
 */
export function hold(turn: Transition, held: Held, stamp: number, isAnswer: boolean, isRenewed = isAnswer): void {
  const { state } = turn;
  const { phase } = state;
  const before = activePhase(turn);
  const isSameToken = !isRenewed && before !== null && before.access?.value === held.access?.value;
  const isSameSession = isAnswer || (before !== null && before.stored.sid === held.stored.sid);
  if (!isAnswer && 'stored' in phase && !isSameUser(phase.stored, held.stored)) changeOwner(turn, 'user-changed');
  if (!isSameSession) {
    endFlight(turn);
    state.chain = null;
    state.wanted = null;
  }
  state.phase = {
    kind: 'active',
    ...held,
    isRefused: isSameToken && before.isRefused,
    // Of an end that stays where it was the user has been warned.
    warningsGiven: before && isSameEnd(before.stored, held.stored) ? before.warningsGiven : 0,
  };
  state.stamp = stamp;
  state.unwritten = null;
  settleDown(turn);
  if (!isSameToken) {
    state.generation++;
    state.tokenSinceMs = turn.now.monotonicMs;
    if (state.wanted === 'refused') state.wanted = null;
    // Two tabs that happen to be close would else meet at every token, where no lock keeps them apart.
    state.jitter = (state.jitter * 997) % 1;
  }
  // A new session of the same user began with an authentication: that is what a step-up waits for.
  if ('stored' in phase && !isSameSession) settleWaiters(turn, true);
}

/** Somebody else may be signed in from here on: what the one before had parked fails, and is never sent. */
export function changeOwner(turn: Transition, code: HoldfastErrorCode): void {
  turn.state.owner++;
  failWaiters(turn, code);
}

/** Takes over what is stored: another tab's session, or the news that it has ended. */
export function adopt(turn: Transition, record: VaultRecord, freshness: Freshness = 'verified'): void {
  if (!record.session) return leave(turn, record.endedReason ?? 'user', record.stamp);
  hold(turn, holdStored(record.session, freshness, turn.now), record.stamp, false);
  observe(turn, { type: 'session.adopted', from: freshness === 'restored' ? 'storage' : 'another-tab' });
}

/** Signs out in this tab without writing to the vault: somebody else already did, or the caller does. */
export function leave(turn: Transition, reason: SignedOutReason, stamp = turn.state.stamp): void {
  const { state } = turn;
  const isNews = state.phase.kind !== 'signed-out' && reason !== 'never-signed-in';
  if (isNews) observe(turn, { type: 'signed-out', reason });
  state.phase = { kind: 'signed-out', reason };
  state.chain = null;
  state.stamp = stamp;
  // What is being read was asked for before: it must not bring the session back.
  state.syncing = null;
  state.unwritten = null;
  settleDown(turn);
  endFlight(turn);
  changeOwner(turn, 'signed-out');
}

/** Signs out here and leaves a tombstone, so that the other tabs know and no late answer brings the session back. */
export function signOut(turn: Transition, reason: SignedOutReason): void {
  // Whichever of them will be found: the session before, or the sign-in that is still being stored.
  const over = overOf(turn);
  // The clock may have been set back since one of them began.
  const endedAtMs = Math.max(turn.now.wallMs, ...leftIn(turn).map(({ startedAtMs }) => startedAtMs));
  leave(turn, reason);
  turn.state.storing = null;
  const isUsersWill = reason === 'user';
  writeRecord(turn, { session: null, reason, endedAtMs, isUsersWill, over });
}

/** Ends a session at the server whose place another one has taken. One without a name would be whichever the cookie is by now. */
export function revokeReplaced(turn: Transition, session: StoredSession, extent?: RevocationExtent): void {
  if (session.sid !== null || session.refreshToken !== null) run(turn, { type: 'revoke', session, extent });
}
