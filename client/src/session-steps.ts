import type { HoldfastErrorCode } from './errors.ts';
import { after, untilBoth, untilEither, type Instant } from './instant.ts';
import type { SessionPolicy } from './policy.ts';
import type { AccessToken, SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type {
  Effect,
  Freshness,
  Held,
  MachineConfig,
  Observation,
  Phase,
  SessionState,
  Step,
} from './session-state.ts';
import type { RejectionReason } from './wire.ts';

/** What every step of the machine is given besides the state: the moment and the rules. */
export type Context = { readonly config: MachineConfig; readonly policy: SessionPolicy; readonly now: Instant };

/** Does `next` after `step`, keeping the effects of both in order. */
export function andThen(step: Step, next: (state: SessionState) => Step): Step {
  const [state, effects] = next(step[0]);
  return [state, [...step[1], ...effects]];
}

/** An effect for people who watch. */
export const observe = (observation: Observation): Effect => ({ type: 'observe', observation });

/** Whether `access` can be sent: not refused, and at least one clock says that it has not expired. */
export const isUsable = (held: Held, now: Instant): boolean =>
  held.access !== null && !held.isRefused && untilBoth(held.access.expiresAt, now) > 0;

/** How long before its expiry a token is refreshed in this tab, in ms. */
export function refreshMarginMs(access: AccessToken, jitter: number, policy: SessionPolicy): number {
  const margin = Math.min(policy.refreshMarginMs, access.lifetimeMs * policy.refreshMarginRatio);
  return margin * (1 - policy.refreshMarginJitter * jitter);
}

/** An access token as the vault keeps it: the wall clock is the only one that two tabs share. */
export const toStoredAccess = (access: AccessToken): NonNullable<StoredSession['access']> => ({
  value: access.value,
  tokenType: access.tokenType,
  expiresAtMs: access.expiresAt.wallMs,
  lifetimeMs: access.lifetimeMs,
});

/** A stored session as this tab holds it. What is left of a life is never longer than the life: a clock may have been set back. */
export function holdStored(stored: StoredSession, freshness: Freshness, now: Instant): Held {
  const { access } = stored;
  const leftMs = access === null ? 0 : Math.min(access.expiresAtMs - now.wallMs, access.lifetimeMs);
  return {
    stored,
    access:
      access === null
        ? null
        : {
            value: access.value,
            tokenType: access.tokenType,
            lifetimeMs: access.lifetimeMs,
            expiresAt: after(now, leftMs),
          },
    isRefused: false,
    freshness,
    endsAt: stored.expiresAtMs === null ? null : after(now, stored.expiresAtMs - now.wallMs),
    warningsGiven: 0,
  };
}

/** Fails the waiters that `isMeant` picks. */
export function failWaiters(
  state: SessionState,
  code: HoldfastErrorCode,
  isMeant: (waiter: SessionState['waiting'][number]) => boolean = () => true,
): Step {
  const failed = state.waiting.filter(isMeant);
  if (failed.length === 0) return [state, []];
  return [
    { ...state, waiting: state.waiting.filter((waiter) => !isMeant(waiter)) },
    failed.flatMap(({ caller }): Effect[] => [
      { type: 'settle', caller, settlement: { ok: false, code } },
      observe({ type: 'request.failed', caller, code }),
    ]),
  ];
}

/** Hands the access token to every waiter that it helps, whatever is left of its life: only the server can say that it is too old. */
export function settleWaiters(state: SessionState): Step {
  const { phase, generation } = state;
  if (phase.kind !== 'active' || phase.access === null || phase.isRefused) return [state, []];
  const { access } = phase;
  const helped = state.waiting.filter((waiter) => waiter.newerThan < generation);
  if (helped.length === 0) return [state, []];
  return [
    { ...state, waiting: state.waiting.filter((waiter) => waiter.newerThan >= generation) },
    helped.flatMap(({ caller }): Effect[] => [
      { type: 'settle', caller, settlement: { ok: true, access, generation } },
      observe({ type: 'request.released', caller }),
    ]),
  ];
}

/** Ends the flight. The lock goes with it, and an exchange that is still out is aborted: nobody would use its answer. */
export function endFlight(state: SessionState): Step {
  const { flight } = state;
  if (flight === null) return [state, []];
  const { attempt } = flight;
  const abort: readonly Effect[] = flight.step.kind === 'requesting' ? [{ type: 'abortRefresh', attempt }] : [];
  return [{ ...state, flight: null }, [...abort, { type: 'releaseLock', attempt }]];
}

/**
 * Makes `held` the session of this tab. What was parked for another user is failed, never sent. A token that the server
 * has just handed out counts as new even if it reads the same.
 */
export function hold(state: SessionState, held: Held, stamp: number, isAnswer: boolean): Step {
  const before = state.phase.kind === 'active' ? state.phase : null;
  const isSameToken = !isAnswer && before !== null && before.access?.value === held.access?.value;
  const phase: Phase = {
    kind: 'active',
    ...held,
    isRefused: isSameToken && before.isRefused,
    warningsGiven: isSameToken ? before.warningsGiven : held.warningsGiven,
  };
  const { sub } = held.stored;
  const next = { ...state, phase, stamp, generation: isSameToken ? state.generation : state.generation + 1 };
  return failWaiters(next, 'user-changed', (waiter) => waiter.sub !== null && sub !== null && waiter.sub !== sub);
}

/** Takes over what another tab stored. */
export function adopt(state: SessionState, record: VaultRecord, freshness: Freshness, { now }: Context): Step {
  if (record.session === null) return leave(state, record.endedReason ?? 'user', record.stamp);
  const { session, stamp } = record;
  return andThen(hold(state, holdStored(session, freshness, now), stamp, false), (next) => [
    next,
    [observe({ type: 'session.adopted' })],
  ]);
}

/** Signs out in this tab without writing to the vault: somebody else already did, or the caller does. */
export function leave(state: SessionState, reason: SignedOutReason, stamp: number): Step {
  const phase: Phase = { kind: 'signed-out', reason };
  const gone = { ...state, phase, stamp, storing: null, backoff: null, failures: 0, wanted: null };
  const observed: readonly Effect[] =
    state.phase.kind === 'signed-out' ? [] : [observe({ type: 'signed-out', reason })];
  return andThen(
    andThen(endFlight(gone), (next) => failWaiters(next, 'signed-out')),
    (next) => [next, observed],
  );
}

/** Signs out here and leaves a tombstone, so that the other tabs know and no late answer brings the session back. */
export function signOut(state: SessionState, reason: SignedOutReason): Step {
  const operation = state.next;
  return andThen(leave({ ...state, next: operation + 1 }, reason, state.stamp), (next) => [
    next,
    [{ type: 'writeVault', operation, expectedStamp: null, session: null, endedReason: reason }, { type: 'announce' }],
  ]);
}

/** The server has ended the session, or it was lost: asks for one authentication before it gives up. */
export function requireReauthentication(
  state: SessionState,
  stored: StoredSession,
  reason: RejectionReason | 'storage-lost',
  { config }: Context,
): Step {
  const [stage, ...laterStages] = config.stages;
  if (stage === undefined) return signOut(state, reason === 'storage-lost' ? 'expired' : reason);
  const phase: Phase = { kind: 'reauth-required', stored, reason, stage, laterStages };
  const next = { ...state, phase, backoff: null, failures: 0, wanted: null };
  return andThen(endFlight(next), (ended) => [ended, [observe({ type: 'reauthentication.required', stage, reason })]]);
}

/** How full the bucket of refreshes is now. */
export function refreshTokensLeft(state: SessionState, { now, policy }: Context): number {
  const refilled = (now.monotonicMs - state.bucket.atMonotonicMs) / policy.refreshRefillMs;
  return Math.min(policy.refreshBurst, state.bucket.tokens + Math.max(0, refilled));
}

/** Milliseconds until a refresh may start: 0 now, more while backing off or over the cap. */
export function refreshAllowedInMs(state: SessionState, context: Context): number {
  const { now, policy } = context;
  const backoffMs = state.backoff === null ? 0 : Math.max(0, untilEither(state.backoff.until, now));
  const missing = Math.max(0, 1 - refreshTokensLeft(state, context));
  return Math.max(backoffMs, Math.ceil(missing * policy.refreshRefillMs));
}
