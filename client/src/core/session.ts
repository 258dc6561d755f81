import { after, hasPassed, untilBoth, untilEither, type Instant } from './instant.ts';
import { isStoreKnown } from './known-store.ts';
import { endFlight, revokeReplaced, signOut } from './lifecycle.ts';
import type { SessionPolicy } from './policy.ts';
import { askForStage, requireReauthentication } from './reauthentication.ts';
import { refreshAllowedInMs } from './refresh-budget.ts';
import { onAnswered, onFlightUnavailable, onLockSettled, startFlight } from './refresh-flight.ts';
import { judgeTrial } from './refusals.ts';
import type {
  Active,
  Effect,
  Event,
  Held,
  MachineConfig,
  RefreshCause,
  SessionEvent,
  SessionState,
  Trial,
  Waiter,
} from './state.ts';
import { canRefresh, freshMs, orderOf, sidOf, usableAccess } from './stored-session.ts';
import { activePhase, observe, run, takeNumber, type Transition } from './transition.ts';
import { onVaultRead, onVaultUnavailable, onVaultWritten, onVaultWrittenLate } from './vault-replies.ts';
import { overOf, writeRecord, writeVault } from './vault-writes.ts';
import { failWaiters, grant, refuse, settleWaiters, takeWaiters } from './waiters.ts';

// The session machine. `transition` is the only way in which a session changes: no clock, no I/O, no promise, no randomness
// of its own. Events change the facts; `advance` then does whatever the facts call for, so that no event can forget to.

/** The state before anything happened: the stored session is yet to be read. `jitter` is a number in [0, 1) that differs between tabs. */
export function initialState(jitter: number, now: Instant): SessionState {
  return {
    phase: { kind: 'restoring' },
    chain: null,
    stamp: 0,
    owner: 0,
    generation: 0,
    tokenSinceMs: now.monotonicMs,
    verdicts: {},
    waiting: [],
    asking: [],
    knownUntil: now,
    flight: null,
    storing: null,
    syncing: null,
    syncAt: now,
    unwritten: null,
    vaultError: null,
    wanted: null,
    backoff: null,
    failures: 0,
    paidUntilMs: -Infinity,
    isUserActive: true,
    isOffline: false,
    isUnreached: false,
    refusal: null,
    resourceTokens: {},
    jitter,
    attempts: 0,
    operations: 0,
  };
}

/**
 * One turn: the state that follows from `event` at `now`, what the shell must do, and in how many ms the machine wants to be
 * woken (`Infinity`: nothing can happen by itself). Total: never throws.
 */
export function transition(
  state: SessionState,
  event: SessionEvent,
  now: Instant,
  policy: SessionPolicy,
  config: MachineConfig,
): readonly [state: SessionState, effects: readonly Effect[], wakeInMs: number] {
  const random = 'random' in event ? event.random : state.jitter;
  const turn: Transition = { state: { ...state }, effects: [], now, random, policy, config };
  const { flight } = state;
  // Discard results that arrive after the deadline: the server's rotation interval relies on it.
  if (flight && hasPassed(flight.deadline, now)) onFlightUnavailable(turn, flight.attempt, 'timeout');
  (reactions[event.type] as (turn: Transition, event: SessionEvent) => void)(turn, event);
  return [turn.state, turn.effects, advance(turn)];
}

/** What each kind of event changes. */
const reactions: { readonly [Type in SessionEvent['type']]: (turn: Transition, event: Event<Type>) => void } = {
  woke: () => {},
  signalled: onSignal,
  tokenRequested: onTokenRequested,
  tokenTried: (turn, { trial }) => void judge(turn, trial),
  requestLost: ({ state }) => void (state.isUnreached = true),
  callerLeft: (turn, { caller }) => void takeWaiters(turn, (waiter) => waiter.caller === caller),
  extendRequested: onExtendRequested,
  signedIn: onSignedIn,
  signOutRequested: onSignOutRequested,
  reauthenticationFailed: onReauthenticationFailed,
  lockSettled: onLockSettled,
  vaultRead: onVaultRead,
  vaultWritten: onVaultWritten,
  vaultWrittenLate: onVaultWrittenLate,
  vaultUnavailable: onVaultUnavailable,
  refreshAnswered: onAnswered,
  refreshFailed: (turn, { attempt }) => onFlightUnavailable(turn, attempt, 'network'),
};

function onSignal({ state, now }: Transition, { signal }: Event<'signalled'>): void {
  if (signal === 'user-active') state.isUserActive = true;
  else if (signal === 'offline') {
    state.isOffline = true;
    state.isUnreached = true;
  } else if (signal === 'background') {
    // Started by the system, not by somebody who opened the app.
    if (state.phase.kind === 'restoring') state.isUserActive = false;
  } else {
    if (signal === 'online') state.isOffline = false;
    // What failed for want of a network is tried at once; a wait that the server asked for is kept.
    if (signal !== 'store-changed' && !state.backoff?.isServerAsked) state.backoff = null;
    if (signal === 'online') return;
    state.syncAt = now;
    // From this moment on nothing of the session before is handed out: the store may hold another one.
    state.knownUntil = now;
    if (state.unwritten?.retryAt) state.unwritten = { ...state.unwritten, retryAt: now };
  }
}

function onTokenRequested(turn: Transition, event: Event<'tokenRequested'>): void {
  const { caller, refusal } = event;
  const { state, now } = turn;
  const { owner } = state;
  // First sent under a previous user: never resend it as the current one.
  if (event.owner !== null && event.owner !== owner)
    return refuse(turn, caller, state.phase.kind === 'signed-out' ? 'signed-out' : 'user-changed');
  const youngMs = refusal ? judge(turn, refusal) : 0;
  if (youngMs === null) return run(turn, { type: 'settle', caller, settlement: null });
  const waiter: Waiter = {
    ...event,
    newerThan: event.stepUp ? Infinity : (refusal?.generation ?? event.newerThan),
    owner,
    deadlineMs: now.monotonicMs + event.deadlineMs,
    pauseUntilMs: now.monotonicMs + (youngMs || event.pauseMs),
  };
  state.asking = [...state.asking, waiter];
}

/** Hands a token to one caller, or parks its request. */
function admit(turn: Transition, waiter: Waiter): void {
  const { state, now, policy } = turn;
  const { phase, flight, generation } = state;
  const { caller, newerThan, isForNetwork, stepUp, resource } = waiter;
  const access = !resource && phase.kind === 'active' && usableAccess(phase, now);
  const isKept = isForNetwork && state.isOffline;
  if (access && generation > newerThan && !isKept) return grant(turn, waiter, access);
  if (state.waiting.length >= policy.parkedRequestsMax) return refuse(turn, caller, 'queue-full');
  state.waiting = [...state.waiting, waiter];
  observe(turn, { type: 'request.parked', caller, parked: state.waiting.length });
  if (flight) observe(turn, { type: 'refresh.joined', attempt: flight.attempt, caller });
  if (!stepUp || phase.kind !== 'active' || state.chain) return;
  askForStage(turn, turn.config.stages, [], stepUp);
  if (!state.chain) failWaiters(turn, 'step-up-declined', isForSignIn);
}

const isForSignIn = (waiter: Waiter): boolean => waiter.newerThan === Infinity;

/**
 * Something has answered: there is a network, and the outage may be over. Once only: while an API answers and the token endpoint
 * does not, the back-off is what keeps that from being asked all the time.
 */
function judge(turn: Transition, trial: Trial): number | null {
  const { state } = turn;
  state.isOffline = false;
  if (state.isUnreached && !state.backoff?.isServerAsked) state.backoff = null;
  state.isUnreached = false;
  return judgeTrial(turn, trial);
}

function onExtendRequested({ state }: Transition): void {
  const { phase, flight } = state;
  if (phase.kind !== 'active') return;
  state.isUserActive = true;
  // The user is there and asks: no wait is longer than that.
  state.backoff = null;
  // A refresh that has not left yet can do it; one that has left without saying so cannot. One for a resource never does.
  const isAhead = flight?.step.kind === 'locking' || flight?.step.kind === 'reading';
  if (isAhead && !flight.resource) state.flight = { ...flight, cause: 'extend' };
  else if (flight?.cause !== 'extend') state.wanted = 'extend';
}

function onSignedIn(turn: Transition, { held }: Event<'signedIn'>): void {
  const { storing } = turn.state;
  const other = storing?.held ?? activePhase(turn);
  // Two sign-ins at once: the server counted this one first, and the later one stays.
  if (other && orderOf(turn, other.stored, held.stored) > 0) return revokeReplaced(turn, held.stored, 'discard');
  const operation = takeNumber(turn);
  endFlight(turn);
  // Double submit: discard the first session, which was never shown.
  if (storing) revokeReplaced(turn, storing.held.stored, 'discard');
  // Stored before anybody sees it: a reload one moment later must find it. By compare-and-swap as everything is: storage that was
  // given up and is only late would else bring it back after a sign-out.
  turn.state.storing = { operation, held, over: overOf(turn) };
  writeVault(turn, operation, turn.state.stamp, held.stored);
}

function onSignOutRequested(turn: Transition, { extent }: Event<'signOutRequested'>): void {
  const { phase, storing } = turn.state;
  if (phase.kind === 'signed-out' && !storing) return;
  signOut(turn, 'user');
  if ('stored' in phase) run(turn, { type: 'revoke', session: phase.stored, extent });
  if (storing) run(turn, { type: 'revoke', session: storing.held.stored });
}

function onReauthenticationFailed(turn: Transition, { stage, why }: Event<'reauthenticationFailed'>): void {
  const { state } = turn;
  const { phase, chain } = state;
  // Whoever is being signed in has succeeded in another way.
  if (chain?.stage !== stage || state.storing) return;
  observe(turn, { type: 'reauthentication.failed', stage, why });
  askForStage(turn, chain.laterStages, [...chain.failed, { stage, why }], chain.stepUp);
  if (state.chain) return;
  if (phase.kind === 'active') failWaiters(turn, 'step-up-declined', isForSignIn);
  else signOut(turn, 'reauth-failed');
}

/** An action that becomes due by itself, and in how many ms. Each action removes its own entry. */
type Due = readonly [inMs: number, act: () => void];

/** Does what the facts call for, until nothing more is due; then says in how many ms something will be. */
function advance(turn: Transition): number {
  for (;;) {
    serveWaiters(turn);
    const agenda = agendaOf(turn);
    const due = agenda.find(([inMs]) => inMs <= 0);
    // Whole milliseconds: a fraction could be too small to move a clock, and would be due for ever.
    if (!due) return Math.ceil(Math.min(...agenda.map(([inMs]) => inMs)));
    due[1]();
  }
}

function serveWaiters(turn: Transition): void {
  const { state, now } = turn;
  const { phase, asking, waiting } = state;
  if (!isStoreKnown(turn) && phase.kind !== 'restoring') {
    if (asking.length + waiting.length > 0 && state.syncing === null) state.syncAt = now;
    return;
  }
  state.asking = [];
  for (const waiter of asking) admit(turn, waiter);
  if (phase.kind === 'signed-out' && !state.storing) failWaiters(turn, 'signed-out');
  if (phase.kind === 'active' && usableAccess(phase, now)) settleWaiters(turn);
  // Parked, they would wait for a store that only a person can mend.
  else if (state.vaultError && phase.kind !== 'reauth-required' && !state.storing)
    failWaiters(turn, 'storage-unavailable');
}

/** Every deadline there is, in the order in which those that have passed are seen to. */
function agendaOf(turn: Transition): readonly Due[] {
  const { state, now } = turn;
  const { phase, flight, unwritten } = state;
  const agenda: Due[] = [];
  const at = (deadline: Instant | null, act: () => void): void => {
    if (deadline) agenda.push([untilEither(deadline, now), act]);
  };
  if (unwritten) at(unwritten.retryAt, () => writeRecord(turn, unwritten));
  if (state.syncing === null)
    at(state.syncAt, () => {
      state.syncing = takeNumber(turn);
      // The port bounds the wait. An answer that comes later means that this process was frozen.
      state.syncAt = after(now, turn.policy.vaultWaitMs * 2);
      // A store that could not be read is read again on time: no request waits for that.
      if (isStoreKnown(turn)) state.knownUntil = state.syncAt;
      run(turn, { type: 'readVault', operation: state.syncing, isForRefresh: false });
    });
  if (flight) at(flight.deadline, () => onFlightUnavailable(turn, flight.attempt, 'timeout'));
  const isLate = (waiter: Waiter): boolean => waiter.deadlineMs <= now.monotonicMs;
  for (const { deadlineMs } of [...state.asking, ...state.waiting])
    agenda.push([deadlineMs - now.monotonicMs, () => failWaiters(turn, 'deadline-exceeded', isLate)]);
  for (const { pauseUntilMs } of state.waiting) agenda.push([pauseUntilMs - now.monotonicMs, () => endPauses(turn)]);
  if (phase.kind === 'active') agenda.push(warning(turn, phase), ...renewal(turn, phase));
  return agenda;
}

/** A request that has waited long enough for a network, or for its token to be old enough, tries again. */
function endPauses({ state, now }: Transition): void {
  state.waiting = state.waiting.map((waiter) =>
    waiter.pauseUntilMs > now.monotonicMs
      ? waiter
      : { ...waiter, isForNetwork: false, pauseUntilMs: Infinity, newerThan: state.generation - 1 },
  );
}

/** The next warning that the session ends, or else the next look at the clocks: timers stand still while a device sleeps. */
function warning(turn: Transition, held: Active): Due {
  const { expiryWarningsMs, tickMs } = turn.policy;
  const leftMs = held.endsAt ? untilEither(held.endsAt, turn.now) : Infinity;
  const warn = (): void => {
    turn.state.phase = { ...held, warningsGiven: expiryWarningsMs.filter((warningMs) => leftMs <= warningMs).length };
    observe(turn, { type: 'session.expiring', inMs: Math.max(0, leftMs) });
  };
  return [Math.min(tickMs, leftMs - (expiryWarningsMs[held.warningsGiven] ?? -Infinity)), warn];
}

/** The next refresh, as soon as it is allowed, or when there will be a reason for one. */
function renewal(turn: Transition, held: Active): readonly Due[] {
  const { state, now } = turn;
  if (state.flight || state.storing) return [];
  if (!canRefresh(turn, held.stored)) {
    const usable = usableAccess(held, now);
    const usableMs = usable ? untilBoth(usable.expiresAt, now) : 0;
    return [[usableMs, () => requireReauthentication(turn, held.stored, 'expired')]];
  }
  // A rotated token that cannot be stored would be lost with this tab.
  if (state.unwritten && turn.config.delivery === 'body') return [];
  const { access } = held;
  const leftMs = access ? untilEither(access.expiresAt, now) : 0;
  // At the end of a session each token is shorter than the one before: refreshing them would come ever faster, for nothing.
  const isInVain = held.isFinal && !state.isUserActive;
  const inMs = access && !isInVain ? freshMs(turn, access) : leftMs;
  const resource = state.waiting.find((waiter) => waiter.resource)?.resource;
  const cause = state.wanted ?? causeByAge(held, leftMs, inMs) ?? (resource && 'resource');
  return [cause ? [refreshAllowedInMs(turn), () => startFlight(turn, cause, resource)] : [inMs, () => {}]];
}

/** Why a token is refreshed that nobody has asked to refresh; `null`: it is not. */
function causeByAge({ isRefused, freshness }: Held, leftMs: number, inMs: number): RefreshCause | null {
  if (isRefused) return 'refused';
  if (leftMs <= 0) return freshness === 'restored' ? 'restored' : 'expired';
  return inMs <= 0 ? 'proactive' : null;
}

/** The state without its secrets: what loggers, panels and simulators may see. */
export function describe(state: SessionState): Readonly<Record<string, unknown>> {
  const { phase, flight, stamp, generation, failures } = state;
  return {
    phase: phase.kind,
    sid: sidOf(phase),
    stamp,
    generation,
    waiting: state.waiting.length,
    flight: flight && { attempt: flight.attempt, cause: flight.cause, step: flight.step.kind },
    failures,
  };
}
