import type { Policy } from '../kernel/policy.ts';

/**
 * Refresh token rotation: decides what one presented refresh token does to its session.
 *
 * A session is one row with a generation counter. A refresh token is one *copy* of one generation; its nonce
 * distinguishes it from other copies of that generation. The caller has verified the copy's tag and secret, so this
 * server minted it. `decide` is total and pure: no clock, no I/O, no randomness, no throw. The hot path's SQL states
 * the same conditions a second time, and a property test compares the two.
 */

/** The fields of a session that the decision reads. Times are milliseconds since the epoch by the database's clock. */
export type SessionState = {
  readonly clientId: string;
  readonly scope: readonly string[];
  /** RFC 7638 thumbprint of the key that the session is bound to; null for a bearer session. */
  readonly jkt: string | null;
  /** The newest generation handed out. */
  readonly generation: number;
  /** Nonce of the copy whose use produced `generation`; null if unknown: at generation 0 and after a heal. */
  readonly rotatedBy: string | null;
  /** When a copy of `generation` was last handed out. */
  readonly deliveredAtMs: number;
  /** How often `generation` was handed out again. */
  readonly redeliveries: number;
  readonly idleExpiresAtMs: number;
  readonly expiresAtMs: number;
  /** The last granted use; null until the first one. Written at most once an interval. */
  readonly lastUsedAtMs: number | null;
  /** Reason for the session's end; null while it is not revoked. */
  readonly revokedReason: string | null;
};

/** A genuine copy, with the client, scope and key that it is presented with. */
export type PresentedCopy = {
  readonly generation: number;
  readonly nonce: string;
  readonly clientId: string;
  /** The scope asked for; null for the whole grant. */
  readonly scope: readonly string[] | null;
  /** Thumbprint of the key of a valid DPoP proof; null when there was no proof. */
  readonly jkt: string | null;
  /** True if the user is active: only then does the inactivity timeout slide. */
  readonly isUserActive: boolean;
  /** The user asked to extend the session: the timeout slides even by less than an interval. Implies `isUserActive`. */
  readonly isExtension: boolean;
};

export type RotationPolicy = Pick<
  Policy,
  'rotationIntervalMs' | 'promptRedeliveries' | 'aheadOfDatabase' | 'inactivityTimeoutSeconds'
>;

/** Reason that a session refuses every copy. */
export type DeadReason = 'unknown' | 'revoked' | 'reuse' | 'expired' | 'idle_expired';

/** A refusal that changes nothing. */
export type Refusal =
  | {
      readonly kind: 'refuse';
      readonly error: 'invalid_grant';
      readonly reason: DeadReason | 'wrong_client' | 'wrong_key';
    }
  | { readonly kind: 'refuse'; readonly error: 'invalid_scope'; readonly reason: 'scope' }
  | { readonly kind: 'refuse'; readonly error: 'invalid_dpop_proof'; readonly reason: 'proof_missing' };

export type Outcome =
  /** Hand out the next generation. */
  | { readonly kind: 'rotate' }
  /** Hand out the newest generation again, as a copy of its own. */
  | { readonly kind: 'redeliver' }
  /** Issue an access token alone. `isSliding`: write this use too; it is the first in an interval, or an extension. */
  | {
      readonly kind: 'accessTokenOnly';
      readonly because: 'bound' | 'recent' | 'last_generation';
      readonly isSliding: boolean;
    }
  /** The database lost writes: go on from the generation that the token proves. */
  | { readonly kind: 'heal'; readonly generation: number }
  /** The database lost writes, and the policy leaves the repair to the operator: answer 503. */
  | { readonly kind: 'unavailable' }
  /** An older copy came while the last rotation may still be under way: the client tries again later. */
  | { readonly kind: 'wait'; readonly retryAfterMs: number }
  /** Reuse: two holders have copies of one session. End the session. */
  | { readonly kind: 'revoke'; readonly because: 'fork' | 'stale' }
  | Refusal;

/** Largest generation that fits the column and the token. A session at this generation keeps its last copy. */
export const LAST_GENERATION = 2 ** 31 - 1;

/** Rotation intervals between redeliveries of one generation after the prompt ones. Its answers are being lost. */
export const PACED_INTERVALS = 15;

/**
 * Decides what a presented copy does.
 *
 * @param session the row as it was read, or null when there is none
 * @param nowMs the database's clock at that reading
 * @see RFC 9700 §4.14.2, RFC 6749 §6
 */
export function decide(
  session: SessionState | null,
  presented: PresentedCopy,
  nowMs: number,
  policy: RotationPolicy,
): Outcome {
  if (session === null) return dead('unknown');
  const refusal = whyDead(session, nowMs) ?? whyForeign(session, presented);
  if (refusal !== null) return refusal;

  // The key is the credential: a bound session does not rotate (FAPI 2.0 §5.3.2.1).
  if (session.jkt !== null) return answer('bound', session, presented, nowMs, policy);

  const ageMs = Math.abs(nowMs - session.deliveredAtMs);
  const isRecent = ageMs < policy.rotationIntervalMs;
  // With no redelivery since the rotation, a message sent before it may still arrive. A redelivery comes an interval later.
  const isRotationUnderWay = isRecent && session.redeliveries === 0;
  const behind = session.generation - presented.generation;

  if (behind < 0) {
    return policy.aheadOfDatabase === 'heal'
      ? { kind: 'heal', generation: presented.generation }
      : { kind: 'unavailable' };
  }
  if (behind === 0) {
    if (isRotationUnderWay) return answer('recent', session, presented, nowMs, policy);
    if (session.generation === LAST_GENERATION) return answer('last_generation', session, presented, nowMs, policy);
    return { kind: 'rotate' };
  }
  if (behind === 1 && presented.nonce === session.rotatedBy) {
    // The exact copy that rotated: its answer was lost, or another tab sent it too. No time and no count makes this
    // reuse.
    const isPaced = session.redeliveries >= policy.promptRedeliveries;
    const paceMs = policy.rotationIntervalMs * (isPaced ? PACED_INTERVALS : 1);
    return ageMs < paceMs ? answer('recent', session, presented, nowMs, policy) : { kind: 'redeliver' };
  }
  if (behind <= 2) {
    if (isRotationUnderWay) return { kind: 'wait', retryAfterMs: policy.rotationIntervalMs - ageMs };
    return { kind: 'revoke', because: behind === 1 ? 'fork' : 'stale' };
  }
  return { kind: 'revoke', because: 'stale' };
}

function whyDead(session: SessionState, nowMs: number): Refusal | null {
  if (session.revokedReason !== null) return dead(session.revokedReason === 'reuse' ? 'reuse' : 'revoked');
  if (session.expiresAtMs <= nowMs) return dead('expired');
  if (session.idleExpiresAtMs <= nowMs) return dead('idle_expired');
  return null;
}

/** Refuses a copy that comes from another client or key, or asks for more than the session's scope; null if it fits. */
function whyForeign(session: SessionState, presented: PresentedCopy): Refusal | null {
  if (presented.clientId !== session.clientId) {
    return { kind: 'refuse', error: 'invalid_grant', reason: 'wrong_client' };
  }
  if (presented.scope !== null && !presented.scope.every((value) => session.scope.includes(value))) {
    return { kind: 'refuse', error: 'invalid_scope', reason: 'scope' };
  }
  if (session.jkt !== null && presented.jkt === null) {
    return { kind: 'refuse', error: 'invalid_dpop_proof', reason: 'proof_missing' };
  }
  if (session.jkt !== null && presented.jkt !== session.jkt) {
    return { kind: 'refuse', error: 'invalid_grant', reason: 'wrong_key' };
  }
  return null;
}

function dead(reason: DeadReason): Refusal {
  return { kind: 'refuse', error: 'invalid_grant', reason };
}

/**
 * Answers with an access token alone, and decides whether to write the use. A use is recorded, and the user's own
 * activity slides the inactivity timeout. Without a rotation that is a separate write, so it is paced: at most one per
 * interval. The first use is always written, because it ends the sessions that this one replaces. An extension is
 * written whenever it moves the timeout.
 */
function answer(
  because: 'bound' | 'recent' | 'last_generation',
  session: SessionState,
  presented: PresentedCopy,
  nowMs: number,
  policy: RotationPolicy,
): Outcome {
  const slidToMs = Math.min(nowMs + policy.inactivityTimeoutSeconds * 1_000, session.expiresAtMs);
  const gainMs = slidToMs - session.idleExpiresAtMs;
  const movesTimeout = presented.isUserActive && gainMs > (presented.isExtension ? 0 : policy.rotationIntervalMs);
  const isUnnoted = session.lastUsedAtMs === null || nowMs - session.lastUsedAtMs > policy.rotationIntervalMs;
  return { kind: 'accessTokenOnly', because, isSliding: movesTimeout || isUnnoted };
}
