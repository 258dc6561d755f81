import { after, hasPassed, type Instant } from './instant.ts';
import type { AccessToken, HttpAnswer, StoredSession, VaultRecord } from './ports.ts';
import type { Active, Flight, FlightStep, Held, Observation, RefreshCause } from './session-state.ts';
import {
  activePhase,
  adopt,
  canRefresh,
  endFlight,
  hold,
  holdStored,
  isSameMoment,
  isSurvivor,
  isFresh,
  leave,
  observe,
  refreshesLeft,
  requireReauthentication,
  run,
  settleWaiters,
  type Turn,
} from './turn.ts';
import { readTokenAnswer, refreshRequest, type TokenAnswer, type Tokens } from './wire.ts';

// One refresh, step by step: locking, reading, requesting, then committing or rereading. Every step waits for one event;
// what comes for an attempt that is over is dropped here and nowhere else.

type FailureCause = Extract<Observation, { type: 'refresh.failed' }>['cause'];

function enter(turn: Turn, flight: Flight, step: FlightStep, waitMs: number): void {
  turn.state.flight = { ...flight, step, deadline: after(turn.now, waitMs) };
}

function read(turn: Turn, flight: Flight, step: FlightStep): void {
  enter(turn, flight, step, turn.policy.vaultWaitMs);
  run(turn, { type: 'readVault', operation: flight.attempt, isForRefresh: step.kind === 'reading' });
}

/** Starts a refresh. Whoever waits at this moment joins it. */
export function startFlight(turn: Turn, cause: RefreshCause): void {
  const { state, now, policy } = turn;
  const attempt = ++state.attempts;
  // The port bounds the wait; the deadline here is for a port that never answers.
  const deadline = after(now, policy.lockWaitMs * 2);
  state.flight = { attempt, cause, startedAt: now, deadline, hasNonce: false, step: { kind: 'locking' } };
  state.wanted = null;
  observe(turn, { type: 'refresh.started', attempt, cause });
  for (const { caller } of state.waiting) observe(turn, { type: 'refresh.joined', attempt, caller });
  run(turn, { type: 'acquireLock', attempt, waitMs: policy.lockWaitMs });
}

/** The lock was had, or it was not: both go on, because the server makes a refresh without it safe. */
export function onLockSettled(turn: Turn, attempt: number, isHeld: boolean): void {
  const { flight } = turn.state;
  if (flight?.attempt !== attempt) {
    if (isHeld) run(turn, { type: 'releaseLock', attempt });
  } else if (flight.step.kind === 'locking') read(turn, flight, { kind: 'reading' });
}

/** The vault was read for this flight: before the request, or again after the server said no. */
export function onFlightVaultRead(turn: Turn, flight: Flight, record: VaultRecord | null): void {
  const held = activePhase(turn);
  if (!held) return endFlight(turn);
  // A tab that slept since it asked must not send what it read then: somebody may have used it meanwhile.
  if (hasPassed(flight.deadline, turn.now)) return onFlightDeadline(turn, flight);
  // Nothing is news that this tab has known all along: what it holds is newer, and is stored before it is used.
  if (isSurvivor(turn, record)) turn.state.stamp = record?.stamp ?? 0;
  if (turn.state.unsaved && (record?.stamp ?? 0) === turn.state.stamp) return save(turn, flight, held);
  if (record && !record.session) return leave(turn, record.endedReason ?? 'user', record.stamp);
  if (flight.step.kind === 'reading') return sendOrAdopt(turn, flight, held, record);
  if (flight.step.kind !== 'rereading') return;
  const { stamp, because, retryAfterMs } = flight.step;
  // Another tab was faster, and the answer was about the token that it replaced.
  if (record && record.stamp !== stamp) return adoptAndLand(turn, flight, record);
  if (because === 'wait') return failFlight(turn, flight, 'wait', retryAfterMs, turn.state.jitter);
  observe(turn, { type: 'refresh.rejected', attempt: flight.attempt, reason: because });
  requireReauthentication(turn, held.stored, because);
}

function save(turn: Turn, flight: Flight, { stored }: Active): void {
  enter(turn, flight, { kind: 'saving' }, turn.policy.vaultWaitMs);
  write(turn, flight, stored, turn.state.stamp);
}

function sendOrAdopt(turn: Turn, flight: Flight, held: Active, record: VaultRecord | null): void {
  const session = record?.session;
  // Emptied from outside, or what it kept cannot be opened any more. A cookie is still there; a token in memory may be spent, so it
  // is not used.
  if (!session || !canRefresh(turn, session))
    return turn.config.wire.delivery === 'cookie'
      ? send(turn, flight, held, held.stored, 0)
      : requireReauthentication(turn, held.stored, 'storage-lost');
  const isAnother = session.sid !== held.stored.sid || session.sub !== held.stored.sub;
  const { access } = holdStored(session, 'verified', turn.now);
  const isRefused = held.isRefused && access?.value === held.access?.value;
  // Somebody else has refreshed while this tab waited for the lock or slept.
  const isNews = access !== null && !isRefused && isFresh(access, turn) && flight.cause !== 'extend';
  if (isAnother || isNews) adoptAndLand(turn, flight, record);
  else send(turn, flight, held, session, record.stamp);
}

function adoptAndLand(turn: Turn, flight: Flight, record: VaultRecord): void {
  turn.state.failures = 0;
  turn.state.backoff = null;
  endFlight(turn);
  observe(turn, { type: 'refresh.adopted', attempt: flight.attempt });
  adopt(turn, record, 'verified');
}

function send(turn: Turn, flight: Flight, held: Active, stored: StoredSession, stamp: number): void {
  const { state, now, policy, config } = turn;
  const { attempt } = flight;
  const isUserActive = config.isActivityAssumed || state.isUserActive || flight.cause === 'extend';
  state.bucket = { tokens: Math.max(0, refreshesLeft(turn) - 1), atMonotonicMs: now.monotonicMs };
  state.phase = { ...held, stored };
  state.stamp = stamp;
  enter(turn, flight, { kind: 'requesting', sentAt: now, stamp }, policy.responseDeadlineMs);
  run(turn, { type: 'sendRefresh', attempt, request: refreshRequest(config.wire, stored, isUserActive) });
  observe(turn, { type: 'refresh.sent', attempt, isUserActive });
}

/** The token endpoint answered. An answer that comes after the deadline is not used: the server counts on that. */
export function onAnswered(turn: Turn, attempt: number, answer: HttpAnswer, random: number): void {
  const { flight } = turn.state;
  const held = activePhase(turn);
  if (!held || flight?.attempt !== attempt || flight.step.kind !== 'requesting') return;
  if (hasPassed(flight.deadline, turn.now)) return failFlight(turn, flight, 'timeout', null, random);
  const result = turn.config.classify(answer) ?? readTokenAnswer(answer);
  if (result.kind === 'tokens') commit(turn, flight, flight.step, held.stored, result.tokens, random);
  else refuse(turn, flight, flight.step.stamp, result, random);
}

function refuse(
  turn: Turn,
  flight: Flight,
  stamp: number,
  result: Exclude<TokenAnswer, { kind: 'tokens' }>,
  random: number,
): void {
  if (result.kind === 'rejected')
    read(turn, flight, { kind: 'rereading', stamp, because: result.reason, retryAfterMs: null });
  else if (result.kind === 'nonce-required') {
    // The answer brought the nonce. The vault is read again, as before every use of its token.
    if (flight.hasNonce) failFlight(turn, flight, 'nonce-required', null, random);
    else read(turn, { ...flight, hasNonce: true }, { kind: 'reading' });
  } else if (result.kind === 'misconfigured') failFlight(turn, flight, 'misconfigured', null, random);
  else if (result.cause === 'rate-limited')
    read(turn, flight, { kind: 'rereading', stamp, because: 'wait', retryAfterMs: result.retryAfterMs });
  else failFlight(turn, flight, result.cause, result.retryAfterMs, random);
}

const differs = (a: string | null, b: string | null): boolean => a !== null && b !== null && a !== b;

function commit(
  turn: Turn,
  flight: Flight,
  { sentAt, stamp }: Extract<FlightStep, { kind: 'requesting' }>,
  stored: StoredSession,
  tokens: Tokens,
  random: number,
): void {
  if (differs(tokens.sid, stored.sid) || differs(tokens.sub, stored.sub))
    return failFlight(turn, flight, 'answer-mismatch', null, random);
  const held = holdTokens(tokens, stored, sentAt);
  enter(turn, flight, { kind: 'committing', held }, turn.policy.vaultWaitMs);
  write(turn, flight, held.stored, stamp);
}

const write = (turn: Turn, { attempt }: Flight, session: StoredSession, expectedStamp: number): void =>
  run(turn, { type: 'writeVault', operation: attempt, expectedStamp, session, endedReason: null });

/** A token answer as a session. Lifetimes count from when the request was sent: the server's clock started after that. */
export function holdTokens(
  tokens: Tokens,
  before: StoredSession,
  sentAt: Instant,
): Held & { readonly access: AccessToken } {
  const { accessToken: value, tokenType, lifetimeMs, sessionLifetimeMs } = tokens;
  const expiresAt = after(sentAt, lifetimeMs);
  const endsAt = sessionLifetimeMs === null ? null : after(sentAt, sessionLifetimeMs);
  const stored: StoredSession = {
    ...before,
    sid: tokens.sid ?? before.sid,
    sub: tokens.sub ?? before.sub,
    refreshToken: tokens.refreshToken ?? before.refreshToken,
    scope: tokens.scope ?? before.scope,
    expiresAtMs: endsAt && endsAt.wallMs,
    access: { value, tokenType, lifetimeMs, expiresAtMs: expiresAt.wallMs },
  };
  const access = { value, tokenType, lifetimeMs, expiresAt };
  const isFinal =
    isSameMoment(expiresAt.wallMs, stored.expiresAtMs) && isSameMoment(stored.expiresAtMs, before.expiresAtMs);
  return { stored, access, isRefused: false, isFinal, isProbe: false, freshness: 'verified', endsAt, warningsGiven: 0 };
}

/** The answer was written, or somebody else had written first. */
export function onFlightVaultWritten(
  turn: Turn,
  flight: Flight,
  isReplaced: boolean,
  record: VaultRecord | null,
): void {
  if (flight.step.kind === 'saving') {
    // Stored, or somebody else was faster: either way the next read tells.
    if (isReplaced && record) turn.state.stamp = record.stamp;
    turn.state.unsaved = null;
    return read(turn, flight, { kind: 'reading' });
  }
  if (flight.step.kind !== 'committing') return;
  const { held } = flight.step;
  // Emptied between the read and the write: what the server just said is the newest truth.
  if (!record) write(turn, flight, held.stored, 0);
  else if (isReplaced) land(turn, flight, held, record.stamp);
  else adoptAndLand(turn, flight, record);
}

function land(turn: Turn, flight: Flight, held: Held, stamp: number): void {
  const { state, now } = turn;
  const isRotated = activePhase(turn)?.stored.refreshToken !== held.stored.refreshToken;
  const durationMs = now.monotonicMs - flight.startedAt.monotonicMs;
  state.failures = 0;
  state.backoff = null;
  state.isUserActive = false;
  endFlight(turn);
  hold(turn, held, stamp, true);
  run(turn, { type: 'announce' });
  observe(turn, { type: 'refresh.succeeded', attempt: flight.attempt, durationMs, isRotated });
  settleWaiters(turn);
}

/** There was no answer, or the vault did not answer: the session stays, and the refresh is tried again later. */
export function onFlightUnavailable(turn: Turn, attempt: number, random: number): void {
  const { flight, stamp } = turn.state;
  if (flight?.attempt !== attempt) return;
  const { step } = flight;
  if (step.kind === 'requesting') failFlight(turn, flight, 'network', null, random);
  else if (step.kind === 'committing') {
    // The tokens are good. They are stored before the next use of the refresh token, which the vault's copy precedes.
    land(turn, flight, step.held, stamp);
    turn.state.unsaved = 'refresh';
    observe(turn, { type: 'vault.unavailable' });
  } else if (step.kind !== 'locking') failFlight(turn, flight, 'vault-unavailable', null, random);
}

/** The current step has taken too long. */
export function onFlightDeadline(turn: Turn, flight: Flight): void {
  if (flight.step.kind === 'locking') read(turn, flight, { kind: 'reading' });
  else if (flight.step.kind === 'requesting') failFlight(turn, flight, 'timeout', null, turn.state.jitter);
  else onFlightUnavailable(turn, flight.attempt, turn.state.jitter);
}

/** Failures that say nothing of the server: it was not reached. Full jitter spreads the retries best. */
const OUT_OF_REACH: ReadonlySet<FailureCause> = new Set(['network', 'timeout', 'not-json']);

function failFlight(
  turn: Turn,
  flight: Flight,
  cause: FailureCause,
  retryAfterMs: number | null,
  random: number,
): void {
  const { state, now, policy } = turn;
  const held = activePhase(turn);
  // There was nothing but a hope: without an answer there is nobody to show.
  if (held?.isProbe) return leave(turn, 'never-signed-in', state.stamp);
  const isOutOfReach = OUT_OF_REACH.has(cause);
  const stepMs = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.min(state.failures, 20));
  // A server in trouble must not be asked again at once, not even by an unlucky draw.
  const jitteredMs = isOutOfReach ? stepMs * random : stepMs * (0.5 + random / 2);
  const askedMs = retryAfterMs === null ? null : Math.min(retryAfterMs, policy.retryAfterCapMs);
  const retryInMs = askedMs === null ? jitteredMs : askedMs + policy.backoffBaseMs * random;
  if (held && isOutOfReach) state.phase = { ...held, freshness: 'offline' };
  state.backoff = { until: after(now, retryInMs), isServerAsked: retryAfterMs !== null };
  state.failures++;
  if (flight.cause === 'extend') state.wanted = 'extend';
  endFlight(turn);
  observe(turn, { type: 'refresh.failed', attempt: flight.attempt, cause, retryInMs });
}
