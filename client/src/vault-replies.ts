import { after } from './instant.ts';
import type { VaultRecord } from './ports.ts';
import { onFlightUnavailable, onFlightVaultRead, onFlightVaultWritten } from './refresh-flight.ts';
import type { Event, Held, Unwritten } from './session-state.ts';
import {
  adopt,
  backOffMs,
  hold,
  holdStored,
  leave,
  nothingStored,
  observe,
  run,
  settleWaiters,
  waitForVault,
  writeLater,
  writeRecord,
  type Turn,
} from './turn.ts';

// What the vault answered, and to whom: a restore, a sign-in, a sign-out, another tab's news, or a refresh.

function finishSignIn(turn: Turn, held: Held, stamp: number): void {
  const { phase, owner } = turn.state;
  turn.state.storing = null;
  turn.state.isUserActive = false;
  hold(turn, held, stamp, false);
  turn.state.chain = null;
  // Who signs in as somebody else leaves the session before for good.
  if ('stored' in phase && turn.state.owner !== owner) run(turn, { type: 'revoke', session: phase.stored });
  observe(turn, { type: 'signed-in' });
  settleWaiters(turn, true);
}

export function onVaultRead(turn: Turn, { operation, record }: Event<'vaultRead'>): void {
  const { state, config } = turn;
  const { flight } = state;
  if (flight?.attempt === operation) return onFlightVaultRead(turn, flight, record);
  if (state.syncing !== operation) return;
  state.syncing = null;
  if (state.phase.kind !== 'restoring') {
    if (record && record.stamp !== state.stamp && !state.storing && !state.unwritten) adopt(turn, record, 'verified');
    return;
  }
  if (record) adopt(turn, record, 'restored');
  else if (config.wire.delivery === 'cookie') hold(turn, probe(turn), 0, false);
  else leave(turn, 'never-signed-in', 0);
}

/** Script storage may be gone (browsers empty it) where the refresh token's cookie is not: the server is asked once. */
const probe = ({ now, config }: Turn): Held => ({
  ...holdStored(nothingStored(config.wire.scope, now.wallMs), 'restored', now),
  isProbe: true,
});

export function onVaultWritten(turn: Turn, { operation, isReplaced, record }: Event<'vaultWritten'>): void {
  const { state } = turn;
  const { storing, flight, unwritten } = state;
  if (storing?.operation === operation) finishSignIn(turn, storing.held, record?.stamp ?? state.stamp);
  else if (flight?.attempt === operation) onFlightVaultWritten(turn, flight, isReplaced, record);
  else if (unwritten?.operation === operation) {
    state.unwritten = null;
    state.stamp = record?.stamp ?? 0;
    if (!isReplaced) onForestalled(turn, unwritten, record);
  }
}

/** Somebody else had written, or emptied the vault. */
function onForestalled(turn: Turn, unwritten: Unwritten, record: VaultRecord | null): void {
  const { session, isUsersWill, sidBefore } = unwritten;
  // Nothing is left to bury. A session that began here was never in there, so it cannot have been ended, nor lost, with it.
  // An answer to a refresh may be as old as this tab was frozen: in a vault that was emptied it would pass for the newest.
  const isOver = isUsersWill && (record?.session ? record.session.sid === sidBefore : session);
  if (isOver) writeRecord(turn, { ...unwritten, expectedStamp: turn.state.stamp });
  else if (record) adopt(turn, record, 'verified');
}

/** A locked keychain is not an empty one: whatever was asked of it is asked again. */
export function onVaultUnavailable(turn: Turn, { operation }: Event<'vaultUnavailable'>): void {
  const { state, now } = turn;
  const { storing, unwritten, phase, stamp } = state;
  if (storing?.operation === operation) {
    const { held } = storing;
    const sidBefore = 'stored' in phase ? phase.stored.sid : null;
    finishSignIn(turn, held, stamp);
    writeLater(turn, held.stored, true, sidBefore);
  } else if (unwritten?.operation === operation) waitForVault(turn, unwritten);
  else if (state.syncing === operation) {
    state.syncing = null;
    state.syncAt = after(now, backOffMs(turn));
    observe(turn, { type: 'vault.unavailable' });
  } else onFlightUnavailable(turn, operation, 'vault-unavailable');
}
