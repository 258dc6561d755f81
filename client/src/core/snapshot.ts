import type { SignedOutReason } from './ports.ts';
import type { ReauthenticationProgress, Freshness, ReauthenticationReason, SessionState, StepUp } from './state.ts';

/**
 * The session as a user interface sees it. The object stays the same until something changes. It never holds a token.
 */
export type SessionSnapshot =
  | { readonly status: 'restoring' }
  | { readonly status: 'signed-out'; readonly reason: SignedOutReason }
  | {
      readonly status: 'active';
      /** Subject at the authorization server; `null` with servers that name none. */
      readonly user: { readonly sub: string | null };
      readonly sid: string | null;
      readonly freshness: Freshness;
      /** When the access token expires, ms since 1970 by this device's clock; `null` while there is none. */
      readonly accessTokenExpiresAtMs: number | null;
      readonly sessionStartedAtMs: number;
      /** When the session ends unless it is renewed, ms since 1970 by this device's clock; `null`: unknown. */
      readonly sessionExpiresAtMs: number | null;
      /** The session is about to end. `extend()` renews it if it is `isExtendable`. */
      readonly isExpiring: boolean;
      /** `true`: user activity moves `sessionExpiresAtMs`. `false`: at this end no session of the server lives on. */
      readonly isExtendable: boolean;
      readonly isRefreshing: boolean;
      /**
       * The server has refused to renew the session for a minute, or for 5 s if no access token is left, in words that
       * do not end it. The session stays and is tried again. The app can ask the user to sign in, which cures it.
       */
      readonly isDoubtful: boolean;
      /** The server's latest refusal in its words, until the session is renewed; `null`: it does not refuse. */
      readonly refusal: string | null;
      /** A resource requires the user to authenticate again before it answers. Everything else goes on. */
      readonly stepUp: (StepUp & ReauthenticationProgress) | null;
      /** Number of access tokens that this tab has held. */
      readonly tokenNumber: number;
      readonly parkedRequests: number;
    }
  | ({
      readonly status: 'reauthentication-required';
      readonly user: { readonly sub: string | null };
      readonly reason: ReauthenticationReason;
      readonly parkedRequests: number;
    } & ReauthenticationProgress);

/** No reauthentication is under way. A required one always has a chain. */
const NO_CHAIN = { stepUp: null } as Pick<NonNullable<SessionState['reauthentication']>, 'stepUp'> &
  ReauthenticationProgress;

/** Derives the snapshot of a state. */
export function takeSnapshot(state: SessionState): SessionSnapshot {
  const { phase, reauthentication, waiting, tokenNumber, refusal } = state;
  if (phase.kind === 'restoring' || (phase.kind === 'active' && phase.probe)) return { status: 'restoring' };
  if (phase.kind === 'signed-out') return { status: 'signed-out', reason: phase.reason };
  const { stored } = phase;
  const common = { user: { sub: stored.sub }, parkedRequests: waiting.length };
  const { stepUp, ...walk } = reauthentication ?? NO_CHAIN;
  if (phase.kind === 'reauthentication-required')
    return { status: 'reauthentication-required', ...common, reason: phase.reason, ...walk };
  const { freshness, access, isRefused, endsAt, warningsGiven } = phase;
  return {
    status: 'active',
    ...common,
    sid: stored.sid,
    freshness,
    accessTokenExpiresAtMs: access && !isRefused ? access.expiresAt.wallMs : null,
    sessionStartedAtMs: stored.startedAtMs,
    sessionExpiresAtMs: endsAt && endsAt.wallMs,
    isExpiring: warningsGiven > 0,
    isExtendable: !stored.isEndFixed,
    isRefreshing: state.flight !== null,
    isDoubtful: refusal?.isDoubtful ?? false,
    refusal: refusal && refusal.words,
    stepUp: stepUp && { ...stepUp, ...walk },
    tokenNumber,
  };
}

/** Returns the older snapshot if both are equal: subscribers compare by identity. */
export function keepIfEqual(before: SessionSnapshot, now: SessionSnapshot): SessionSnapshot {
  return JSON.stringify(before) === JSON.stringify(now) ? before : now;
}
