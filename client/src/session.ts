import { hasPassed, untilBoth, untilEither, type Instant } from './instant.ts';
import type { SessionPolicy } from './policy.ts';
import type { Signal, VaultRecord } from './ports.ts';
import {
  onAnswered,
  onFlightDeadline,
  onFlightUnavailable,
  onFlightVaultRead,
  onFlightVaultWritten,
  onLockSettled,
  startFlight,
} from './refresh-flight.ts';
import {
  adopt,
  endFlight,
  failWaiters,
  hold,
  isUsable,
  observe,
  refreshAllowedInMs,
  refreshMarginMs,
  requireReauthentication,
  settleWaiters,
  signOut,
  andThen,
  type Context,
} from './session-steps.ts';
import type {
  Effect,
  Held,
  MachineConfig,
  Phase,
  RefreshCause,
  SessionEvent,
  SessionState,
  Step,
} from './session-state.ts';

// The session machine. `transition` is the only way in which a session changes: no clock, no I/O, no promise, no randomness
// of its own. Events change the facts; `advance` then does whatever the facts call for, so that no event can forget to.

type Active = Extract<Phase, { kind: 'active' }>;

/** The state before anything happened. `jitter` is a number in [0, 1) that differs between tabs. */
export function initialState(jitter: number, policy: SessionPolicy, now: Instant): SessionState {
  return {
    phase: { kind: 'restoring', operation: 0, retryAt: null, failures: 0 },
    stamp: 0,
    generation: 0,
    waiting: [],
    flight: null,
    storing: null,
    syncing: null,
    wanted: null,
    backoff: null,
    failures: 0,
    bucket: { tokens: policy.refreshBurst, atMonotonicMs: now.monotonicMs },
    isUserActive: true,
    jitter,
    next: 1,
  };
}

/** One step of the session: what follows from `event` at `now`, and what the shell must do. Total: never throws. */
export function transition(
  state: SessionState,
  event: SessionEvent,
  now: Instant,
  policy: SessionPolicy,
  config: MachineConfig,
): Step {
  const context: Context = { config, policy, now };
  return andThen(react(state, event, context), (next) => advance(next, context));
}

function react(state: SessionState, event: SessionEvent, context: Context): Step {
  switch (event.type) {
    case 'started':
      return restore(state);
    case 'woke':
      return [state, []];
    case 'signalled':
      return onSignal(state, event.signal);
    case 'tokenRequested':
      return onTokenRequested(state, event, context);
    case 'tokenRefused':
      return onTokenRefused(state, event.generation);
    case 'callerLeft':
      return [{ ...state, waiting: state.waiting.filter((waiter) => waiter.caller !== event.caller) }, []];
    case 'extendRequested':
      return state.phase.kind === 'active' ? [{ ...state, wanted: 'extend', isUserActive: true }, []] : [state, []];
    case 'signedIn':
      return onSignedIn(state, event, context);
    case 'signOutRequested':
      return onSignOutRequested(state);
    case 'reauthenticationFailed':
      return onReauthenticationFailed(state, event.stage);
    case 'lockSettled':
      return onLockSettled(state, event.attempt, event.isHeld, context);
    case 'vaultRead':
      return onVaultRead(state, event.operation, event.record, context);
    case 'vaultWritten':
      return onVaultWritten(state, event, context);
    case 'vaultUnavailable':
      return onVaultUnavailable(state, event.operation, event.random, context);
    case 'refreshAnswered':
      return onAnswered(state, event.attempt, event.answer, event.random, context);
    case 'refreshFailed':
      return onFlightUnavailable(state, event.attempt, event.random, context);
  }
}

function restore(state: SessionState): Step {
  if (state.phase.kind !== 'restoring') return [state, []];
  const operation = state.next;
  const phase: Phase = { ...state.phase, operation, retryAt: null };
  return [{ ...state, phase, next: operation + 1 }, [{ type: 'readVault', operation }]];
}

function onSignal(state: SessionState, signal: Signal): Step {
  switch (signal) {
    case 'user-active':
      return [{ ...state, isUserActive: true }, []];
    case 'background':
    case 'offline':
      return [state, []];
    case 'online':
    case 'foreground':
    case 'resumed':
    case 'store-changed': {
      // What failed for want of a network is tried at once; a wait that the server asked for is kept.
      const woken =
        state.backoff?.isServerAsked === false && signal !== 'store-changed' ? { ...state, backoff: null } : state;
      if (signal === 'online' || state.phase.kind === 'restoring' || state.syncing !== null) return [woken, []];
      const operation = woken.next;
      return [{ ...woken, next: operation + 1, syncing: operation }, [{ type: 'readVault', operation }]];
    }
  }
}

function onTokenRequested(
  state: SessionState,
  event: Extract<SessionEvent, { type: 'tokenRequested' }>,
  context: Context,
): Step {
  const { caller, newerThan, deadlineMs } = event;
  const { phase, flight } = state;
  if (state.waiting.length >= context.policy.parkedRequestsMax)
    return [
      state,
      [
        { type: 'settle', caller, settlement: { ok: false, code: 'queue-full' } },
        observe({ type: 'request.failed', caller, code: 'queue-full' }),
      ],
    ];
  if (phase.kind === 'active' && isUsable(phase, context.now) && state.generation > newerThan && phase.access !== null)
    return [
      state,
      [{ type: 'settle', caller, settlement: { ok: true, access: phase.access, generation: state.generation } }],
    ];
  const sub = phase.kind === 'active' || phase.kind === 'reauth-required' ? phase.stored.sub : null;
  const waiter = { caller, newerThan, sub, deadlineMs: context.now.monotonicMs + deadlineMs };
  const waiting = [...state.waiting, waiter];
  const effects: Effect[] = [observe({ type: 'request.parked', caller, parked: waiting.length })];
  if (flight !== null) effects.push(observe({ type: 'refresh.joined', attempt: flight.attempt, caller }));
  return [{ ...state, waiting }, effects];
}

function onTokenRefused(state: SessionState, generation: number): Step {
  // An older token was refused: the newer one has answered that already.
  if (state.phase.kind !== 'active' || generation !== state.generation || state.phase.isRefused) return [state, []];
  return [{ ...state, phase: { ...state.phase, isRefused: true } }, [observe({ type: 'token.refused', generation })]];
}

function onSignedIn(state: SessionState, event: Extract<SessionEvent, { type: 'signedIn' }>, { now }: Context): Step {
  const { stored, access } = event;
  const endsAt =
    stored.expiresAtMs === null
      ? null
      : { wallMs: stored.expiresAtMs, monotonicMs: now.monotonicMs + stored.expiresAtMs - now.wallMs };
  const held: Held = { stored, access, isRefused: false, freshness: 'verified', endsAt, warningsGiven: 0 };
  const operation = state.next;
  const storing = { ...state, next: operation + 1, storing: { operation, held } };
  // Stored before anybody sees it: a reload one moment later must find it.
  return andThen(endFlight(storing), (next) => [
    next,
    [{ type: 'writeVault', operation, expectedStamp: null, session: stored, endedReason: null }],
  ]);
}

function finishSignIn(state: SessionState, held: Held, stamp: number): Step {
  const fresh = { ...state, storing: null, failures: 0, backoff: null, wanted: null, isUserActive: false };
  return andThen(hold(fresh, held, stamp, true), (next) => [
    next,
    [{ type: 'announce' }, observe({ type: 'signed-in' })],
  ]);
}

function onSignOutRequested(state: SessionState): Step {
  if (state.phase.kind === 'signed-out' && state.storing === null) return [state, []];
  const held = state.phase.kind === 'active' || state.phase.kind === 'reauth-required' ? state.phase.stored : null;
  const ended = [held, state.storing?.held.stored ?? null].filter((session) => session !== null);
  return andThen(signOut(state, 'user'), (next) => [
    next,
    ended.map((session): Effect => ({ type: 'revoke', session })),
  ]);
}

function onReauthenticationFailed(state: SessionState, stage: string): Step {
  const { phase } = state;
  if (phase.kind !== 'reauth-required' || phase.stage !== stage) return [state, []];
  const [next, ...laterStages] = phase.laterStages;
  if (next === undefined) return signOut(state, 'reauth-failed');
  return [
    { ...state, phase: { ...phase, stage: next, laterStages } },
    [observe({ type: 'reauthentication.required', stage: next, reason: phase.reason })],
  ];
}

function onVaultRead(state: SessionState, operation: number, record: VaultRecord | null, context: Context): Step {
  const { phase, flight, syncing } = state;
  if (phase.kind === 'restoring' && phase.operation === operation) {
    if (record === null) return [{ ...state, phase: { kind: 'signed-out', reason: 'never-signed-in' } }, []];
    return adopt(state, record, 'restored', context);
  }
  if (flight?.attempt === operation) return onFlightVaultRead(state, flight, record, context);
  if (syncing !== operation) return [state, []];
  const synced = { ...state, syncing: null };
  if (record === null || record.stamp === state.stamp || state.storing !== null) return [synced, []];
  return adopt(synced, record, 'verified', context);
}

function onVaultWritten(
  state: SessionState,
  event: Extract<SessionEvent, { type: 'vaultWritten' }>,
  context: Context,
): Step {
  const { operation, isReplaced, record } = event;
  if (state.storing?.operation === operation)
    return finishSignIn(state, state.storing.held, record?.stamp ?? state.stamp);
  if (state.flight?.attempt === operation)
    return onFlightVaultWritten(state, state.flight, isReplaced, record, context);
  const isTombstone = state.phase.kind === 'signed-out' && record !== null && record.session === null;
  return isTombstone ? [{ ...state, stamp: record.stamp }, []] : [state, []];
}

function onVaultUnavailable(state: SessionState, operation: number, random: number, context: Context): Step {
  const { phase, storing, syncing } = state;
  const observed = observe({ type: 'vault.unavailable' });
  if (phase.kind === 'restoring' && phase.operation === operation) {
    // A locked keychain is not an empty one: wait for it.
    const { backoffBaseMs, backoffCapMs } = context.policy;
    const delayMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(phase.failures, 20)) * (0.5 + random / 2);
    const { wallMs, monotonicMs } = context.now;
    const retryAt = { wallMs: wallMs + delayMs, monotonicMs: monotonicMs + delayMs };
    return [{ ...state, phase: { ...phase, retryAt, failures: phase.failures + 1 } }, [observed]];
  }
  if (storing?.operation === operation)
    return andThen(finishSignIn(state, storing.held, state.stamp), (next) => [next, [observed]]);
  if (syncing === operation) return [{ ...state, syncing: null }, [observed]];
  return onFlightUnavailable(state, operation, random, context);
}

/** Does what the facts call for: deadlines, waiters, warnings, and a refresh if one is due and allowed. */
function advance(state: SessionState, context: Context): Step {
  const { now } = context;
  let step: Step = [state, []];
  step = andThen(step, (next) =>
    next.phase.kind === 'restoring' && next.phase.retryAt !== null && hasPassed(next.phase.retryAt, now)
      ? restore(next)
      : [next, []],
  );
  step = andThen(step, (next) =>
    next.flight !== null && hasPassed(next.flight.deadline, now)
      ? onFlightDeadline(next, next.flight, context)
      : [next, []],
  );
  step = andThen(step, (next) => {
    if (next.phase.kind === 'signed-out' && next.storing === null) return failWaiters(next, 'signed-out');
    return failWaiters(next, 'deadline-exceeded', (waiter) => waiter.deadlineMs <= now.monotonicMs);
  });
  step = andThen(step, (next) =>
    next.phase.kind === 'active' && isUsable(next.phase, now) ? settleWaiters(next) : [next, []],
  );
  step = andThen(step, (next) => warn(next, context));
  return andThen(step, (next) => refreshIfDue(next, context));
}

function warn(state: SessionState, { now, policy }: Context): Step {
  const { phase } = state;
  if (phase.kind !== 'active' || phase.endsAt === null) return [state, []];
  const leftMs = untilEither(phase.endsAt, now);
  const given = policy.expiryWarningsMs.filter((warningMs) => leftMs <= warningMs).length;
  if (given <= phase.warningsGiven) return [state, []];
  return [
    { ...state, phase: { ...phase, warningsGiven: given } },
    [observe({ type: 'session.expiring', inMs: Math.max(0, leftMs) })],
  ];
}

/** Why a refresh is due now; `null` if none is. */
function dueCause(state: SessionState, phase: Active, { now, policy }: Context): RefreshCause | null {
  if (state.wanted !== null) return state.wanted;
  if (phase.isRefused) return 'refused';
  if (phase.access === null) return phase.freshness === 'restored' ? 'restored' : 'expired';
  const leftMs = untilEither(phase.access.expiresAt, now);
  if (leftMs <= 0) return phase.freshness === 'restored' ? 'restored' : 'expired';
  return leftMs <= refreshMarginMs(phase.access, state.jitter, policy) ? 'proactive' : null;
}

/** Without a refresh token (RFC 6749 §1.5: optional) a session is as long as its access token. */
const canRefresh = (phase: Active, config: MachineConfig): boolean =>
  config.wire.delivery === 'cookie' || phase.stored.refreshToken !== null;

function refreshIfDue(state: SessionState, context: Context): Step {
  const { phase } = state;
  if (phase.kind !== 'active' || state.flight !== null || state.storing !== null) return [state, []];
  const cause = dueCause(state, phase, context);
  if (cause === null) return [state, []];
  if (!canRefresh(phase, context.config))
    return isUsable(phase, context.now)
      ? [{ ...state, wanted: null }, []]
      : requireReauthentication(state, phase.stored, 'expired', context);
  return refreshAllowedInMs(state, context) > 0 ? [state, []] : startFlight(state, cause, context);
}

/** Milliseconds until the machine wants to be woken, 0 or more; `null` while nothing can happen by itself. */
export function nextWakeInMs(
  state: SessionState,
  now: Instant,
  policy: SessionPolicy,
  config: MachineConfig,
): number | null {
  const context: Context = { config, policy, now };
  const waits: number[] = state.waiting.map((waiter) => waiter.deadlineMs - now.monotonicMs);
  if (state.flight !== null) waits.push(untilEither(state.flight.deadline, now));
  const { phase } = state;
  if (phase.kind === 'restoring' && phase.retryAt !== null) waits.push(untilEither(phase.retryAt, now));
  if (phase.kind === 'active') waits.push(...activeWaits(state, phase, context), policy.tickMs);
  return waits.length === 0 ? null : Math.max(0, Math.min(...waits));
}

function activeWaits(state: SessionState, phase: Active, context: Context): number[] {
  const { now, policy } = context;
  const waits: number[] = [];
  if (phase.endsAt !== null) {
    const warningMs = policy.expiryWarningsMs[phase.warningsGiven];
    if (warningMs !== undefined) waits.push(untilEither(phase.endsAt, now) - warningMs);
  }
  if (state.flight !== null || state.storing !== null) return waits;
  if (!canRefresh(phase, context.config)) {
    if (phase.access !== null) waits.push(untilBoth(phase.access.expiresAt, now));
  } else if (dueCause(state, phase, context) !== null) waits.push(refreshAllowedInMs(state, context));
  else if (phase.access !== null)
    waits.push(untilEither(phase.access.expiresAt, now) - refreshMarginMs(phase.access, state.jitter, policy));
  return waits;
}

/** The state without its secrets: what loggers, panels and simulators may see. */
export function describe(state: SessionState): Readonly<Record<string, unknown>> {
  const { phase, flight } = state;
  return {
    phase: phase.kind,
    sid: phase.kind === 'active' || phase.kind === 'reauth-required' ? phase.stored.sid : null,
    stamp: state.stamp,
    generation: state.generation,
    waiting: state.waiting.length,
    flight: flight === null ? null : { attempt: flight.attempt, cause: flight.cause, step: flight.step.kind },
    failures: state.failures,
  };
}
