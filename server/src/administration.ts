import type { AbandonedDelivery, EventQuery, StoredEvent } from './event-store.ts';
import type { RevocationReason } from './events.ts';
import type { FaultLog } from './fault-log.ts';
import { startMassEndings } from './mass-endings.ts';
import type { EndingProgress, MassEndings, MassEndingsParts } from './mass-endings.ts';
import { sqlStateOf } from './postgres/connections.ts';
import { isSid } from './refresh-token.ts';
import type { Sessions } from './sessions.ts';
import { isSubject } from './subject-store.ts';

export interface SessionAdministration {
  /**
   * Ends a session and its device chain: their refresh tokens are refused from now on; the last access token lives to its expiry.
   *
   * @returns false when nothing of the chain was alive
   * @throws HoldfastError `unavailable`
   */
  revoke(sid: string, reason?: RevocationReason): Promise<boolean>;
  /**
   * Ends every live session of a user, and voids sign-ins under way.
   *
   * @returns how many have ended; when they are so many that it takes long, `isComplete` is false and the rest ends soon
   * @throws HoldfastError `unavailable`
   */
  revokeAllOfUser(sub: string, reason?: RevocationReason): Promise<EndingProgress>;
}

/** Events as the database keeps them: sign-ins, ended sessions, changes, and refusals that somebody should look at. */
export interface AuditLog {
  /**
   * Lists events, newest first.
   *
   * @throws HoldfastError `unavailable`
   */
  readonly list: (query: EventQuery) => Promise<readonly StoredEvent[]>;
}

/** Webhooks that could not be delivered. */
export interface Webhooks {
  /**
   * Lists events that an endpoint did not get, after as many attempts as there are; newest first.
   *
   * @param endpoint default: every one
   * @param limit default: 100
   * @throws HoldfastError `unavailable`
   */
  readonly listAbandoned: (endpoint?: string, limit?: number) => Promise<readonly AbandonedDelivery[]>;
  /**
   * Sends an endpoint everything again that it did not get.
   *
   * @returns how many events
   * @throws HoldfastError `unavailable`
   */
  readonly redeliver: (endpoint: string) => Promise<number>;
}

/** Checks what a host passes in; what no session or user can have ends nothing. */
export function createSessionAdministration(sessions: Sessions): SessionAdministration {
  return {
    revoke: async (sid, reason = 'administrator') => isSid(sid) && sessions.endChain(sid, reason),
    revokeAllOfUser: async (sub, reason = 'administrator') =>
      isSubject(sub) ? sessions.revokeAllOfUser(sub, reason) : { count: 0, isComplete: true },
  };
}

/** Starts ending sessions in slices; the operator hears of what holds it up. */
export function startReportedEndings(parts: Omit<MassEndingsParts, 'onFailure'>, faults: FaultLog): MassEndings {
  return startMassEndings({
    ...parts,
    onFailure: (error) =>
      faults.note({
        kind: 'session endings',
        level: 'warn',
        message: 'sessions that a user or an administrator has ended are still to be ended',
        fields: { sqlState: sqlStateOf(error) },
      }),
  });
}
