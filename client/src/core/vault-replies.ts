import { after, hasPassed } from './instant.ts';
import { knowStore } from './known-store.ts';
import { adopt, changeOwner, hold, leave, revokeReplaced } from './lifecycle.ts';
import { lookAgain } from './reauthentication.ts';
import { backOff } from './refresh-budget.ts';
import { adoptNews, onFlightUnavailable, onFlightVaultRead, onFlightVaultWritten } from './refresh-flight.ts';
import type { Event, Held } from './state.ts';
import { holdStored, nameOf, nothingStored, orderOf } from './stored-session.ts';
import { observe, type Transition } from './transition.ts';
import { isOver, overOf, readable, waitForVault, writeLater, writeRecord, writeVault } from './vault-writes.ts';
import { helpWaiters } from './waiters.ts';

// Handles the vault's replies to a restore, a sign-in, a sign-out, another tab's news, or a refresh.

function finishSignIn(turn: Transition, held: Held, version: number): void {
  const { phase, userEpoch } = turn.state;
  turn.state.storing = null;
  turn.state.isUserActive = false;
  // Requests that were parked before the user was known are not sent as this user.
  if (phase.kind === 'restoring') changeOwner(turn, 'user-changed');
  hold(turn, held, version, false);
  turn.state.reauthentication = null;
  // A sign-in as another user ends the previous user's session at the server.
  if ('stored' in phase && turn.state.userEpoch !== userEpoch) revokeReplaced(turn, phase.stored);
  observe(turn, { type: 'signed-in' });
  helpWaiters(turn);
}

export function onVaultRead(turn: Transition, { operation, record }: Event<'vaultRead'>): void {
  const { state, config, now } = turn;
  const { flight } = state;
  state.vaultError = null;
  if (flight?.attempt === operation) return onFlightVaultRead(turn, flight, record);
  if (state.syncing !== operation) return;
  state.syncing = null;
  // Drop the next read, unless it is due already: other tabs have written since, or this process was frozen, which
  // makes the answer old.
  if (!hasPassed(state.syncAt ?? now, now)) state.syncAt = null;
  knowStore(turn);
  const news = readable(turn, record);
  if (state.phase.kind !== 'restoring') {
    // Keep a sign-in or sign-out that waits to be written. A refresh that waits would lose its compare-and-swap, and
    // this read says so even if the storage takes no write.
    const isKept = state.storing ?? state.unwritten?.isUsersWill;
    if (news && news.version !== state.version && !isKept) adoptNews(turn, news);
    return lookAgain(turn);
  }
  // A process that was frozen has read an old state: read again before it is shown, or signed out with an old token.
  if (state.syncAt) return;
  const version = record?.version ?? 0;
  const reason = record?.endedReason ?? 'never-signed-in';
  const sid = record?.sid;
  if (news) adopt(turn, news, 'restored');
  // Browsers empty script storage and keep the refresh token's cookie: ask the server until its answer is definitive.
  else if (config.hasCookie && sid !== undefined) {
    const named = holdStored({ ...nothingStored(config.scope, now.wallMs), sid }, 'restored', now);
    hold(turn, { ...named, probe: reason }, version, false);
  } else leave(turn, reason, version);
}

export function onVaultWritten(turn: Transition, { operation, isSwapped, record }: Event<'vaultWritten'>): void {
  const { state } = turn;
  const { storing, flight, unwritten } = state;
  const version = record?.version ?? 0;
  if (storing?.operation === operation) {
    if (isSwapped) return finishSignIn(turn, storing.held, version);
    const { stored } = storing.held;
    const isOvertaken =
      record?.session && orderOf(turn, record.session, stored) > 0 && !overOf(turn).includes(nameOf(record.session));
    // Keep the newest sign-in. That is the stored one only if this tab was slow or frozen, and the user has signed in
    // since.
    if (!isOvertaken) return writeVault(turn, operation, version, stored);
    revokeReplaced(turn, stored, 'discard');
    state.storing = null;
    adopt(turn, record);
  } else if (flight?.attempt === operation) onFlightVaultWritten(turn, flight, isSwapped, record);
  else if (unwritten?.operation === operation) {
    state.version = version;
    const news = readable(turn, record);
    // Another tab wrote about a session that is over, or emptied the vault.
    if (!isSwapped && isOver(turn, record)) writeRecord(turn, unwritten);
    // An answer to a refresh may be as old as this tab was frozen: in an emptied vault it would pass for the newest.
    else if (isSwapped || !news) state.unwritten = null;
    else adopt(turn, news);
  }
}

/** Schedules the failed operation again: a locked keychain is not an empty one. */
export function onVaultUnavailable(turn: Transition, { operation, error = null }: Event<'vaultUnavailable'>): void {
  const { state, now } = turn;
  const { storing, unwritten, version } = state;
  state.vaultError = error;
  if (storing?.operation === operation) {
    const over = overOf(turn);
    finishSignIn(turn, storing.held, version);
    writeLater(turn, storing.held.stored, { isUsersWill: true, over });
  } else if (unwritten?.operation === operation) waitForVault(turn, unwritten);
  else if (state.syncing === operation) {
    state.syncing = null;
    // News came during the read, or this process was frozen and may have missed some: read again before handing out a
    // token.
    if (hasPassed(state.syncAt ?? now, now)) return;
    // A read costs the server nothing, and requests may wait for it.
    const { parkedMs } = backOff(turn);
    state.syncAt = after(now, parkedMs);
    // Hand out a valid token meanwhile, unless the next read is late: the store may have answered other tabs by then.
    state.knownUntil = after(now, parkedMs * 2);
    observe(turn, { type: 'vault.unavailable' });
  } else onFlightUnavailable(turn, operation, 'vault-unavailable');
}

/** The session that waits to be written is in the vault after all: from now on other tabs' changes to it count. */
export function onVaultWrittenLate({ state }: Transition, { record }: Event<'vaultWrittenLate'>): void {
  const { unwritten } = state;
  if (!unwritten?.session || !record?.session || nameOf(record.session) !== nameOf(unwritten.session)) return;
  state.version = record.version;
  state.unwritten = { ...unwritten, isUsersWill: false };
}
