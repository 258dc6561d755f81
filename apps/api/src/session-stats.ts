import type { HoldfastEvent } from '@holdfast/server';

/** How many sessions are remembered; the one that was silent longest is forgotten first. */
const maxSessions = 1_000;

/** One session's requests to the token endpoint since the server started, for the demo's page. */
export type SessionStats = {
  /** Answered requests to the token endpoint for this session, whatever the answer. */
  readonly tokenRequests: number;
  /** How often the refresh token was rotated. */
  readonly rotations: number;
  /** Type and wall clock of the newest event; null when there was none. */
  readonly lastEvent: { readonly type: string; readonly atMs: number } | null;
};

/** Counts by session id; fed from Holdfast's `onEvent`. */
export type SessionStatsLog = {
  readonly record: (event: HoldfastEvent) => void;
  readonly of: (sid: string) => SessionStats;
};

const none: SessionStats = { tokenRequests: 0, rotations: 0, lastEvent: null };

/** Starts counting. */
export function createSessionStatsLog(): SessionStatsLog {
  const bySession = new Map<string, SessionStats>();
  return {
    of: (sid) => bySession.get(sid) ?? none,
    record(event) {
      if (!('sid' in event) || event.sid === null) return;
      const before = bySession.get(event.sid) ?? none;
      // Deleted and set again, so that the map's order is that of the newest events.
      bySession.delete(event.sid);
      bySession.set(event.sid, {
        tokenRequests: before.tokenRequests + (isTokenRequest(event) ? 1 : 0),
        rotations: before.rotations + (event.type === 'refresh.answered' && event.outcome === 'rotated' ? 1 : 0),
        lastEvent: { type: event.type, atMs: event.atMs },
      });
      const [oldest] = bySession.keys();
      if (bySession.size > maxSessions && oldest !== undefined) bySession.delete(oldest);
    },
  };
}

function isTokenRequest(event: HoldfastEvent): boolean {
  return event.type === 'session.created' || event.type.startsWith('refresh.');
}
