import type { HoldfastErrorCode } from './errors.ts';
import { after, untilBoth, untilEither, type Instant } from './instant.ts';
import { backOff } from './refresh-budget.ts';
import type { SessionPolicy } from './policy.ts';
import type { AccessToken, SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type {
  Active,
  Chain,
  Effect,
  Freshness,
  Held,
  MachineConfig,
  Observation,
  Phase,
  ReauthenticationReason,
  ReauthenticationStage,
  RevocationExtent,
  SessionState,
  StepUp,
  Unwritten,
  Waiter,
} from './state.ts';

/**
 * One turn of the machine: a copy of the state that this turn may change, and the effects it has asked for so far. Nested
 * values are never changed, only replaced, so the state before the turn stays what it was.
 */
export type Turn = {
  readonly state: { -readonly [Field in keyof SessionState]: SessionState[Field] };
  readonly effects: Effect[];
  readonly now: Instant;
  /** In [0, 1): the event's own, or this tab's jitter. */
  readonly random: number;
  readonly policy: SessionPolicy;
  readonly config: MachineConfig;
};

export const run = (turn: Turn, effect: Effect): void => void turn.effects.push(effect);

/** For people who watch. */
export const observe = (turn: Turn, observation: Observation): void => run(turn, { type: 'observe', observation });

/** A number for an operation outside a refresh, which ends in one event. */
export const takeNumber = ({ state }: Turn): number => -++state.operations;

export function writeVault(
  turn: Turn,
  operation: number,
  stamp: number,
  session: StoredSession | null,
  endedReason: SignedOutReason | null = null,
  endedAtMs: number | null = null,
): void {
  run(turn, { type: 'writeVault', operation, stamp, next: { session, endedReason, endedAtMs } });
}

export const activePhase = ({ state }: Turn): Active | null => (state.phase.kind === 'active' ? state.phase : null);

/** The id of the session, if there is one and its server has named it. */
export const sidOf = (of: Phase | Held): string | null => ('stored' in of ? of.stored.sid : null);

/** The token if it can be sent: not refused, and at least one clock says that it has not expired. */
export const usableAccess = ({ access, isRefused }: Held, now: Instant): AccessToken | null =>
  access && !isRefused && untilBoth(access.expiresAt, now) > 0 ? access : null;

/** Without a refresh token (RFC 6749 §1.5: optional) a session is as long as its access token. */
export const canRefresh = ({ config }: Pick<Turn, 'config'>, { refreshToken }: StoredSession): boolean =>
  config.delivery === 'cookie' || refreshToken !== null;

/** For how long the token need not be refreshed in this tab, in ms; 0 or less: it should be by now. */
export function freshMs({ state, now, policy }: Pick<Turn, 'state' | 'now' | 'policy'>, access: AccessToken): number {
  const marginMs = Math.min(policy.refreshMarginMs, access.lifetimeMs * policy.refreshMarginRatio);
  return untilEither(access.expiresAt, now) - marginMs * (1 - policy.refreshMarginJitter * state.jitter);
}

/** Lifetimes come in whole seconds. */
const ONE_MOMENT_MS = 2_000;

/** Whether two times of the wall clock mean the same end; `null` means none. */
export const isSameMoment = (aMs: number | null, bMs: number | null): boolean =>
  Math.abs((aMs ?? NaN) - (bMs ?? NaN)) < ONE_MOMENT_MS;

/** A session of which nothing is known yet. */
export const nothingStored = (scope: string | null, startedAtMs: number): StoredSession => ({
  sid: null,
  sub: null,
  refreshToken: null,
  scope,
  startedAtMs,
  expiresAtMs: null,
  access: null,
});

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
    isFinal: isSameMoment(access && access.expiresAtMs, expiresAtMs),
    probe: null,
    freshness,
    endsAt: expiresAtMs === null ? null : inMs(expiresAtMs),
    warningsGiven: 0,
  };
}

/** Takes the waiters that `isMeant` picks out of the queue. */
export function takeWaiters({ state }: Turn, isMeant: (waiter: Waiter) => boolean): readonly Waiter[] {
  const all = [...state.asking, ...state.waiting];
  const isLeft = (waiter: Waiter): boolean => !isMeant(waiter);
  state.asking = state.asking.filter(isLeft);
  state.waiting = state.waiting.filter(isLeft);
  return all.filter(isMeant);
}

/** A usable token for one caller. */
export function grant(turn: Turn, { caller, resource }: Waiter, access: AccessToken): void {
  const { generation, owner } = turn.state;
  run(turn, { type: 'settle', caller, settlement: { access, generation, owner, resource } });
}

/** No token for one caller: its request is not sent. */
export function refuse(turn: Turn, caller: number, code: HoldfastErrorCode): void {
  run(turn, { type: 'settle', caller, settlement: code });
  observe(turn, { type: 'request.failed', caller, code });
}

/** Fails the waiters that `isMeant` picks. Default: all. */
export function failWaiters(
  turn: Turn,
  code: HoldfastErrorCode,
  isMeant: (waiter: Waiter) => boolean = () => true,
): void {
  for (const { caller } of takeWaiters(turn, isMeant)) refuse(turn, caller, code);
}

/**
 * Hands the access token to every waiter that it helps, whatever is left of its life: only the server can say that it is
 * too old. A sign-in helps everybody, but for those who wait for a network.
 */
export function settleWaiters(turn: Turn, isSignIn = false): void {
  const held = activePhase(turn);
  const { generation, isOffline, resourceTokens } = turn.state;
  if (!held?.access || held.isRefused) return;
  const { access } = held;
  const accessFor = ({ resource }: Waiter): AccessToken | undefined => (resource ? resourceTokens[resource] : access);
  const isHelped = (waiter: Waiter): boolean =>
    Boolean(accessFor(waiter)) && (isSignIn || waiter.newerThan < generation) && !(waiter.isForNetwork && isOffline);
  for (const waiter of takeWaiters(turn, isHelped)) {
    grant(turn, waiter, accessFor(waiter) as AccessToken);
    observe(turn, { type: 'request.released', caller: waiter.caller });
  }
}

/** Ends the flight, and whatever it still does: nobody would use its answer. */
export function endFlight(turn: Turn): void {
  const { flight } = turn.state;
  if (!flight) return;
  turn.state.flight = null;
  turn.state.isUserActive ||= flight.isUserActive;
  run(turn, { type: 'endRefresh', attempt: flight.attempt });
}

/** Nothing has failed. */
function settleDown({ state }: Turn): void {
  state.backoff = null;
  state.failures = 0;
  state.isUnreached = false;
  state.refusal = null;
  state.resourceTokens = {};
}

const isSameEnd = (a: StoredSession, b: StoredSession): boolean =>
  a.expiresAtMs === b.expiresAtMs || isSameMoment(a.expiresAtMs, b.expiresAtMs);

const isSameUser = (a: StoredSession, b: StoredSession): boolean =>
  (a.sid !== null && a.sid === b.sid) || (a.sub !== null && a.sub === b.sub);

/**
 * Makes `held` the session of this tab. `isAnswer`: the server has just handed it out for the session that was there, so
 * it is the same user's. `isRenewed`: so is its token, even if it reads the same.
 */
export function hold(turn: Turn, held: Held, stamp: number, isAnswer: boolean, isRenewed = isAnswer): void {
  const { state } = turn;
  const { phase } = state;
  const before = activePhase(turn);
  const isSameToken = !isRenewed && before !== null && before.access?.value === held.access?.value;
  const isSameSession = isAnswer || (before !== null && before.stored.sid === held.stored.sid);
  if (!isAnswer && 'stored' in phase && !isSameUser(phase.stored, held.stored)) changeOwner(turn, 'user-changed');
  if (!isSameSession) {
    endFlight(turn);
    state.chain = null;
    state.wanted = null;
  }
  state.phase = {
    kind: 'active',
    ...held,
    isRefused: isSameToken && before.isRefused,
    // Of an end that stays where it was the user has been warned.
    warningsGiven: before && isSameEnd(before.stored, held.stored) ? before.warningsGiven : 0,
  };
  state.stamp = stamp;
  state.unwritten = null;
  settleDown(turn);
  if (!isSameToken) {
    state.generation++;
    state.tokenSinceMs = turn.now.monotonicMs;
    if (state.wanted === 'refused') state.wanted = null;
    // Two tabs that happen to be close would else meet at every token, where no lock keeps them apart.
    state.jitter = (state.jitter * 997) % 1;
  }
  // A new session of the same user began with an authentication: that is what a step-up waits for.
  if ('stored' in phase && !isSameSession) settleWaiters(turn, true);
}

/** Somebody else may be signed in from here on: what the one before had parked fails, and is never sent. */
export function changeOwner(turn: Turn, code: HoldfastErrorCode): void {
  turn.state.owner++;
  failWaiters(turn, code);
}

/**
 * A record as this tab understands it. One that cannot be opened says no more than an emptied vault; nor does a tombstone that was
 * written late, for a sign-out before this tab's session began.
 */
export function readable({ state: { phase }, now }: Turn, record: VaultRecord | null): VaultRecord | null {
  // The session of a probe has no known beginning.
  const isKnown = 'stored' in phase && !('probe' in phase && phase.probe);
  const startedAtMs = isKnown ? phase.stored.startedAtMs : 0;
  const isLate = record?.session === null && startedAtMs > (record.endedAtMs ?? Infinity) && startedAtMs <= now.wallMs;
  const isLost = record?.endedReason === 'storage-lost' || record?.sid !== undefined;
  return isLate || isLost ? null : record;
}

/** Takes over what is stored: another tab's session, or the news that it has ended. */
export function adopt(turn: Turn, record: VaultRecord, freshness: Freshness = 'verified'): void {
  if (!record.session) return leave(turn, record.endedReason ?? 'user', record.stamp);
  hold(turn, holdStored(record.session, freshness, turn.now), record.stamp, false);
  observe(turn, { type: 'session.adopted', from: freshness === 'restored' ? 'storage' : 'another-tab' });
}

/** Signs out in this tab without writing to the vault: somebody else already did, or the caller does. */
export function leave(turn: Turn, reason: SignedOutReason, stamp = turn.state.stamp): void {
  const { state } = turn;
  const isNews = state.phase.kind !== 'signed-out' && reason !== 'never-signed-in';
  if (isNews) observe(turn, { type: 'signed-out', reason });
  state.phase = { kind: 'signed-out', reason };
  state.chain = null;
  state.stamp = stamp;
  // What is being read was asked for before: it must not bring the session back.
  state.syncing = null;
  state.unwritten = null;
  settleDown(turn);
  endFlight(turn);
  changeOwner(turn, 'signed-out');
}

/** Signs out here and leaves a tombstone, so that the other tabs know and no late answer brings the session back. */
export function signOut(turn: Turn, reason: SignedOutReason): void {
  // Whichever of them will be found: the session before, or the sign-in that is still being stored.
  const over = overOf(turn);
  // The clock may have been set back since one of them began.
  const endedAtMs = Math.max(turn.now.wallMs, ...leftIn(turn).map(({ startedAtMs }) => startedAtMs));
  leave(turn, reason);
  turn.state.storing = null;
  const isUsersWill = reason === 'user';
  writeRecord(turn, { session: null, reason, endedAtMs, isUsersWill, over });
}

/** What tells a session from others, also where servers name none. */
export const nameOf = ({ sid, startedAtMs }: StoredSession): string => sid ?? String(startedAtMs);

/** The sessions that the user leaves here by signing out or in, and has left before, as far as the vault does not know. */
export function overOf(turn: Turn): readonly string[] {
  const { storing, unwritten } = turn.state;
  const before = unwritten?.isUsersWill ? unwritten.over : [];
  return [...before, ...(storing?.over ?? []), ...leftIn(turn).map(nameOf)];
}

/** The sessions of this tab: the one that is shown, and the sign-in that is still being stored. */
const leftIn = ({ state: { phase, storing } }: Turn): readonly StoredSession[] =>
  [phase, storing?.held].flatMap((each) => (each && 'stored' in each ? each.stored : []));

/**
 * The order of two sign-ins, negative if `a` came first: within one device chain as the server counts them, else by this device's
 * clock. A sign-in in the future came before the clock was set back.
 */
export function orderOf({ now }: Turn, a: StoredSession, b: StoredSession): number {
  if (a.deviceId && a.deviceId === b.deviceId) return (a.deviceSequence ?? 0) - (b.deviceSequence ?? 0);
  return a.startedAtMs > now.wallMs ? -1 : a.startedAtMs - b.startedAtMs;
}

/**
 * Whether what is stored is over: the user has signed in or out here since, and what other tabs make of the sessions before does
 * not matter. A session that began here was never in the vault, so it cannot have been ended, nor lost, with what is there. And a
 * sign-out holds for what cannot be read: a cookie may be left.
 */
export function isOver(turn: Turn, record: VaultRecord | null): boolean {
  const { unwritten } = turn.state;
  if (!unwritten?.isUsersWill) return false;
  const { session, over } = unwritten;
  if (!record?.session) return session !== null || !readable(turn, record);
  const name = nameOf(record.session);
  if (session && nameOf(session) === name) return false;
  // Of two sign-ins the newer stays.
  return over.includes(name) || (session !== null && orderOf(turn, record.session, session) < 0);
}

/** Ends a session at the server whose place another one has taken. One without a name would be whichever the cookie is by now. */
export function revokeReplaced(turn: Turn, session: StoredSession, extent?: RevocationExtent): void {
  if (session.sid !== null || session.refreshToken !== null) run(turn, { type: 'revoke', session, extent });
}

/** What is written. */
export type Writing = Omit<Unwritten, 'operation' | 'retryAt'>;

/**
 * Writes by compare-and-swap on what this tab knew: a tombstone buries the session that was signed out of, not one that
 * somebody began in another tab meanwhile.
 */
export function writeRecord(turn: Turn, writing: Writing): void {
  const operation = takeNumber(turn);
  turn.state.unwritten = { ...writing, operation, retryAt: null };
  writeVault(turn, operation, turn.state.stamp, writing.session, writing.reason, writing.endedAtMs);
}

/** The vault is not available now: writes when it is. */
export function waitForVault(turn: Turn, writing: Writing): void {
  turn.state.unwritten = { ...writing, operation: null, retryAt: after(turn.now, backOff(turn).parkedMs) };
  observe(turn, { type: 'vault.unavailable' });
}

/** A session of which the vault knows nothing yet; `before`: what else it did not know. */
export function writeLater(
  turn: Turn,
  session: StoredSession,
  before: Pick<Unwritten, 'isUsersWill' | 'over'> | null,
): void {
  waitForVault(turn, { isUsersWill: false, over: [], ...before, session, reason: null, endedAtMs: null });
}

/** Asks for the first of `stages`, and starts it if it starts by itself. There may be none left: then there is no chain. */
export function askForStage(
  turn: Turn,
  [stage, ...laterStages]: readonly ReauthenticationStage[],
  failed: Chain['failed'],
  stepUp: StepUp | null,
): void {
  const { state, config } = turn;
  state.chain = stage ? { stage, laterStages, failed, stepUp } : null;
  if (!stage) return;
  const reason = state.phase.kind === 'reauth-required' ? state.phase.reason : 'step-up';
  observe(turn, { type: 'reauthentication.required', stage, reason });
  if (config.automaticStages.includes(stage)) run(turn, { type: 'reauthenticate', stage });
}

/** Another tab or process may be where the user signs in, and its news may not come: they never do between processes. */
export function lookAgain({ state, now, policy }: Turn): void {
  if (state.phase.kind === 'reauth-required') state.syncAt ??= after(now, policy.tickMs);
}

/** The server has ended the session, or it was lost: asks for one authentication before it gives up. */
export function requireReauthentication(turn: Turn, stored: StoredSession, reason: ReauthenticationReason): void {
  // No session was ever shown. The server is not asked for the lost one again; for one that was only hoped for it is.
  const probe = activePhase(turn)?.probe;
  if (probe) return probe === 'never-signed-in' ? leave(turn, probe) : signOut(turn, probe);
  turn.state.phase = { kind: 'reauth-required', stored, reason };
  lookAgain(turn);
  settleDown(turn);
  endFlight(turn);
  askForStage(turn, turn.config.stages, [], null);
  if (!turn.state.chain) signOut(turn, reason);
}
