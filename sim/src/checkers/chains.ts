import { isLive, type MemorySession as SessionRow } from '../../../server/src/storage/memory-tables.ts';
import type { Books } from './ledger.ts';

/**
 * I2: a sign-out ends the session, every larger sequence of its chain that was never used, and every sequence below the
 * largest that it ends. It is judged once for each session that it ends, and so also for the largest.
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
