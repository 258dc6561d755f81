import { untilEither, untilBoth, after, type Instant } from './instant.ts';
import type { AccessToken, StoredSession } from './ports.ts';
import type { Freshness, Held, Phase } from './state.ts';
import type { Transition } from './transition.ts';

// Facts about a stored session and its access token.

/** The session's `sid`, if there is a session and its server has named it. */
export const sidOf = (of: Phase | Held): string | null => ('stored' in of ? of.stored.sid : null);

/** The token if it can be sent: not refused, and at least one clock says that it has not expired. */
export const usableAccess = ({ access, isRefused }: Held, now: Instant): AccessToken | null =>
  access && !isRefused && untilBoth(access.expiresAt, now) > 0 ? access : null;

/**
 * True if the session can be renewed. Without a refresh token (RFC 6749 §1.5: optional) it lasts as long as its access
 * token.
 */
export const canRefresh = ({ config }: Pick<Transition, 'config'>, { refreshToken }: StoredSession): boolean =>
  config.hasCookie || refreshToken !== null;

/** How long until this tab should refresh the token, in ms; 0 or less: now. */
export function freshMs(
  { state, now, policy }: Pick<Transition, 'state' | 'now' | 'policy'>,
  access: AccessToken,
): number {
  const marginMs = Math.min(policy.refreshMarginMs, access.lifetimeMs * policy.refreshMarginRatio);
  return untilEither(access.expiresAt, now) - marginMs * (1 - policy.refreshMarginJitter * state.jitter);
}

/** Lifetimes come in whole seconds, so two answers about one end may differ a little. */
const ONE_MOMENT_MS = 2_000;

/** True if two wall-clock times mean the same end; `null` means none. */
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
 * A stored session as this tab holds it. Tabs share only the wall clock. The remaining life of the access token is
 * capped at its lifetime, because the clock may have been set back.
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

export const isSameEnd = (a: StoredSession, b: StoredSession): boolean =>
  a.expiresAtMs === b.expiresAtMs || isSameMoment(a.expiresAtMs, b.expiresAtMs);

export const isSameUser = (a: StoredSession, b: StoredSession): boolean =>
  (a.sid !== null && a.sid === b.sid) || (a.sub !== null && a.sub === b.sub);

/** Session identity: `sid`, else its start time. */
export const nameOf = ({ sid, startedAtMs }: StoredSession): string => sid ?? String(startedAtMs);

/**
 * The order of two sign-ins, negative if `a` came first: by the server's count within one device chain, else by this
 * device's clock. A start in the future means that the clock was set back later, so that sign-in came first.
 */
export function orderOf({ now }: Transition, a: StoredSession, b: StoredSession): number {
  if (a.deviceId && a.deviceId === b.deviceId) return (a.deviceSequence ?? 0) - (b.deviceSequence ?? 0);
  return a.startedAtMs > now.wallMs ? -1 : a.startedAtMs - b.startedAtMs;
}
