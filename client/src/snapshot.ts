import type { SignedOutReason } from './ports.ts';
import type { Chain, Freshness, ReauthenticationReason, SessionState, StepUp } from './session-state.ts';

/** The session as a user interface sees it. The same object until something changes; never holds a token. */
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
      readonly accessExpiresAt: number | null;
      readonly sessionStartedAt: number;
      /** When the session ends unless it is renewed, ms since 1970 by this device's clock; `null` if the server does not say. */
      readonly sessionExpiresAt: number | null;
      /** The session is about to end: `extend()` renews it if the server lets it. */
      readonly expiring: boolean;
      readonly refreshing: boolean;
      /** A resource wants the user to authenticate again before it answers; everything else goes on. */
      readonly stepUp: (StepUp & Chain) | null;
      /** How many access tokens this tab has held. */
      readonly generation: number;
      readonly parkedRequests: number;
    }
  | ({
      readonly status: 'reauth-required';
      readonly user: { readonly sub: string | null };
      readonly reason: ReauthenticationReason;
      readonly parkedRequests: number;
    } & Chain);

/** Derives the snapshot of a state. */
export function takeSnapshot(state: SessionState): SessionSnapshot {
  const { phase } = state;
  switch (phase.kind) {
    case 'restoring':
      return { status: 'restoring' };
    case 'signed-out':
      return { status: 'signed-out', reason: phase.reason };
    case 'reauth-required':
      return {
        status: 'reauth-required',
        user: { sub: phase.stored.sub },
        stage: phase.stage,
        laterStages: phase.laterStages,
        failed: phase.failed,
        reason: phase.reason,
        parkedRequests: state.waiting.length,
      };
    case 'active':
      if (phase.isProbe) return { status: 'restoring' };
      return {
        status: 'active',
        user: { sub: phase.stored.sub },
        sid: phase.stored.sid,
        freshness: phase.freshness,
        accessExpiresAt: phase.access === null || phase.isRefused ? null : phase.access.expiresAt.wallMs,
        sessionStartedAt: phase.stored.startedAtMs,
        sessionExpiresAt: phase.endsAt?.wallMs ?? null,
        expiring: phase.warningsGiven > 0,
        refreshing: state.flight !== null,
        stepUp: phase.stepUp,
        generation: state.generation,
        parkedRequests: state.waiting.length,
      };
  }
}

/** The older snapshot if both say the same: subscribers compare by identity. */
export function keepIfEqual(before: SessionSnapshot, now: SessionSnapshot): SessionSnapshot {
  return JSON.stringify(before) === JSON.stringify(now) ? before : now;
}
