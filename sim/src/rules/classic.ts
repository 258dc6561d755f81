import type { Outcome, PresentedCopy, SessionState } from '../../../server/src/rotation/rotation.ts';

// Rotation rules of other servers, in the terms of our decision: each says what happens to a copy that is not the
// newest.

/** The verdict of a rule on a copy that is `behind` generations old, `ageMs` after the last rotation. */
export type ClassicRule = (behind: number, ageMs: number) => 'repeat' | 'end';

const refuse = (reason: 'unknown' | 'revoked' | 'reuse' | 'expired' | 'idle_expired'): Outcome => ({
  kind: 'refuse',
  error: 'invalid_grant',
  reason,
});

/** When generations rotated that were delivered again since, by the nonce of the copy that rotated them. */
const rotations = new Map<string | null, number>();
const ROTATIONS_KEPT = 10_000;

/** When the newest generation was handed out first. A row holds only the last delivery, and a grace does not slide. */
function rotatedAtMs({ rotatedBy, redeliveries, deliveredAtMs }: SessionState): number {
  if (redeliveries > 0) return rotations.get(rotatedBy) ?? deliveredAtMs;
  if (rotations.size >= ROTATIONS_KEPT) rotations.clear();
  rotations.set(rotatedBy, deliveredAtMs);
  return deliveredAtMs;
}

/** Makes a decision from a classic rule. A generation that the database does not know is an unknown token there. */
export const decideBy =
  (rule: ClassicRule) =>
  (session: SessionState | null, presented: PresentedCopy, nowMs: number): Outcome => {
    if (session === null) return refuse('unknown');
    if (session.revokedReason !== null) return refuse(session.revokedReason === 'reuse' ? 'reuse' : 'revoked');
    if (session.expiresAtMs <= nowMs) return refuse('expired');
    if (session.idleExpiresAtMs <= nowMs) return refuse('idle_expired');
    const behind = session.generation - presented.generation;
    if (behind < 0) return refuse('unknown');
    if (behind === 0) return { kind: 'rotate' };
    return rule(behind, nowMs - rotatedAtMs(session)) === 'repeat'
      ? { kind: 'redeliver' }
      : { kind: 'revoke', because: behind === 1 ? 'fork' : 'stale' };
  };
