import { after, hasPassed, untilEither } from './instant.ts';
import type { AccessToken, HttpAnswer, StoredSession, VaultRecord } from './ports.ts';
import {
  adopt,
  endFlight,
  failWaiters,
  hold,
  holdStored,
  leave,
  observe,
  refreshMarginMs,
  refreshTokensLeft,
  requireReauthentication,
  settleWaiters,
  andThen,
  toStoredAccess,
  type Context,
} from './session-steps.ts';
import type {
  Effect,
  Flight,
  FlightStep,
  Held,
  Observation,
  RefreshCause,
  SessionState,
  Step,
} from './session-state.ts';
import { readTokenAnswer, refreshRequest, type TokenAnswer, type Tokens } from './wire.ts';

// One refresh, step by step: locking, reading, requesting, then committing or rereading. Every step waits for one event;
// what comes for an attempt that is over is dropped here and nowhere else.

type FailureCause = Extract<Observation, { type: 'refresh.failed' }>['cause'];
type Active = Extract<SessionState['phase'], { kind: 'active' }>;

const activePhase = (state: SessionState): Active | null => (state.phase.kind === 'active' ? state.phase : null);

function enter(state: SessionState, flight: Flight, step: FlightStep, waitMs: number, { now }: Context): SessionState {
  return { ...state, flight: { ...flight, step, deadline: after(now, waitMs) } };
}

/** Starts a refresh. Whoever waits at this moment joins it. */
export function startFlight(state: SessionState, cause: RefreshCause, context: Context): Step {
  const { now, policy } = context;
  const attempt = state.next;
  // The port bounds the wait; the deadline here is for a port that never answers.
  const deadline = after(now, policy.lockWaitMs * 2);
  const flight: Flight = { attempt, cause, startedAt: now, deadline, step: { kind: 'locking' } };
  const joined = state.waiting.map(({ caller }) => observe({ type: 'refresh.joined', attempt, caller }));
  return [
    { ...state, flight, next: attempt + 1, wanted: null },
    [
      observe({ type: 'refresh.started', attempt, cause }),
      ...joined,
      { type: 'acquireLock', attempt, waitMs: policy.lockWaitMs },
    ],
  ];
}

/** The lock was had, or it was not: both go on, because the server makes a refresh without it safe. */
export function onLockSettled(state: SessionState, attempt: number, isHeld: boolean, context: Context): Step {
  const { flight } = state;
  if (flight === null || flight.attempt !== attempt) return [state, isHeld ? [{ type: 'releaseLock', attempt }] : []];
  if (flight.step.kind !== 'locking') return [state, []];
  return read(state, flight, context);
}

function read(state: SessionState, flight: Flight, context: Context): Step {
  const reading = enter(state, flight, { kind: 'reading' }, context.policy.vaultWaitMs, context);
  return [reading, [{ type: 'readVault', operation: flight.attempt }]];
}

/** The vault was read for this flight: before the request, or again after the server said no. */
export function onFlightVaultRead(
  state: SessionState,
  flight: Flight,
  record: VaultRecord | null,
  context: Context,
): Step {
  const held = activePhase(state);
  if (held === null) return endFlight(state);
  // A tab that slept since it asked must not send what it read then: somebody may have used it meanwhile.
  if (hasPassed(flight.deadline, context.now)) return onFlightDeadline(state, flight, context);
  if (record !== null && record.session === null) return leave(state, record.endedReason ?? 'user', record.stamp);
  if (flight.step.kind === 'reading') return sendOrAdopt(state, flight, held, record, context);
  if (flight.step.kind !== 'rereading') return [state, []];
  const { stamp, because, retryAfterMs } = flight.step;
  // Another tab was faster and the answer was about the token that it replaced.
  if (record !== null && record.stamp !== stamp) return adoptAndLand(state, flight, record, context);
  if (because === 'wait') return failFlight(state, flight, 'wait', retryAfterMs, 0.5, context);
  return andThen([state, [observe({ type: 'refresh.rejected', attempt: flight.attempt, reason: because })]], (next) =>
    requireReauthentication(next, held.stored, because, context),
  );
}

function sendOrAdopt(
  state: SessionState,
  flight: Flight,
  held: Active,
  record: VaultRecord | null,
  context: Context,
): Step {
  const session = record?.session ?? null;
  if (record === null || session === null) {
    // Emptied from outside. A cookie is still there; a token in memory may be spent, so it is not used.
    if (context.config.wire.delivery === 'cookie') return send(state, flight, held.stored, 0, context);
    return requireReauthentication(state, held.stored, 'storage-lost', context);
  }
  if (session.sid !== held.stored.sid || session.sub !== held.stored.sub)
    return adoptAndLand(state, flight, record, context);
  const theirs = holdStored(session, 'verified', context.now);
  const isRefused = held.isRefused && theirs.access?.value === held.access?.value;
  // Somebody else has refreshed while this tab waited for the lock or slept.
  if (theirs.access !== null && !isRefused && isFresh(theirs.access, state, context) && flight.cause !== 'extend')
    return adoptAndLand(state, flight, record, context);
  return send(state, flight, session, record.stamp, context);
}

const isFresh = (access: AccessToken, state: SessionState, { now, policy }: Context): boolean =>
  untilEither(access.expiresAt, now) > refreshMarginMs(access, state.jitter, policy);

function adoptAndLand(state: SessionState, flight: Flight, record: VaultRecord, context: Context): Step {
  const observed = observe({ type: 'refresh.adopted', attempt: flight.attempt });
  const ended = andThen(endFlight({ ...state, failures: 0, backoff: null }), (next) => [next, [observed]]);
  return andThen(ended, (next) => adopt(next, record, 'verified', context));
}

function send(state: SessionState, flight: Flight, stored: StoredSession, stamp: number, context: Context): Step {
  const { now, policy, config } = context;
  const isUserActive = config.isActivityAssumed || state.isUserActive || flight.cause === 'extend';
  const step: FlightStep = { kind: 'requesting', sentAt: now, stamp };
  const bucket = { tokens: Math.max(0, refreshTokensLeft(state, context) - 1), atMonotonicMs: now.monotonicMs };
  const phase = state.phase.kind === 'active' ? { ...state.phase, stored } : state.phase;
  const requesting = enter({ ...state, phase, stamp, bucket }, flight, step, policy.responseDeadlineMs, context);
  return [
    requesting,
    [
      { type: 'sendRefresh', attempt: flight.attempt, request: refreshRequest(config.wire, stored, isUserActive) },
      observe({ type: 'refresh.sent', attempt: flight.attempt, isUserActive }),
    ],
  ];
}

/** The token endpoint answered. An answer that comes after the deadline is not used: the server counts on that. */
export function onAnswered(
  state: SessionState,
  attempt: number,
  answer: HttpAnswer,
  random: number,
  context: Context,
): Step {
  const { flight } = state;
  const held = activePhase(state);
  if (flight === null || held === null || flight.attempt !== attempt || flight.step.kind !== 'requesting')
    return [state, []];
  if (hasPassed(flight.deadline, context.now)) return failFlight(state, flight, 'timeout', null, random, context);
  const result = readTokenAnswer(answer);
  if (result.kind === 'tokens') return commit(state, flight, flight.step, held, result.tokens, random, context);
  return refuse(state, flight, flight.step.stamp, result, random, context);
}

function refuse(
  state: SessionState,
  flight: Flight,
  stamp: number,
  result: Exclude<TokenAnswer, { kind: 'tokens' }>,
  random: number,
  context: Context,
): Step {
  if (result.kind === 'misconfigured') return failFlight(state, flight, 'misconfigured', null, random, context);
  const isWait = result.kind === 'transient' && result.cause === 'rate-limited';
  if (result.kind === 'transient' && !isWait)
    return failFlight(state, flight, result.cause, result.retryAfterMs, random, context);
  const step: FlightStep = {
    kind: 'rereading',
    stamp,
    because: result.kind === 'rejected' ? result.reason : 'wait',
    retryAfterMs: result.kind === 'transient' ? result.retryAfterMs : null,
  };
  const rereading = enter(state, flight, step, context.policy.vaultWaitMs, context);
  return [rereading, [{ type: 'readVault', operation: flight.attempt }]];
}

function commit(
  state: SessionState,
  flight: Flight,
  step: Extract<FlightStep, { kind: 'requesting' }>,
  held: Active,
  tokens: Tokens,
  random: number,
  context: Context,
): Step {
  const { stored } = held;
  const differs = (a: string | null, b: string | null): boolean => a !== null && b !== null && a !== b;
  if (differs(tokens.sid, stored.sid) || differs(tokens.sub, stored.sub))
    return failFlight(state, flight, 'answer-mismatch', null, random, context);
  const next = holdTokens(tokens, stored, step.sentAt);
  const committing = enter(state, flight, { kind: 'committing', held: next }, context.policy.vaultWaitMs, context);
  const write: Effect = {
    type: 'writeVault',
    operation: flight.attempt,
    expectedStamp: step.stamp,
    session: next.stored,
    endedReason: null,
  };
  return [committing, [write]];
}

/** A token answer as a session. Lifetimes count from when the request was sent: the server's clock started after that. */
export function holdTokens(
  tokens: Tokens,
  before: StoredSession,
  sentAt: { wallMs: number; monotonicMs: number },
): Held {
  const access: AccessToken = {
    value: tokens.accessToken,
    tokenType: tokens.tokenType,
    lifetimeMs: tokens.lifetimeMs,
    expiresAt: after(sentAt, tokens.lifetimeMs),
  };
  const endsAt = tokens.sessionLifetimeMs === null ? null : after(sentAt, tokens.sessionLifetimeMs);
  const stored: StoredSession = {
    ...before,
    sid: tokens.sid ?? before.sid,
    sub: tokens.sub ?? before.sub,
    refreshToken: tokens.refreshToken ?? before.refreshToken,
    scope: tokens.scope ?? before.scope,
    expiresAtMs: endsAt?.wallMs ?? null,
    access: toStoredAccess(access),
  };
  return { stored, access, isRefused: false, freshness: 'verified', endsAt, warningsGiven: 0 };
}

/** The answer was written, or somebody else had written first. */
export function onFlightVaultWritten(
  state: SessionState,
  flight: Flight,
  isReplaced: boolean,
  record: VaultRecord | null,
  context: Context,
): Step {
  if (flight.step.kind !== 'committing') return [state, []];
  const { held } = flight.step;
  if (isReplaced && record !== null) return land(state, flight, held, record.stamp, context);
  if (record !== null) return adoptAndLand(state, flight, record, context);
  // Emptied between the read and the write: what the server just said is the newest truth.
  const write: Effect = {
    type: 'writeVault',
    operation: flight.attempt,
    expectedStamp: 0,
    session: held.stored,
    endedReason: null,
  };
  return [state, [write]];
}

function land(state: SessionState, flight: Flight, held: Held, stamp: number, { now }: Context): Step {
  const isRotated = state.phase.kind === 'active' && state.phase.stored.refreshToken !== held.stored.refreshToken;
  const durationMs = now.monotonicMs - flight.startedAt.monotonicMs;
  const landed = andThen(endFlight({ ...state, failures: 0, backoff: null, isUserActive: false }), (next) =>
    hold(next, held, stamp, true),
  );
  const effects: readonly Effect[] = [
    { type: 'announce' },
    observe({ type: 'refresh.succeeded', attempt: flight.attempt, durationMs, isRotated }),
  ];
  return andThen([landed[0], [...landed[1], ...effects]], settleWaiters);
}

/** There was no answer, or the vault did not answer: the session stays, and the refresh is tried again later. */
export function onFlightUnavailable(state: SessionState, attempt: number, random: number, context: Context): Step {
  const { flight } = state;
  if (flight === null || flight.attempt !== attempt) return [state, []];
  switch (flight.step.kind) {
    case 'requesting':
      return failFlight(state, flight, 'network', null, random, context);
    case 'committing': {
      // The access token is good. The stored refresh token is the one just used, which the server repeats on demand.
      const landed = land(state, flight, flight.step.held, state.stamp, context);
      return [landed[0], [...landed[1], observe({ type: 'vault.unavailable' })]];
    }
    case 'locking':
      return [state, []];
    case 'reading':
    case 'rereading':
      return failFlight(state, flight, 'vault-unavailable', null, random, context);
  }
}

/** The current step has taken too long. */
export function onFlightDeadline(state: SessionState, flight: Flight, context: Context): Step {
  if (flight.step.kind === 'locking') return read(state, flight, context);
  if (flight.step.kind === 'requesting') return failFlight(state, flight, 'timeout', null, state.jitter, context);
  return onFlightUnavailable(state, flight.attempt, state.jitter, context);
}

/** Which failures mean that the server was not reached. */
const OUT_OF_REACH: ReadonlySet<FailureCause> = new Set(['network', 'timeout', 'not-json']);
/** Which failures must not be retried at once even by an unlucky draw. */
const IN_TROUBLE: ReadonlySet<FailureCause> = new Set([
  'server-error',
  'rate-limited',
  'wait',
  'misconfigured',
  'answer-mismatch',
]);

function failFlight(
  state: SessionState,
  flight: Flight,
  cause: FailureCause,
  retryAfterMs: number | null,
  random: number,
  context: Context,
): Step {
  const { now, policy } = context;
  const stepMs = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.min(state.failures, 20));
  const jitteredMs = IN_TROUBLE.has(cause) ? stepMs * (0.5 + random / 2) : stepMs * random;
  const retryInMs = retryAfterMs === null ? jitteredMs : retryAfterMs + policy.backoffBaseMs * random;
  const phase =
    state.phase.kind === 'active' && OUT_OF_REACH.has(cause)
      ? { ...state.phase, freshness: 'offline' as const }
      : state.phase;
  const backoff = { until: after(now, retryInMs), isServerAsked: retryAfterMs !== null };
  // A token that was refused, or an extension that was asked for, still waits for its refresh.
  const wanted = flight.cause === 'extend' ? flight.cause : state.wanted;
  const failed = endFlight({ ...state, phase, backoff, wanted, failures: state.failures + 1 });
  const observed = observe({ type: 'refresh.failed', attempt: flight.attempt, cause, retryInMs });
  return andThen([failed[0], [...failed[1], observed]], (next) =>
    failWaiters(next, 'deadline-exceeded', (waiter) => waiter.deadlineMs <= now.monotonicMs),
  );
}
