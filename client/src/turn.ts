import type { HoldfastErrorCode } from './errors.ts';
import { after, untilBoth, untilEither, type Instant } from './instant.ts';
import type { SessionPolicy } from './policy.ts';
import type { AccessToken, SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type {
  Active,
  Chain,
  Effect,
  Ending,
  Freshness,
  Held,
  MachineConfig,
  Observation,
  ReauthenticationReason,
  ReauthenticationStage,
  SessionState,
  Waiter,
} from './session-state.ts';

/**
 * One turn of the machine: a copy of the state that this turn may change, and the effects it has asked for so far. Nested
 * values are never changed, only replaced, so the state before the turn stays what it was.
 */
export type Turn = {
  readonly state: { -readonly [Field in keyof SessionState]: SessionState[Field] };
  readonly effects: Effect[];
  readonly now: Instant;
  readonly policy: SessionPolicy;
  readonly config: MachineConfig;
};

export const run = (turn: Turn, effect: Effect): void => void turn.effects.push(effect);

/** For people who watch. */
export const observe = (turn: Turn, observation: Observation): void => run(turn, { type: 'observe', observation });

/** A number for an operation outside a refresh, which ends in one event. */
export const takeNumber = ({ state }: Turn): number => -++state.operations;

export const activePhase = ({ state }: Turn): Active | null => (state.phase.kind === 'active' ? state.phase : null);

/** Whether the token can be sent: not refused, and at least one clock says that it has not expired. */
export const isUsable = (held: Held, now: Instant): boolean =>
  held.access !== null && !held.isRefused && untilBoth(held.access.expiresAt, now) > 0;

/** Without a refresh token (RFC 6749 §1.5: optional) a session is as long as its access token. */
export const canRefresh = ({ config }: Turn, stored: StoredSession): boolean =>
  config.wire.delivery === 'cookie' || stored.refreshToken !== null;

/** How long before its expiry a token is refreshed in this tab, in ms. */
export function refreshMarginMs(access: AccessToken, jitter: number, policy: SessionPolicy): number {
  const margin = Math.min(policy.refreshMarginMs, access.lifetimeMs * policy.refreshMarginRatio);
  return margin * (1 - policy.refreshMarginJitter * jitter);
}

/** Whether the token need not be refreshed yet. */
export const isFresh = (access: AccessToken, { state, now, policy }: Turn): boolean =>
  untilEither(access.expiresAt, now) > refreshMarginMs(access, state.jitter, policy);

/** Lifetimes come in whole seconds. */
const ONE_MOMENT_MS = 2_000;

/** Whether two times of the wall clock mean the same end; `null` means none. */
export const isSameMoment = (aMs: number | null, bMs: number | null): boolean =>
  aMs !== null && bMs !== null && Math.abs(aMs - bMs) < ONE_MOMENT_MS;

/**
 * A stored session as this tab holds it. The wall clock is the only one that two tabs share; what is left of a life is never
 * longer than the life, for the clock may have been set back.
 */
export function holdStored(stored: StoredSession, freshness: Freshness, now: Instant): Held {
  const { access, expiresAtMs } = stored;
  const inMs = (wallMs: number): Instant => after(now, wallMs - now.wallMs);
  return {
    stored,
    access: access && {
      ...access,
      expiresAt: inMs(Math.min(access.expiresAtMs, now.wallMs + access.lifetimeMs)),
    },
    isRefused: false,
    isFinal: access !== null && isSameMoment(access.expiresAtMs, expiresAtMs),
    isProbe: false,
    freshness,
    endsAt: expiresAtMs === null ? null : inMs(expiresAtMs),
    warningsGiven: 0,
  };
}

/** Takes the waiters that `isMeant` picks out of the queue. */
function takeWaiters({ state }: Turn, isMeant: (waiter: Waiter) => boolean): readonly Waiter[] {
  const taken = state.waiting.filter(isMeant);
  if (taken.length > 0) state.waiting = state.waiting.filter((waiter) => !isMeant(waiter));
  return taken;
}

/** Fails the waiters that `isMeant` picks. */
export function failWaiters(
  turn: Turn,
  code: HoldfastErrorCode,
  isMeant: (waiter: Waiter) => boolean = () => true,
): void {
  for (const { caller } of takeWaiters(turn, isMeant)) {
    run(turn, { type: 'settle', caller, settlement: { ok: false, code } });
    observe(turn, { type: 'request.failed', caller, code });
  }
}

/**
 * Hands the access token to every waiter that it helps, whatever is left of its life: only the server can say that it is
 * too old. A sign-in helps everybody.
 */
export function settleWaiters(turn: Turn, isSignIn = false): void {
  const held = activePhase(turn);
  const { generation, owner } = turn.state;
  if (!held?.access || held.isRefused) return;
  for (const { caller } of takeWaiters(turn, (waiter) => isSignIn || waiter.newerThan < generation)) {
    run(turn, { type: 'settle', caller, settlement: { ok: true, access: held.access, generation, owner } });
    observe(turn, { type: 'request.released', caller });
  }
}

/** Ends the flight. The lock goes with it, and an exchange that is still out is aborted: nobody would use its answer. */
export function endFlight(turn: Turn): void {
  const { flight } = turn.state;
  if (!flight) return;
  turn.state.flight = null;
  if (flight.step.kind === 'requesting') run(turn, { type: 'abortRefresh', attempt: flight.attempt });
  run(turn, { type: 'releaseLock', attempt: flight.attempt });
}

/** Nothing has failed, nothing is asked for. */
export function settleDown({ state }: Turn): void {
  state.backoff = null;
  state.failures = 0;
  state.wanted = null;
}

const isSameUser = (a: StoredSession, b: StoredSession): boolean =>
  (a.sid !== null && a.sid === b.sid) || (a.sub !== null && a.sub === b.sub);

/**
 * Makes `held` the session of this tab. `isAnswer`: the server has just handed it out for the session that was there, so
 * it is the same user's and its token is new even if it reads the same.
 */
export function hold(turn: Turn, held: Held, stamp: number, isAnswer: boolean): void {
  const { state } = turn;
  const { phase } = state;
  const before = activePhase(turn);
  const isSameToken = !isAnswer && before !== null && before.access?.value === held.access?.value;
  const isSameSession = isAnswer || (before !== null && before.stored.sid === held.stored.sid);
  if (!isAnswer && 'stored' in phase && !isSameUser(phase.stored, held.stored)) changeOwner(turn, 'user-changed');
  if (!isSameSession) endFlight(turn);
  state.phase = {
    kind: 'active',
    stepUp: isSameSession ? (before?.stepUp ?? null) : null,
    ...held,
    ...(isSameToken ? { isRefused: before.isRefused, warningsGiven: before.warningsGiven } : {}),
  };
  state.stamp = stamp;
  state.unsaved = null;
  if (!isSameToken) state.generation++;
  // A new session of the same user began with an authentication: that is what a step-up waits for.
  if (before !== null && !isSameSession) settleWaiters(turn, true);
}

/** Somebody else may be signed in from here on: what the one before had parked fails, and is never sent. */
function changeOwner(turn: Turn, code: HoldfastErrorCode): void {
  turn.state.owner++;
  failWaiters(turn, code);
}

/**
 * Whether a tombstone, or a vault that was emptied, says nothing of this tab's session: one that was never stored cannot have
 * been buried by somebody who knew only what was, nor been lost with it.
 */
export const isSurvivor = ({ state }: Turn, record: VaultRecord | null): boolean =>
  state.unsaved === 'session' && !record?.session;

/** Takes over what is stored: another tab's session, or the news that it has ended. */
export function adopt(turn: Turn, record: VaultRecord, freshness: Freshness): void {
  if (isSurvivor(turn, record)) {
    turn.state.stamp = record.stamp;
    return;
  }
  if (!record.session) return leave(turn, record.endedReason ?? 'user', record.stamp);
  hold(turn, holdStored(record.session, freshness, turn.now), record.stamp, false);
  observe(turn, { type: 'session.adopted', from: freshness === 'restored' ? 'storage' : 'another-tab' });
}

/** Signs out in this tab without writing to the vault: somebody else already did, or the caller does. */
export function leave(turn: Turn, reason: SignedOutReason, stamp: number): void {
  const { state } = turn;
  const isNews = state.phase.kind !== 'signed-out' && reason !== 'never-signed-in';
  if (isNews) observe(turn, { type: 'signed-out', reason });
  state.phase = { kind: 'signed-out', reason };
  state.stamp = stamp;
  state.storing = null;
  // What is being read was asked for before: it must not bring the session back.
  state.syncing = null;
  state.unsaved = null;
  settleDown(turn);
  endFlight(turn);
  changeOwner(turn, 'signed-out');
}

/** Signs out here and leaves a tombstone, so that the other tabs know and no late answer brings the session back. */
export function signOut(turn: Turn, reason: SignedOutReason): void {
  const { phase, stamp } = turn.state;
  const sid = 'stored' in phase ? phase.stored.sid : null;
  leave(turn, reason, stamp);
  writeTombstone(turn, { reason, sid, expectedStamp: stamp });
}

/**
 * Writes the tombstone by compare-and-swap on what this tab knew: it buries the session that was signed out of, not one that
 * somebody began in another tab meanwhile.
 */
export function writeTombstone(
  turn: Turn,
  { reason, sid, expectedStamp }: Pick<Ending, 'reason' | 'sid' | 'expectedStamp'>,
): void {
  const operation = takeNumber(turn);
  turn.state.ending = { operation, reason, sid, expectedStamp, retryAt: null };
  run(turn, { type: 'writeVault', operation, expectedStamp, session: null, endedReason: reason });
  run(turn, { type: 'announce' });
}

/** Goes to the next stage of a chain, and starts it if it starts by itself. `null`: there is none left. */
export function nextStage(
  turn: Turn,
  stages: readonly ReauthenticationStage[],
  failed: Chain['failed'],
  reason: ReauthenticationReason | 'step-up',
): Chain | null {
  const [stage, ...laterStages] = stages;
  if (!stage) return null;
  observe(turn, { type: 'reauthentication.required', stage, reason });
  if (turn.config.automaticStages.includes(stage)) run(turn, { type: 'reauthenticate', stage });
  return { stage, laterStages, failed };
}

/** The server has ended the session, or it was lost: asks for one authentication before it gives up. */
export function requireReauthentication(turn: Turn, stored: StoredSession, reason: ReauthenticationReason): void {
  // Nobody was ever shown a session: there was none.
  if (activePhase(turn)?.isProbe) return leave(turn, 'never-signed-in', turn.state.stamp);
  const chain = nextStage(turn, turn.config.stages, [], reason);
  if (!chain) return signOut(turn, reason === 'storage-lost' ? 'expired' : reason);
  turn.state.phase = { kind: 'reauth-required', stored, reason, ...chain };
  settleDown(turn);
  endFlight(turn);
}

/** How full the bucket of refreshes is now. */
export function refreshesLeft({ state, now, policy }: Turn): number {
  const refilled = (now.monotonicMs - state.bucket.atMonotonicMs) / policy.refreshRefillMs;
  return Math.min(policy.refreshBurst, state.bucket.tokens + Math.max(0, refilled));
}

/** Milliseconds until a refresh may start: 0 now, more while backing off or over the cap. */
export function refreshAllowedInMs(turn: Turn): number {
  const { state, now, policy } = turn;
  const backoffMs = state.backoff ? untilEither(state.backoff.until, now) : 0;
  return Math.max(0, backoffMs, Math.ceil((1 - refreshesLeft(turn)) * policy.refreshRefillMs));
}
