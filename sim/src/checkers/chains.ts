import { isLive, type MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { Books } from './ledger.ts';

/**
 * I2: a sign-out ends the session, each session of its chain with a larger sequence that was never used, and each
 * session below the largest sequence that it ends. The check runs once for each session that the sign-out ends, and so
 * also for the largest.
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
