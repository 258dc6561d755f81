import type { SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { SessionTruth } from './ledger.ts';

/** The user's acts on the device, and the losses of its store. Times are in ms of the world; `null`: never. */
export type DeviceHistory = {
  /** When the user last signed out on this device, in any tab. */
  signedOutAtMs: number | null;
  /** True if the user asked for a sign-out before there was a session; it may end the next one. */
  isSigningOut: boolean;
  /** When the user last declined to authenticate again. */
  declinedAtMs: number | null;
  /** When the store last lost something. */
  lostAtMs: number | null;
  isLockMissing: boolean;
  /** How often a tab timed out on a lock. */
  lockTimeouts: number;
};

/** The history of a new device. */
export const newHistory = (): DeviceHistory => ({
  signedOutAtMs: null,
  isSigningOut: false,
  declinedAtMs: null,
  lostAtMs: null,
  isLockMissing: false,
  lockTimeouts: 0,
});

export type Evidence = {
  /** The row of the session that the tab showed, and its entry in the ledger. */
  readonly row: SessionRow | undefined;
  readonly truth: SessionTruth | undefined;
  readonly history: DeviceHistory;
  /** The database's clock. */
  readonly nowMs: number;
};

/** A snapshot without a session, with its reason. */
export type Ending = Extract<SessionSnapshot, { readonly reason: string }>;

/** True if the event happened since the session was created. */
function isSince(atMs: number | null, truth: SessionTruth | undefined): boolean {
  return atMs !== null && (truth === undefined || atMs >= truth.createdAtMs);
}

/**
 * I1: a tab may show the end of its session only if the server ended it, it expired, the user asked for it, or the
 * store was lost; and the reason it shows is the true one.
 *
 * @returns the complaint, or `null`
 */
export function judgeEnding(shown: Ending, { row, truth, history, nowMs }: Evidence): string | null {
  const isLost = isSince(history.lostAtMs, truth);
  switch (shown.reason) {
    case 'never-signed-in':
      return truth === undefined || isLost ? null : 'a tab forgot its session';
    case 'user':
      return history.isSigningOut || isSince(history.signedOutAtMs, truth)
        ? null
        : 'signed out as if by the user, who did not ask';
    case 'reauthentication-failed':
      return isSince(history.declinedAtMs, truth)
        ? null
        : 'signed out by a reauthentication that the user did not decline';
    case 'storage-lost':
      return isLost ? null : 'a store that lost nothing was taken for lost';
    case 'expired':
      return isLost || isExpired(row, nowMs) ? null : 'shown as expired, and it had not';
    case 'revoked':
    case 'reuse-detected':
      return judgeRevocation(shown.reason, row, isLost, nowMs);
    default:
      return 'shown as ended for a reason that there is not';
  }
}

/** Allows 3 s for the clocks of two databases. */
const isExpired = (row: SessionRow | undefined, nowMs: number): boolean =>
  row !== undefined && Math.min(row.expiresAtMs, row.idleExpiresAtMs) <= nowMs + 3_000;

function judgeRevocation(
  shown: 'revoked' | 'reuse-detected',
  row: SessionRow | undefined,
  isLost: boolean,
  nowMs: number,
): string | null {
  if (isLost) return null;
  if (row === undefined) return 'shown as ended, and there never was one';
  if (row.revokedReason === null)
    // The first definitive answer removes the cookie. The next tab learns only that there is no cookie.
    return shown === 'revoked' && isExpired(row, nowMs) ? null : `shown as ${shown}, and the session lives`;
  if (shown === 'reuse-detected' && row.revokedReason !== 'reuse') return 'shown as reuse, and it was none';
  return null;
}
