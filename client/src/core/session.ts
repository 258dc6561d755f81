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

// The session machine. Only `transition` changes a session. It uses no clock, no I/O, no promise and no randomness of
// its own. Events change the facts. `advance` then does whatever the facts call for, so no event handler can forget to.

/** The state before the stored session is read. `jitter`: a number in [0, 1) that differs between tabs. */
export function initialState(jitter: number, now: Instant): SessionState {
  return {
    phase: { kind: 'restoring' },
    reauthentication: null,
    version: 0,
    userEpoch: 0,
    tokenNumber: 0,
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
 * Handles one event. Total: never throws.
 *
 * @returns the state that follows from `event` at `now`, the effects for the shell, and the ms after which to wake the
 * machine (`Infinity`: nothing can happen by itself).
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

/** How each kind of event changes the state. */
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
    // The system started this process; the user did not open the app.
    if (state.phase.kind === 'restoring') state.isUserActive = false;
  } else {
    if (signal === 'online') state.isOffline = false;
    // Retry failures at once, and keep a wait that the server asked for.
    if (signal !== 'store-changed' && !state.backoff?.isServerAsked) state.backoff = null;
    if (signal === 'online') return;
    state.syncAt = now;
    // From now on hand out nothing of the previous session: the store may hold another one.
    state.knownUntil = now;
    if (state.unwritten?.retryAt) state.unwritten = { ...state.unwritten, retryAt: now };
  }
}

function onTokenRequested(turn: Transition, event: Event<'tokenRequested'>): void {
  const { caller, refusal } = event;
  const { state, now } = turn;
  const { userEpoch } = state;
  // First sent under a previous user: never resend it as the current one.
  if (event.userEpoch !== null && event.userEpoch !== userEpoch)
    return refuse(turn, caller, state.phase.kind === 'signed-out' ? 'signed-out' : 'user-changed');
  const youngMs = refusal ? judge(turn, refusal) : 0;
  if (youngMs === null) return run(turn, { type: 'settle', caller, settlement: null });
  const waiter: Waiter = {
    ...event,
    newerThan: event.stepUp ? Infinity : (refusal?.tokenNumber ?? event.newerThan),
    userEpoch,
    deadlineMs: now.monotonicMs + event.deadlineMs,
    pauseUntilMs: now.monotonicMs + (youngMs || event.pauseMs),
  };
  state.asking = [...state.asking, waiter];
}

/** Hands a token to one caller, or parks its request. */
function admit(turn: Transition, waiter: Waiter): void {
  const { state, now, policy } = turn;
  const { phase, flight, tokenNumber } = state;
  const { caller, newerThan, isForNetwork, stepUp, resource } = waiter;
  const access = !resource && phase.kind === 'active' && usableAccess(phase, now);
  const isKept = isForNetwork && state.isOffline;
  if (access && tokenNumber > newerThan && !isKept) return grant(turn, waiter, access);
  if (state.waiting.length >= policy.parkedRequestsMax) return refuse(turn, caller, 'queue-full');
  state.waiting = [...state.waiting, waiter];
  observe(turn, { type: 'request.parked', caller, parked: state.waiting.length });
  if (flight) observe(turn, { type: 'refresh.joined', attempt: flight.attempt, caller });
  if (!stepUp || phase.kind !== 'active' || state.reauthentication) return;
  askForStage(turn, turn.config.stages, [], stepUp);
  if (!state.reauthentication) failWaiters(turn, 'step-up-declined', isForSignIn);
}

const isForSignIn = (waiter: Waiter): boolean => waiter.newerThan === Infinity;

/**
 * Judges a request's outcome, and notes that something has answered: there is a network, and the outage may be over.
 * The back-off ends only once per outage. While an API answers and the token endpoint does not, the back-off limits how
 * often the token endpoint is asked.
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
  // The user is present and asks: end every back-off, even one that the server asked for.
  state.backoff = null;
  // The next request extends. A request that was sent before cannot.
  if (flight?.cause !== 'extend') state.wanted = 'extend';
}

function onSignedIn(turn: Transition, { held }: Event<'signedIn'>): void {
  const { storing } = turn.state;
  const other = storing?.held ?? activePhase(turn);
  // Two sign-ins at once: the server counted this one first. Keep the later one.
  if (other && orderOf(turn, other.stored, held.stored) > 0) return revokeReplaced(turn, held.stored, 'discard');
  const operation = takeNumber(turn);
  endFlight(turn);
  // Double submit: discard the first session, which was never shown.
  if (storing) revokeReplaced(turn, storing.held.stored, 'discard');
  // Store the session before it is shown: a reload one moment later must find it. Write by compare-and-swap, as always.
  // A write that was given up and lands late would otherwise bring the session back after a sign-out.
  turn.state.storing = { operation, held, over: overOf(turn) };
  writeVault(turn, operation, turn.state.version, held.stored);
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
  const { phase, reauthentication } = state;
  // Ignore a stage that is not the current one. While a sign-in is being stored, the user has succeeded in another way.
  if (reauthentication?.stage !== stage || state.storing) return;
  observe(turn, { type: 'reauthentication.failed', stage, why });
  askForStage(
    turn,
    reauthentication.laterStages,
    [...reauthentication.failed, { stage, why }],
    reauthentication.stepUp,
  );
  if (state.reauthentication) return;
  if (phase.kind === 'active') failWaiters(turn, 'step-up-declined', isForSignIn);
  else signOut(turn, 'reauthentication-failed');
}

/** An action that becomes due by itself, and in how many ms. Each action removes its own entry. */
type Due = readonly [inMs: number, act: () => void];

/** Does what the facts call for until nothing is due. Returns the ms until the next action is due. */
function advance(turn: Transition): number {
  for (;;) {
    serveWaiters(turn);
    const agenda = agendaOf(turn);
    const due = agenda.find(([inMs]) => inMs <= 0);
    // Return whole milliseconds: a fraction could be too small to move a clock, and its action would stay due forever.
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
  const hasToken = phase.kind === 'active' && usableAccess(phase, now);
  if (hasToken) settleWaiters(turn);
  // Fail the waiters that need a refresh: parked, they would wait for a store that only a person can repair.
  if (state.vaultError && phase.kind !== 'reauthentication-required' && !state.storing)
    failWaiters(turn, 'storage-unavailable', (waiter) => !hasToken || Boolean(waiter.resource));
}

/** Every deadline. If several have passed, the first in this list is handled first. */
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
      // The port bounds the wait. A later answer means that this process was frozen.
      state.syncAt = after(now, turn.policy.vaultWaitMs * 2);
      // A failed read is retried on schedule. No request waits for that while the store is known.
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

/** Lets requests try again that have waited long enough for a network, or for their token to be old enough. */
function endPauses({ state, now }: Transition): void {
  state.waiting = state.waiting.map((waiter) =>
    waiter.pauseUntilMs > now.monotonicMs
      ? waiter
      : { ...waiter, isForNetwork: false, pauseUntilMs: Infinity, newerThan: state.tokenNumber - 1 },
  );
}

/** The next expiry warning, or else the next tick: timers stand still while a device sleeps. */
function warning(turn: Transition, held: Active): Due {
  const { expiryWarningsMs, tickMs } = turn.policy;
  const leftMs = held.endsAt ? untilEither(held.endsAt, turn.now) : Infinity;
  const warn = (): void => {
    turn.state.phase = { ...held, warningsGiven: expiryWarningsMs.filter((warningMs) => leftMs <= warningMs).length };
    observe(turn, { type: 'session.expiring', inMs: Math.max(0, leftMs) });
  };
  return [Math.min(tickMs, leftMs - (expiryWarningsMs[held.warningsGiven] ?? -Infinity)), warn];
}

/** The next refresh: as soon as it is allowed, or when the token's age will call for one. */
function renewal(turn: Transition, held: Active): readonly Due[] {
  const { state, now } = turn;
  if (state.flight || state.storing) return [];
  if (!canRefresh(turn, held.stored)) {
    const usable = usableAccess(held, now);
    const usableMs = usable ? untilBoth(usable.expiresAt, now) : 0;
    return [[usableMs, () => requireReauthentication(turn, held.stored, 'expired')]];
  }
  // Do not refresh while the vault takes no write: a rotated refresh token would be lost with this tab.
  if (state.unwritten && !turn.config.hasCookie) return [];
  const { access } = held;
  const leftMs = access ? untilEither(access.expiresAt, now) : 0;
  // Near the session's end each token is shorter than the last: proactive refreshes would speed up and gain nothing.
  const isInVain = held.isFinal && !state.isUserActive;
  const inMs = access && !isInVain ? freshMs(turn, access) : leftMs;
  const resource = state.waiting.find((waiter) => waiter.resource)?.resource;
  const cause = state.wanted ?? causeByAge(held, leftMs, inMs) ?? (resource && 'resource');
  return [cause ? [refreshAllowedInMs(turn), () => startFlight(turn, cause, resource)] : [inMs, () => {}]];
}

/** Why the token needs a refresh that no caller has asked for; `null`: it needs none. */
function causeByAge({ isRefused, freshness }: Held, leftMs: number, inMs: number): RefreshCause | null {
  if (isRefused) return 'refused';
  if (leftMs <= 0) return freshness === 'restored' ? 'restored' : 'expired';
  return inMs <= 0 ? 'proactive' : null;
}

/** The state without its secrets, for loggers, panels and simulators. */
export function describe(state: SessionState): Readonly<Record<string, unknown>> {
  const { phase, flight, version, tokenNumber, failures } = state;
  return {
    phase: phase.kind,
    sid: sidOf(phase),
    version,
    tokenNumber,
    waiting: state.waiting.length,
    flight: flight && { attempt: flight.attempt, cause: flight.cause, step: flight.step.kind },
    failures,
  };
}
