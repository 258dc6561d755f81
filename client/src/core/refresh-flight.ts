import { after, type Instant } from './instant.ts';
import { isStoreKnown, knowStore } from './known-store.ts';
import { adopt, endFlight, hold } from './lifecycle.ts';
import type { StoredSession, VaultRecord } from './ports.ts';
import { requireReauthentication } from './reauthentication.ts';
import { backOff, payForRefresh, refreshAllowedInMs } from './refresh-budget.ts';
import type { Active, Event, Flight, FlightStep, Held, Observation, RefreshCause } from './state.ts';
import { canRefresh, freshMs, holdStored, isSameMoment, usableAccess } from './stored-session.ts';
import type { NoAnswer, Tokens } from './token-result.ts';
import { activePhase, observe, run, type Transition } from './transition.ts';
import { isOver, readable, writeLater, writeVault } from './vault-writes.ts';
import { failWaiters, settleWaiters } from './waiters.ts';

// One refresh, step by step: locking, reading, requesting, then committing or rereading. Every step waits for one event;
// what comes for an attempt that is over is dropped here and nowhere else.

const SHORTER_PATIENCE = 0.8;

/** The last lock. After waiting for it in vain a refresh goes ahead without a lock. */
const LAST_LOCK = 8;

type FailureCause = Extract<Observation, { type: 'refresh.failed' }>['cause'];
type Failure = { readonly cause: FailureCause } & Partial<Pick<NoAnswer, 'retryAfterMs' | 'words'>>;

type Committing = Extract<FlightStep, { kind: 'committing' }>;

/** The answer was for another session. No retry of this client cures it. */
const MISMATCH: Failure = { cause: 'answer-mismatch', words: 'answer-mismatch' };

/** Failures that say nothing of the server: it was not reached. */
const OUT_OF_REACH: readonly FailureCause[] = ['network', 'timeout', 'not-json'];

function enter(turn: Transition, flight: Omit<Flight, 'step' | 'deadline'>, step: FlightStep, waitMs: number): void {
  turn.state.flight = { ...flight, step, deadline: after(turn.now, waitMs) };
}

function read(turn: Transition, flight: Flight, step: FlightStep): void {
  // The port bounds the wait. A deadline that passes first means that this process was frozen.
  enter(turn, flight, step, turn.policy.vaultWaitMs * 2);
  run(turn, { type: 'readVault', operation: flight.attempt, isForRefresh: true });
}

/** Starts a refresh. Whoever waits at this moment joins it. */
export function startFlight(turn: Transition, cause: RefreshCause, wanted: string | null = null): void {
  const { state } = turn;
  const attempt = ++state.attempts;
  const { generation } = state;
  const resource = cause === 'resource' ? wanted : null;
  state.wanted = null;
  observe(turn, { type: 'refresh.started', attempt, cause });
  for (const { caller } of state.waiting) observe(turn, { type: 'refresh.joined', attempt, caller });
  lock(turn, { attempt, cause, generation, resource, startedAt: turn.now, hasNonce: false, isUserActive: false }, 0);
}

/**
 * Waits for one of the locks. A tab that has waited for the first lock in vain goes on to the second, and so on. So a slow or
 * frozen holder costs one more refresh, and not one more in every tab that waits.
 */
function lock(turn: Transition, flight: Omit<Flight, 'step' | 'deadline'>, level: number): void {
  const { lockWaitMs, responseDeadlineMs } = turn.policy;
  // The second refresh begins soon. The third one begins when the first and the second have had time for their answers.
  const waitMs = level ? responseDeadlineMs : lockWaitMs;
  // The port bounds the wait. The deadline is for a port that never answers, and for a device that slept.
  enter(turn, flight, { kind: 'locking', level }, waitMs * 2);
  run(turn, { type: 'acquireLock', attempt: flight.attempt, waitMs, level });
}

/** The lock was acquired, or it was not. Without any lock the refresh goes ahead, because the server makes that safe. */
export function onLockSettled(turn: Transition, { attempt, isHeld }: Omit<Event<'lockSettled'>, 'type'>): void {
  const { flight } = turn.state;
  if (flight?.attempt !== attempt) run(turn, { type: 'endRefresh', attempt });
  else if (flight.step.kind === 'locking')
    if (isHeld || flight.step.level === LAST_LOCK) {
      const waitedMs = turn.now.monotonicMs - flight.startedAt.monotonicMs;
      observe(turn, { type: 'refresh.locked', attempt, waitedMs });
      read(turn, flight, { kind: 'reading' });
    } else lock(turn, flight, flight.step.level + 1);
}

/** The vault was read for this flight: before the request, or again after the server said no. */
export function onFlightVaultRead(turn: Transition, flight: Flight, record: VaultRecord | null): void {
  const held = activePhase(turn);
  if (!held) return endFlight(turn);
  knowStore(turn);
  const news = isOver(turn, record) ? null : readable(turn, record);
  if (news && !news.session) return adopt(turn, news);
  if (flight.step.kind === 'reading') return sendOrAdopt(turn, flight, held, record);
  if (flight.step.kind !== 'rereading') return;
  const { stamp, answer } = flight.step;
  // Another tab was faster, and the answer was about the token that it replaced. It has not extended the session.
  if (news && news.stamp !== stamp) {
    if (flight.cause === 'extend') turn.state.wanted = 'extend';
    return adoptAndLand(turn, flight, news);
  }
  if (answer.kind === 'transient') return failFlight(turn, flight, answer);
  const { successor } = answer;
  // Another session has taken its place on this device, and the browser holds that one's cookie: go on with it. The allowance
  // bounds how often.
  if (successor && successor !== held.stored.sid)
    return refreshAllowedInMs(turn) > 0
      ? failFlight(turn, flight, MISMATCH)
      : send(turn, flight, held, { ...held.stored, sid: successor, access: null }, stamp);
  observe(turn, { type: 'refresh.rejected', attempt: flight.attempt, reason: answer.reason });
  requireReauthentication(turn, held.stored, answer.reason);
}

function sendOrAdopt(turn: Transition, flight: Flight, held: Active, record: VaultRecord | null): void {
  const session = record?.session;
  // What is stored is older than what this tab holds; the cookie is not.
  if (turn.state.unwritten) return send(turn, flight, held, held.stored, turn.state.stamp);
  // Emptied from outside, or what it kept cannot be opened any more. A cookie is still there; a token in memory may be spent, so it
  // is not used.
  if (!session || !canRefresh(turn, session))
    return turn.config.delivery === 'cookie'
      ? send(turn, flight, held, held.stored, record?.stamp ?? 0)
      : requireReauthentication(turn, held.stored, 'storage-lost');
  if (isDone(turn, flight, held, session)) adoptAndLand(turn, flight, record);
  else send(turn, flight, held, session, record.stamp);
}

/** Another tab has refreshed while this one waited for the lock or slept, or another session is stored. */
function isDone(turn: Transition, flight: Flight, held: Active, session: StoredSession): boolean {
  const isAnother = session.sid !== held.stored.sid || session.sub !== held.stored.sub;
  const { access } = holdStored(session, 'verified', turn.now);
  const isToBeReplaced = flight.generation === turn.state.generation;
  const isRefused = (held.isRefused || isToBeReplaced) && access?.value === held.access?.value;
  const isFresh = access !== null && freshMs(turn, access) > 0;
  return isAnother || (isFresh && !isRefused && flight.cause !== 'extend' && !flight.resource);
}

/** Takes over what another tab has written. A refresh that still waits for a lock ends if that is what it would read. */
export function adoptNews(turn: Transition, news: VaultRecord): void {
  const { flight } = turn.state;
  const held = activePhase(turn);
  if (held && news.session && flight?.step.kind === 'locking' && isDone(turn, flight, held, news.session))
    adoptAndLand(turn, flight, news);
  else adopt(turn, news);
}

function adoptAndLand(turn: Transition, flight: Flight, record: VaultRecord): void {
  endFlight(turn);
  observe(turn, { type: 'refresh.adopted', attempt: flight.attempt });
  adopt(turn, record);
}

function send(turn: Transition, flight: Flight, held: Active, stored: StoredSession, stamp: number): void {
  const { state, now, policy, config } = turn;
  const { attempt } = flight;
  const isUserActive = config.isUserActive || state.isUserActive || flight.isUserActive;
  payForRefresh(turn);
  state.isUserActive = false;
  state.phase = { ...held, stored };
  state.stamp = stamp;
  const step: FlightStep = { kind: 'requesting', sentAt: now, stamp, sent: stored.refreshToken };
  // Where nothing answers, a try begins just before the end of the outage: every second one is shorter. A server that is slow
  // and answers needs the whole time.
  const patience = state.failures % 2 ? SHORTER_PATIENCE : 1;
  enter(turn, { ...flight, isUserActive }, step, policy.responseDeadlineMs * patience);
  const isExtension = flight.cause === 'extend';
  run(turn, { type: 'sendRefresh', attempt, session: stored, isUserActive, isExtension, resource: flight.resource });
  observe(turn, { type: 'refresh.sent', attempt, isUserActive });
}

/** The token endpoint answered. */
export function onAnswered(turn: Transition, { attempt, answer }: Event<'refreshAnswered'>): void {
  const { flight } = turn.state;
  const held = activePhase(turn);
  if (!held || flight?.attempt !== attempt || flight.step.kind !== 'requesting') return;
  if (answer.kind !== 'transient' || !OUT_OF_REACH.includes(answer.cause)) turn.state.isOffline = false;
  const { stamp } = flight.step;
  if (answer.kind === 'tokens') commit(turn, flight, flight.step, held.stored, answer.tokens);
  else if (answer.kind === 'rejected' || answer.cause === 'rate-limited')
    read(turn, flight, { kind: 'rereading', stamp, answer });
  // The answer brought the nonce. The vault is read again, as before every use of its token.
  else if (answer.cause === 'nonce-required' && !flight.hasNonce)
    read(turn, { ...flight, hasNonce: true }, { kind: 'reading' });
  else failFlight(turn, flight, answer);
}

/** What is not named, or left out by an app's own reading, differs from nothing. */
const differs = (a: string | null, b: string | null): boolean => Boolean(a && b) && a !== b;

function commit(
  turn: Transition,
  flight: Flight,
  { sentAt, stamp, sent }: Extract<FlightStep, { kind: 'requesting' }>,
  stored: StoredSession,
  tokens: Tokens,
): void {
  if (differs(tokens.sid, stored.sid) || differs(tokens.sub, stored.sub)) return failFlight(turn, flight, MISMATCH);
  const answered = holdTokens(tokens, stored, sentAt);
  // A token for a resource never takes the place of the ordinary one; the refresh token is a new one all the same.
  const held = flight.resource
    ? holdStored({ ...answered.stored, access: stored.access }, 'verified', sentAt)
    : answered;
  // The server has heard that the user is there.
  enter(
    turn,
    { ...flight, isUserActive: false },
    { kind: 'committing', held, access: answered.access, stamp, sent },
    turn.policy.vaultWaitMs,
  );
  writeVault(turn, flight.attempt, stamp, held.stored);
}

/** A token answer as a session. Lifetimes count from when the request was sent: the server's clock started after that. */
export function holdTokens(tokens: Tokens, before: StoredSession, sentAt: Instant): Held {
  const { accessToken: value, tokenType, lifetimeMs, sessionLifetimeMs, isEndFixed = false } = tokens;
  const expiresAtMs = sessionLifetimeMs === null ? null : sentAt.wallMs + sessionLifetimeMs;
  const stored: StoredSession = {
    ...before,
    sid: tokens.sid ?? before.sid,
    sub: tokens.sub ?? before.sub,
    deviceId: tokens.deviceId ?? before.deviceId,
    deviceSequence: tokens.deviceSequence ?? before.deviceSequence,
    refreshToken: tokens.refreshToken ?? before.refreshToken,
    scope: tokens.scope ?? before.scope,
    expiresAtMs,
    isEndFixed,
    access: { value, tokenType, lifetimeMs, expiresAtMs: sentAt.wallMs + lifetimeMs },
  };
  const held = holdStored(stored, 'verified', sentAt);
  return { ...held, isFinal: held.isFinal && isSameMoment(expiresAtMs, before.expiresAtMs) };
}

/** The answer was written, or somebody else had written first. */
export function onFlightVaultWritten(
  turn: Transition,
  flight: Flight,
  isReplaced: boolean,
  record: VaultRecord | null,
): void {
  if (flight.step.kind !== 'committing') return;
  knowStore(turn);
  const { held, sent } = flight.step;
  const stamp = record?.stamp ?? 0;
  const news = isOver(turn, record) ? null : readable(turn, record);
  // A late write of this tab, or another tab that was answered without a new token: the answer at hand replaces the one stored.
  const isSpent = sent !== null && record?.session?.refreshToken === sent && held.stored.refreshToken !== sent;
  if (isReplaced) land(turn, flight, flight.step, stamp);
  else if (news && !isSpent) adoptAndLand(turn, flight, news);
  // Emptied or damaged between the read and the write, spent, or over: what the server just said is the newest truth.
  else writeVault(turn, flight.attempt, stamp, held.stored);
}

/** Answers whether the refresh token is a new one. */
function land(turn: Transition, flight: Flight, { held, access }: Committing, stamp: number): boolean {
  const isRotated = activePhase(turn)?.stored.refreshToken !== held.stored.refreshToken;
  const durationMs = turn.now.monotonicMs - flight.startedAt.monotonicMs;
  endFlight(turn);
  hold(turn, held, stamp, true, !flight.resource);
  if (flight.resource && access) turn.state.resourceTokens = { [flight.resource]: access };
  observe(turn, { type: 'refresh.succeeded', attempt: flight.attempt, durationMs, isRotated });
  if (isStoreKnown(turn)) settleWaiters(turn);
  return isRotated;
}

/** There was no answer, or the vault or the lock did not answer: the session stays, and the refresh goes on or is tried later. */
export function onFlightUnavailable(turn: Transition, attempt: number, cause: FailureCause): void {
  const { flight, stamp } = turn.state;
  if (flight?.attempt !== attempt) return;
  const { step } = flight;
  // A port that never answers, or a device that slept: the refresh goes ahead.
  if (step.kind === 'locking') onLockSettled(turn, { attempt, isHeld: true });
  else if (step.kind === 'committing') {
    // Another tab's session was adopted meanwhile: stored later, this one would overwrite it, perhaps with what is spent by then.
    if (step.stamp !== stamp) return endFlight(turn);
    // The tokens are good. A new refresh token is stored before its next use, for the vault's copy precedes it; an access token
    // alone may be lost, and storage that stays full must hold up nobody whose refresh token is in a cookie, or bound to a key.
    const { unwritten } = turn.state;
    const isRotated = land(turn, flight, step, stamp);
    if (isRotated || unwritten) writeLater(turn, step.held.stored, unwritten);
    else observe(turn, { type: 'vault.unavailable' });
  } else if (cause === 'vault-unavailable' && turn.config.delivery === 'cookie')
    // The browser keeps the cookie, so the session goes on as if what is stored could not be opened.
    onFlightVaultRead(turn, flight, { stamp, session: null, endedReason: 'storage-lost' });
  else failFlight(turn, flight, { cause: step.kind === 'requesting' ? cause : 'vault-unavailable' });
}

/** Refusals without end put the session in doubt: after so long, or sooner where no token can be used and requests wait. */
const DOUBTFUL_MS = 60_000;
const DOUBTFUL_WITHOUT_TOKEN_MS = 5_000;

function failFlight(turn: Transition, flight: Flight, { cause, retryAfterMs = null, words }: Failure): void {
  const { state, now, policy, random } = turn;
  const held = activePhase(turn);
  const isOutOfReach = OUT_OF_REACH.includes(cause);
  // The first failure of an outage: whatever answers next says that it may be over.
  if (state.failures === 0) state.isUnreached = true;
  const own = backOff(turn, isOutOfReach);
  // Such as `invalid_target`: no retry cures it, and the session has its ordinary token.
  if (words && flight.resource) failWaiters(turn, 'misconfigured', ({ resource }) => resource === flight.resource);
  else if (words) {
    const sinceMs = state.refusal?.sinceMs ?? now.monotonicMs;
    const doubtfulMs = held && usableAccess(held, now) ? DOUBTFUL_MS : DOUBTFUL_WITHOUT_TOKEN_MS;
    state.refusal = { sinceMs, words, isDoubtful: now.monotonicMs - sinceMs >= doubtfulMs };
  }
  const isServerAsked = retryAfterMs !== null;
  const ms = isServerAsked ? Math.min(retryAfterMs, policy.retryAfterCapMs) + policy.backoffBaseMs * random : own.ms;
  // Where nothing answered, the wait for an answer was a wait already.
  const waitedMs = isOutOfReach ? now.monotonicMs - flight.startedAt.monotonicMs : 0;
  const parkedMs = isServerAsked || words ? ms : Math.max(0, own.parkedMs - waitedMs);
  if (held && (isOutOfReach || cause === 'server-error')) state.phase = { ...held, freshness: 'offline' };
  state.backoff = { until: after(now, ms), parkedUntil: after(now, parkedMs), isServerAsked };
  // The user may have asked for more meanwhile.
  if (flight.cause === 'extend' || flight.cause === 'refused') state.wanted ??= flight.cause;
  endFlight(turn);
  observe(turn, { type: 'refresh.failed', attempt: flight.attempt, cause, retryInMs: refreshAllowedInMs(turn) });
}
