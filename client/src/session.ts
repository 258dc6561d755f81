import { hasPassed, untilBoth, untilEither, type Instant } from './instant.ts';
import type { SessionPolicy } from './policy.ts';
import type { HoldfastErrorCode } from './errors.ts';
import type { Signal } from './ports.ts';
import { onAnswered, onFlightDeadline, onFlightUnavailable, onLockSettled, startFlight } from './refresh-flight.ts';
import type {
  Active,
  Effect,
  Held,
  MachineConfig,
  RefreshCause,
  SessionEvent,
  SessionState,
  Waiter,
} from './session-state.ts';
import {
  activePhase,
  canRefresh,
  endFlight,
  failWaiters,
  isUsable,
  nextStage,
  observe,
  refreshAllowedInMs,
  refreshMarginMs,
  requireReauthentication,
  run,
  settleWaiters,
  signOut,
  takeNumber,
  writeTombstone,
  type Turn,
} from './turn.ts';
import { onVaultRead, onVaultUnavailable, onVaultWritten } from './vault-replies.ts';

// The session machine. `transition` is the only way in which a session changes: no clock, no I/O, no promise, no randomness
// of its own. Events change the facts; `advance` then does whatever the facts call for, so that no event can forget to.

type Event<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** The state before anything happened. `jitter` is a number in [0, 1) that differs between tabs. */
export function initialState(jitter: number, policy: SessionPolicy, now: Instant): SessionState {
  return {
    phase: { kind: 'restoring', operation: 0, retryAt: null, failures: 0 },
    stamp: 0,
    unsaved: null,
    owner: 0,
    generation: 0,
    waiting: [],
    flight: null,
    storing: null,
    syncing: null,
    syncAt: null,
    ending: null,
    wanted: null,
    backoff: null,
    failures: 0,
    bucket: { tokens: policy.refreshBurst, atMonotonicMs: now.monotonicMs },
    isUserActive: true,
    jitter,
    attempts: 0,
    operations: 0,
  };
}

/** One turn: what follows from `event` at `now`, and what the shell must do. Total: never throws. */
export function transition(
  state: SessionState,
  event: SessionEvent,
  now: Instant,
  policy: SessionPolicy,
  config: MachineConfig,
): readonly [SessionState, readonly Effect[]] {
  const turn: Turn = { state: { ...state }, effects: [], now, policy, config };
  react(turn, event);
  advance(turn);
  return [turn.state, turn.effects];
}

function react(turn: Turn, event: SessionEvent): void {
  const { state } = turn;
  switch (event.type) {
    case 'started':
      return restore(turn);
    case 'woke':
      return;
    case 'signalled':
      return onSignal(turn, event.signal);
    case 'tokenRequested':
      return onTokenRequested(turn, event);
    case 'tokenRefused':
      return onTokenRefused(turn, event.generation);
    case 'tokenAccepted':
      return onTokenAccepted(turn, event.generation);
    case 'callerLeft':
      state.waiting = state.waiting.filter((waiter) => waiter.caller !== event.caller);
      return;
    case 'extendRequested':
      return onExtendRequested(turn);
    case 'signedIn':
      return onSignedIn(turn, event.held);
    case 'signOutRequested':
      return onSignOutRequested(turn);
    case 'reauthenticationFailed':
      return onReauthenticationFailed(turn, event);
    case 'stepUpRequired':
      return onStepUpRequired(turn, event);
    case 'lockSettled':
      return onLockSettled(turn, event.attempt, event.isHeld);
    case 'vaultRead':
      return onVaultRead(turn, event.operation, event.record);
    case 'vaultWritten':
      return onVaultWritten(turn, event);
    case 'vaultUnavailable':
      return onVaultUnavailable(turn, event.operation, event.random);
    case 'refreshAnswered':
      return onAnswered(turn, event.attempt, event.answer, event.random);
    case 'refreshFailed':
      return onFlightUnavailable(turn, event.attempt, event.random);
  }
}

function readVault(turn: Turn): number {
  const operation = takeNumber(turn);
  run(turn, { type: 'readVault', operation, isForRefresh: false });
  return operation;
}

function restore(turn: Turn): void {
  const { phase } = turn.state;
  if (phase.kind === 'restoring') turn.state.phase = { ...phase, operation: readVault(turn), retryAt: null };
}

function onSignal(turn: Turn, signal: Signal): void {
  const { state } = turn;
  if (signal === 'user-active') state.isUserActive = true;
  // Started by the system, not by somebody who opened the app.
  if (signal === 'background' && state.phase.kind === 'restoring') state.isUserActive = false;
  if (signal === 'user-active' || signal === 'background' || signal === 'offline') return;
  // What failed for want of a network is tried at once; a wait that the server asked for is kept.
  if (signal !== 'store-changed' && !state.backoff?.isServerAsked) state.backoff = null;
  if (signal !== 'online') state.syncAt = turn.now;
}

function refuseCaller(turn: Turn, caller: number, code: HoldfastErrorCode): void {
  run(turn, { type: 'settle', caller, settlement: { ok: false, code } });
  observe(turn, { type: 'request.failed', caller, code });
}

function onTokenRequested(turn: Turn, event: Event<'tokenRequested'>): void {
  const { caller, newerThan, deadlineMs } = event;
  const { state, now, policy } = turn;
  const { phase, flight, generation, owner } = state;
  // Sent before by somebody who has left since: it is not sent again for whoever is here now.
  if (event.owner !== null && event.owner !== owner) return refuseCaller(turn, caller, 'user-changed');
  if (phase.kind === 'active' && phase.access && isUsable(phase, now) && generation > newerThan)
    return run(turn, { type: 'settle', caller, settlement: { ok: true, access: phase.access, generation, owner } });
  if (state.waiting.length >= policy.parkedRequestsMax) return refuseCaller(turn, caller, 'queue-full');
  state.waiting = [...state.waiting, { caller, newerThan, owner, deadlineMs: now.monotonicMs + deadlineMs }];
  observe(turn, { type: 'request.parked', caller, parked: state.waiting.length });
  if (flight) observe(turn, { type: 'refresh.joined', attempt: flight.attempt, caller });
}

function onTokenRefused(turn: Turn, generation: number): void {
  const held = activePhase(turn);
  // An older token was refused: the newer one has answered that already.
  if (!held || held.isRefused || generation !== turn.state.generation) return;
  turn.state.phase = { ...held, isRefused: true };
  observe(turn, { type: 'token.refused', generation });
}

function onTokenAccepted(turn: Turn, generation: number): void {
  const held = activePhase(turn);
  if (held && !held.isRefused && generation === turn.state.generation)
    turn.state.phase = { ...held, freshness: 'verified' };
}

function onExtendRequested({ state }: Turn): void {
  const { phase, flight } = state;
  if (phase.kind !== 'active') return;
  state.isUserActive = true;
  // The user is there and asks: no wait is longer than that.
  state.backoff = null;
  // A refresh that has not left yet can do it; one that has left without saying so cannot.
  const isAhead = flight?.step.kind === 'locking' || flight?.step.kind === 'reading';
  if (flight && isAhead) state.flight = { ...flight, cause: 'extend' };
  else if (flight?.cause !== 'extend') state.wanted = 'extend';
}

function onSignedIn(turn: Turn, held: Held): void {
  const operation = takeNumber(turn);
  endFlight(turn);
  // Stored before anybody sees it: a reload one moment later must find it.
  turn.state.storing = { operation, held };
  run(turn, { type: 'writeVault', operation, expectedStamp: null, session: held.stored, endedReason: null });
}

function onSignOutRequested(turn: Turn): void {
  const { phase, storing } = turn.state;
  if (phase.kind === 'signed-out' && !storing) return;
  signOut(turn, 'user');
  if ('stored' in phase) run(turn, { type: 'revoke', session: phase.stored });
  if (storing) run(turn, { type: 'revoke', session: storing.held.stored });
}

function onReauthenticationFailed(turn: Turn, { stage, why }: Event<'reauthenticationFailed'>): void {
  const { phase } = turn.state;
  const chain = phase.kind === 'reauth-required' ? phase : phase.kind === 'active' ? phase.stepUp : null;
  if (chain?.stage !== stage) return;
  observe(turn, { type: 'reauthentication.failed', stage, why });
  const reason = phase.kind === 'reauth-required' ? phase.reason : 'step-up';
  const next = nextStage(turn, chain.laterStages, [...chain.failed, { stage, why }], reason);
  if (phase.kind === 'reauth-required') {
    if (next) turn.state.phase = { ...phase, ...next };
    else signOut(turn, 'reauth-failed');
  } else if (phase.kind === 'active' && phase.stepUp) {
    turn.state.phase = { ...phase, stepUp: next && { ...phase.stepUp, ...next } };
    if (!next) failWaiters(turn, 'step-up-declined', isForSignIn);
  }
}

/** A resource wants a fresher or stronger authentication: the session stays, only this caller waits for a sign-in. */
function onStepUpRequired(turn: Turn, event: Event<'stepUpRequired'>): void {
  const { caller, owner, deadlineMs, acrValues, maxAgeSeconds } = event;
  onTokenRequested(turn, { type: 'tokenRequested', caller, newerThan: Infinity, owner, deadlineMs });
  const held = activePhase(turn);
  if (!held || held.stepUp || !turn.state.waiting.some(isForSignIn)) return;
  const chain = nextStage(turn, turn.config.stages, [], 'step-up');
  if (chain) turn.state.phase = { ...held, stepUp: { acrValues, maxAgeSeconds, ...chain } };
  else failWaiters(turn, 'step-up-declined', isForSignIn);
}

const isForSignIn = (waiter: Waiter): boolean => waiter.newerThan === Infinity;

/** Does what the facts call for: deadlines, waiters, warnings, and a refresh if one is due and allowed. */
function advance(turn: Turn): void {
  const { state, now } = turn;
  const { phase, flight } = state;
  if (phase.kind === 'restoring' && phase.retryAt && hasPassed(phase.retryAt, now)) restore(turn);
  if (state.ending?.retryAt && hasPassed(state.ending.retryAt, now)) writeTombstone(turn, state.ending);
  if (state.syncAt && state.syncing === null && state.phase.kind !== 'restoring' && hasPassed(state.syncAt, now)) {
    state.syncAt = null;
    state.syncing = readVault(turn);
  }
  if (flight && hasPassed(flight.deadline, now)) onFlightDeadline(turn, flight);
  if (state.phase.kind === 'signed-out' && !state.storing) failWaiters(turn, 'signed-out');
  failWaiters(turn, 'deadline-exceeded', (waiter) => waiter.deadlineMs <= now.monotonicMs);
  const held = activePhase(turn);
  if (!held) return;
  if (isUsable(held, now)) settleWaiters(turn);
  warn(turn, held);
  refreshIfDue(turn);
}

function warn(turn: Turn, held: Active): void {
  if (!held.endsAt) return;
  const leftMs = untilEither(held.endsAt, turn.now);
  const warningsGiven = turn.policy.expiryWarningsMs.filter((warningMs) => leftMs <= warningMs).length;
  if (warningsGiven <= held.warningsGiven) return;
  turn.state.phase = { ...held, warningsGiven };
  observe(turn, { type: 'session.expiring', inMs: Math.max(0, leftMs) });
}

/** Why a refresh is due now; `null` if none is. */
function dueCause({ state, now, policy }: Turn, held: Active): RefreshCause | null {
  if (state.wanted) return state.wanted;
  if (held.isRefused) return 'refused';
  const leftMs = held.access ? untilEither(held.access.expiresAt, now) : 0;
  if (!held.access || leftMs <= 0) return held.freshness === 'restored' ? 'restored' : 'expired';
  // At the end of a session each token is shorter than the one before: refreshing them would come ever faster, for nothing.
  if (held.isFinal && !state.isUserActive) return null;
  return leftMs <= refreshMarginMs(held.access, state.jitter, policy) ? 'proactive' : null;
}

function refreshIfDue(turn: Turn): void {
  const { state, now } = turn;
  const held = activePhase(turn);
  if (!held || state.flight || state.storing) return;
  const cause = dueCause(turn, held);
  if (!cause) return;
  if (canRefresh(turn, held.stored)) {
    if (refreshAllowedInMs(turn) === 0) startFlight(turn, cause);
  } else if (isUsable(held, now)) state.wanted = null;
  else requireReauthentication(turn, held.stored, 'expired');
}

/** Milliseconds until the machine wants to be woken, 0 or more; `null` while nothing can happen by itself. */
export function nextWakeInMs(
  state: SessionState,
  now: Instant,
  policy: SessionPolicy,
  config: MachineConfig,
): number | null {
  const turn: Turn = { state: { ...state }, effects: [], now, policy, config };
  const { phase, flight } = state;
  const waits = state.waiting.map((waiter) => waiter.deadlineMs - now.monotonicMs);
  if (flight) waits.push(untilEither(flight.deadline, now));
  if (phase.kind === 'restoring' && phase.retryAt) waits.push(untilEither(phase.retryAt, now));
  if (state.ending?.retryAt) waits.push(untilEither(state.ending.retryAt, now));
  if (state.syncAt && state.syncing === null && phase.kind !== 'restoring') waits.push(untilEither(state.syncAt, now));
  if (phase.kind === 'active') waits.push(policy.tickMs, ...activeWaits(turn, phase));
  return waits.length > 0 ? Math.max(0, Math.min(...waits)) : null;
}

function activeWaits(turn: Turn, held: Active): number[] {
  const { state, now, policy } = turn;
  const waits: number[] = [];
  const warningMs = policy.expiryWarningsMs[held.warningsGiven];
  if (held.endsAt && warningMs !== undefined) waits.push(untilEither(held.endsAt, now) - warningMs);
  if (state.flight || state.storing) return waits;
  if (canRefresh(turn, held.stored) && dueCause(turn, held)) waits.push(refreshAllowedInMs(turn));
  else if (held.access)
    waits.push(
      canRefresh(turn, held.stored)
        ? untilEither(held.access.expiresAt, now) -
            (held.isFinal ? 0 : refreshMarginMs(held.access, state.jitter, policy))
        : untilBoth(held.access.expiresAt, now),
    );
  return waits;
}

/** The state without its secrets: what loggers, panels and simulators may see. */
export function describe(state: SessionState): Readonly<Record<string, unknown>> {
  const { phase, flight, stamp, generation, failures } = state;
  return {
    phase: phase.kind,
    sid: 'stored' in phase ? phase.stored.sid : null,
    stamp,
    generation,
    waiting: state.waiting.length,
    flight: flight && { attempt: flight.attempt, cause: flight.cause, step: flight.step.kind },
    failures,
  };
}
