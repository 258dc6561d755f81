import type { Books } from './books.ts';
import { isLive, type SessionRow } from './session-table.ts';

/**
 * I2: after a sign-out no session of its chain answers but those that were used later. It ends the session, every smaller
 * sequence, and every larger one that was never used.
 */
export function judgeSignOut(
  { sid, deviceId, deviceSequence }: SessionRow,
  sessions: ReadonlyMap<string, SessionRow>,
  nowMs: number,
  books: Books,
): void {
  const signedOutSequence = sessions.get(sid)?.signedOutSequence ?? 0;
  for (const row of sessions.values()) {
    if (row.sid === sid || row.deviceId !== deviceId) continue;
    books.reach('chain of several sessions signed out');
    if (!isLive(row, nowMs)) continue;
    const isUnused = row.lastUsedAtMs === null && row.deviceSequence < signedOutSequence;
    if (row.deviceSequence < deviceSequence || isUnused)
      books.violate('I2', `session ${row.sid.slice(0, 4)} lives on, though its chain was signed out`);
  }
}
