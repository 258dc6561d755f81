import { after, type Instant } from './instant.ts';
import { isStoreKnown, knowStore } from './known-store.ts';
import { adopt, endFlight, hold } from './lifecycle.ts';
import type { StoredSession, VaultRecord } from './ports.ts';
import { requireReauthentication } from './reauthentication.ts';
import { backOff, payForRefresh, refreshAllowedInMs } from './refresh-budget.ts';
import type { Active, Event, Flight, FlightStep, Held, Observation, RefreshCause } from './state.ts';
import { canRefresh, freshMs, holdStored, isSameMoment, usableAccess } from './stored-session.ts';
import type { TransientFailure, Tokens } from './token-result.ts';
import { activePhase, observe, run, type Transition } from './transition.ts';
import { isOver, readable, writeLater, writeVault } from './vault-writes.ts';
import { failWaiters, settleWaiters } from './waiters.ts';

// One refresh, step by step: locking, reading, requesting, then committing or rereading. Each step waits for one event.
// Events of an attempt that has ended are dropped.

const SHORTER_PATIENCE = 0.8;

/** The last lock. A refresh that waited for it in vain goes ahead without a lock. */
const LAST_LOCK = 8;

type FailureCause = Extract<Observation, { type: 'refresh.failed' }>['cause'];
type Failure = { readonly cause: FailureCause } & Partial<Pick<TransientFailure, 'retryAfterMs' | 'words'>>;

type Committing = Extract<FlightStep, { kind: 'committing' }>;

/** The answer was for another session. No retry of this client cures it. */
const MISMATCH: Failure = { cause: 'answer-mismatch', words: 'answer-mismatch' };

/** Failures that say nothing of the server, because it was not reached. */
const OUT_OF_REACH: readonly FailureCause[] = ['network', 'timeout', 'not-json'];

function enter(turn: Transition, flight: Omit<Flight, 'step' | 'deadline'>, step: FlightStep, waitMs: number): void {
  turn.state.flight = { ...flight, step, deadline: after(turn.now, waitMs) };
}

function read(turn: Transition, flight: Flight, step: FlightStep): void {
  // The port bounds the wait. If the deadline passes first, this process was frozen.
  enter(turn, flight, step, turn.policy.vaultWaitMs * 2);
  run(turn, { type: 'readVault', operation: flight.attempt, isForRefresh: true });
}

/** Starts a refresh. Every waiting caller joins it. */
export function startFlight(turn: Transition, cause: RefreshCause, wanted: string | null = null): void {
  const { state } = turn;
  const attempt = ++state.attempts;
  const { tokenNumber } = state;
  const resource = cause === 'resource' ? wanted : null;
  state.wanted = null;
  observe(turn, { type: 'refresh.started', attempt, cause });
  for (const { caller } of state.waiting) observe(turn, { type: 'refresh.joined', attempt, caller });
  lock(turn, { attempt, cause, tokenNumber, resource, startedAt: turn.now, hasNonce: false, isUserActive: false }, 0);
}

/**
 * Waits for one of the locks. A tab that has waited for the first lock in vain goes on to the second, and so on. So a
 * slow or frozen holder costs one more refresh, and not one more in every tab that waits.
 */
function lock(turn: Transition, flight: Omit<Flight, 'step' | 'deadline'>, level: number): void {
  const { lockWaitMs, responseDeadlineMs } = turn.policy;
  // The second refresh begins soon. The third one begins when the first and the second have had time for their answers.
  const waitMs = level ? responseDeadlineMs : lockWaitMs;
  // The port bounds the wait. The deadline is for a port that never answers, and for a device that slept.
  enter(turn, flight, { kind: 'locking', level }, waitMs * 2);
  run(turn, { type: 'acquireLock', attempt: flight.attempt, waitMs, level });
}

/** The lock was acquired, or not. Without any lock the refresh goes ahead, because the server makes that safe. */
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

/** The vault was read for this flight: before the request, or again after a rejection or a 429. */
export function onFlightVaultRead(turn: Transition, flight: Flight, record: VaultRecord | null): void {
  const held = activePhase(turn);
  if (!held) return endFlight(turn);
  knowStore(turn);
  const news = isOver(turn, record) ? null : readable(turn, record);
  if (news && !news.session) return adopt(turn, news);
  if (flight.step.kind === 'reading') return sendOrAdopt(turn, flight, held, record);
  if (flight.step.kind !== 'rereading') return;
  const { version, answer } = flight.step;
  // Another tab was faster, and the answer is about the token that it replaced. That tab has not extended the session.
  if (news && news.version !== version) {
    if (flight.cause === 'extend') turn.state.wanted = 'extend';
    return adoptAndLand(turn, flight, news);
  }
  if (answer.kind === 'transient') return failFlight(turn, flight, answer);
  const { successor } = answer;
  // Another session took this one's place on this device, and the browser holds the other session's cookie: go on with
  // that session, and not with its tombstones for earlier ones. The allowance limits how often.
  if (successor && successor !== held.stored.sid)
    return refreshAllowedInMs(turn) > 0
      ? failFlight(turn, flight, MISMATCH)
      : send(
          turn,
          flight,
          held,
          { ...held.stored, startedAtMs: turn.now.wallMs, sid: successor, access: null },
          version,
        );
  observe(turn, { type: 'refresh.rejected', attempt: flight.attempt, reason: answer.reason });
  requireReauthentication(turn, held.stored, answer.reason);
}

function sendOrAdopt(turn: Transition, flight: Flight, held: Active, record: VaultRecord | null): void {
  const session = record?.session;
  // The stored record is older than this tab's session. The cookie is current.
  if (turn.state.unwritten) return send(turn, flight, held, held.stored, turn.state.version);
  // The vault was emptied from outside, or its record cannot be opened any more. A cookie is still there. A refresh
  // token in memory may be spent, so it is not sent.
  if (!session || !canRefresh(turn, session))
    return turn.config.hasCookie
      ? send(turn, flight, held, held.stored, record?.version ?? 0)
      : requireReauthentication(turn, held.stored, 'storage-lost');
  if (isDone(turn, flight, held, session)) adoptAndLand(turn, flight, record);
  else send(turn, flight, held, session, record.version);
}

/** True if no request is needed: another tab refreshed while this one waited or slept, or another session is stored. */
function isDone(turn: Transition, flight: Flight, held: Active, session: StoredSession): boolean {
  const isAnother = session.sid !== held.stored.sid || session.sub !== held.stored.sub;
  const { access } = holdStored(session, 'verified', turn.now);
  const isToBeReplaced = flight.tokenNumber === turn.state.tokenNumber;
  const isRefused = (held.isRefused || isToBeReplaced) && access?.value === held.access?.value;
  const isFresh = access !== null && freshMs(turn, access) > 0;
  return isAnother || (isFresh && !isRefused && flight.cause !== 'extend' && !flight.resource);
}

/** Adopts another tab's record. A refresh that still waits for a lock ends if it would adopt that record. */
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

function send(turn: Transition, flight: Flight, held: Active, stored: StoredSession, version: number): void {
  const { state, now, policy, config } = turn;
  const { attempt } = flight;
  // The user may have asked to extend the session since this refresh began.
  const cause = (!flight.resource && state.wanted) || flight.cause;
  const isUserActive = config.isUserActive || state.isUserActive || flight.isUserActive;
  if (cause === 'extend') state.wanted = null;
  payForRefresh(turn);
  state.isUserActive = false;
  state.phase = { ...held, stored };
  state.version = version;
  const step: FlightStep = { kind: 'requesting', sentAt: now, version, sent: stored.refreshToken };
  // If nothing answers, a try that began just before the end of the outage lasts until its deadline: shorten every
  // second try. A server that is slow and answers needs the whole time.
  const patience = state.failures % 2 ? SHORTER_PATIENCE : 1;
  enter(turn, { ...flight, cause, isUserActive }, step, policy.responseDeadlineMs * patience);
  const isExtension = cause === 'extend';
  run(turn, { type: 'sendRefresh', attempt, session: stored, isUserActive, isExtension, resource: flight.resource });
  observe(turn, { type: 'refresh.sent', attempt, isUserActive });
}

/** The token endpoint answered. */
export function onAnswered(turn: Transition, { attempt, answer }: Event<'refreshAnswered'>): void {
  const { flight } = turn.state;
  const held = activePhase(turn);
  if (!held || flight?.attempt !== attempt || flight.step.kind !== 'requesting') return;
  if (answer.kind !== 'transient' || !OUT_OF_REACH.includes(answer.cause)) turn.state.isOffline = false;
  const { version } = flight.step;
  if (answer.kind === 'tokens') commit(turn, flight, flight.step, held.stored, answer.tokens);
  else if (answer.kind === 'rejected' || answer.cause === 'rate-limited')
    read(turn, flight, { kind: 'rereading', version, answer });
  // The answer carries the nonce. Read the vault again, as before every use of its token.
  else if (answer.cause === 'nonce-required' && !flight.hasNonce)
    read(turn, { ...flight, hasNonce: true }, { kind: 'reading' });
  else failFlight(turn, flight, answer);
}

/** True if both values are present and differ. Servers, or an app's own reader, may leave a value out. */
const differs = (a: string | null, b: string | null): boolean => Boolean(a && b) && a !== b;

function commit(
  turn: Transition,
  flight: Flight,
  { sentAt, version, sent }: Extract<FlightStep, { kind: 'requesting' }>,
  stored: StoredSession,
  tokens: Tokens,
): void {
  if (differs(tokens.sid, stored.sid) || differs(tokens.sub, stored.sub)) return failFlight(turn, flight, MISMATCH);
  const answered = holdTokens(tokens, stored, sentAt);
  // A token for a resource never replaces the ordinary one. The refresh token may be new all the same.
  const held = flight.resource
    ? holdStored({ ...answered.stored, access: stored.access }, 'verified', sentAt)
    : answered;
  // The server has received the report of user activity.
  enter(
    turn,
    { ...flight, isUserActive: false },
    { kind: 'committing', held, access: answered.access, version, sent },
    turn.policy.vaultWaitMs,
  );
  writeVault(turn, flight.attempt, version, held.stored);
}

/** A token answer as a session. Lifetimes count from the sending of the request: the server's clock started later. */
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

/** The answer was written, or its compare-and-swap lost to an earlier write. */
export function onFlightVaultWritten(
  turn: Transition,
  flight: Flight,
  isReplaced: boolean,
  record: VaultRecord | null,
): void {
  if (flight.step.kind !== 'committing') return;
  knowStore(turn);
  const { held, sent } = flight.step;
  const version = record?.version ?? 0;
  const news = isOver(turn, record) ? null : readable(turn, record);
  // The vault still holds the token that this flight spent, from a late write of this tab or from a tab that was
  // answered without a new token. The answer at hand replaces it.
  const isSpent = sent !== null && record?.session?.refreshToken === sent && held.stored.refreshToken !== sent;
  if (isReplaced) land(turn, flight, flight.step, version);
  else if (news && !isSpent) adoptAndLand(turn, flight, news);
  // The vault was emptied or damaged since the read, or its record is spent or over: the server's answer is newer.
  else writeVault(turn, flight.attempt, version, held.stored);
}

/** Makes the answer this tab's session. Returns true if the refresh token is new. */
function land(turn: Transition, flight: Flight, { held, access }: Committing, version: number): boolean {
  const isRotated = activePhase(turn)?.stored.refreshToken !== held.stored.refreshToken;
  const durationMs = turn.now.monotonicMs - flight.startedAt.monotonicMs;
  endFlight(turn);
  hold(turn, held, version, true, !flight.resource);
  if (flight.resource && access) turn.state.resourceTokens = { [flight.resource]: access };
  observe(turn, { type: 'refresh.succeeded', attempt: flight.attempt, durationMs, isRotated });
  if (isStoreKnown(turn)) settleWaiters(turn);
  return isRotated;
}

/** The server, the vault or the lock did not answer: the session stays, and the refresh goes on or is retried later. */
export function onFlightUnavailable(turn: Transition, attempt: number, cause: FailureCause): void {
  const { flight, version } = turn.state;
  if (flight?.attempt !== attempt) return;
  const { step } = flight;
  // The lock's port never answered, or the device slept: go ahead.
  if (step.kind === 'locking') onLockSettled(turn, { attempt, isHeld: true });
  else if (step.kind === 'committing') {
    // Another tab's session was adopted meanwhile. A later write would overwrite it, perhaps with a spent token.
    if (step.version !== version) return endFlight(turn);
    // The tokens are valid. Write a new refresh token before its next use, because the refresh sends the vault's copy.
    // An access token alone may be lost: storage that stays full must not block a session whose refresh token is in a
    // cookie or bound to a key.
    const { unwritten } = turn.state;
    const isRotated = land(turn, flight, step, version);
    if (isRotated || unwritten) writeLater(turn, step.held.stored, unwritten);
    else observe(turn, { type: 'vault.unavailable' });
  } else if (cause === 'vault-unavailable' && turn.config.hasCookie)
    // The browser keeps the cookie: go on as if the stored session could not be opened.
    onFlightVaultRead(turn, flight, { version, session: null, endedReason: 'storage-lost' });
  else failFlight(turn, flight, { cause: step.kind === 'requesting' ? cause : 'vault-unavailable' });
}

/** Refusals that last this long put the session in doubt. The shorter time holds while no access token is usable. */
const DOUBTFUL_MS = 60_000;
const DOUBTFUL_WITHOUT_TOKEN_MS = 5_000;

function failFlight(turn: Transition, flight: Flight, { cause, retryAfterMs = null, words }: Failure): void {
  const { state, now, policy, random } = turn;
  const held = activePhase(turn);
  const isOutOfReach = OUT_OF_REACH.includes(cause);
  // The first failure of an outage: the next answer of any server may mean that it is over.
  if (state.failures === 0) state.isUnreached = true;
  const own = backOff(turn, isOutOfReach);
  // For example `invalid_target`: no retry cures it, and the session has its ordinary token.
  if (words && flight.resource) failWaiters(turn, 'misconfigured', ({ resource }) => resource === flight.resource);
  else if (words) {
    const sinceMs = state.refusal?.sinceMs ?? now.monotonicMs;
    const doubtfulMs = held && usableAccess(held, now) ? DOUBTFUL_MS : DOUBTFUL_WITHOUT_TOKEN_MS;
    state.refusal = { sinceMs, words, isDoubtful: now.monotonicMs - sinceMs >= doubtfulMs };
  }
  const isServerAsked = retryAfterMs !== null;
  const ms = isServerAsked ? Math.min(retryAfterMs, policy.retryAfterCapMs) + policy.backoffBaseMs * random : own.ms;
  // If nothing answered, the wait for the answer counts as part of the back-off.
  const waitedMs = isOutOfReach ? now.monotonicMs - flight.startedAt.monotonicMs : 0;
  const parkedMs = isServerAsked || words ? ms : Math.max(0, own.parkedMs - waitedMs);
  if (held && (isOutOfReach || cause === 'server-error')) state.phase = { ...held, freshness: 'offline' };
  state.backoff = { until: after(now, ms), parkedUntil: after(now, parkedMs), isServerAsked };
  // Keep a request that came meanwhile: the user may have asked to extend.
  if (flight.cause === 'extend' || flight.cause === 'refused') state.wanted ??= flight.cause;
  endFlight(turn);
  observe(turn, { type: 'refresh.failed', attempt: flight.attempt, cause, retryInMs: refreshAllowedInMs(turn) });
}
