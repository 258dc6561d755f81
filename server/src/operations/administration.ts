import type { RevocationReason } from '../kernel/events.ts';
import type { FaultLog, SqlStateOf } from '../kernel/fault-log.ts';
import { checkId, checkLimit, checkSubject, checkText, checkTime } from '../kernel/host-arguments.ts';
import { isUuid, isSubject } from '../kernel/ids.ts';
import {
  startMassEndings,
  type EndingProgress,
  type MassEndings,
  type MassEndingsParts,
} from '../sessions/mass-endings.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { AbandonedDelivery, EventQuery, EventStore, StoredEvent, WebhookStore } from '../storage/event-store.ts';

/** Ends sessions on the operator's behalf. */
export type SessionAdministration = {
  /**
   * Ends a session and its device chain. Their refresh tokens are refused from now on; the last access token stays
   * valid until it expires.
   *
   * @returns false if no session of the chain was live
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  revoke(sid: string, reason?: RevocationReason): Promise<boolean>;
  /**
   * Ends every live session of a user, and voids sign-ins under way.
   *
   * @returns how many have ended; `isComplete` is false if there are too many to end at once, and the rest ends soon
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  revokeAllOfUser(sub: string, reason?: RevocationReason): Promise<EndingProgress>;
};

/** Events in the database: sign-ins, ended sessions, changes, and refusals that an operator should see. */
export type AuditLog = {
  /**
   * Lists events, newest first.
   *
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  readonly list: (query: EventQuery) => Promise<readonly StoredEvent[]>;
};

/** Webhooks that could not be delivered. */
export type Webhooks = {
  /**
   * Lists events that an endpoint did not receive within the maximum number of attempts, newest first.
   *
   * @param endpoint default: every endpoint
   * @param limit default: 100
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  readonly listAbandoned: (endpoint?: string, limit?: number) => Promise<readonly AbandonedDelivery[]>;
  /**
   * Sends an endpoint all its abandoned events again.
   *
   * @returns the number of events
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  readonly redeliver: (endpoint: string) => Promise<number>;
};

const REASON_LENGTH = 100;
const ENDPOINT_LENGTH = 2_048;
const EVENT_TYPE_LENGTH = 64;

/** Ids that no session or user can have end nothing. */
export function createSessionAdministration(sessions: Sessions): SessionAdministration {
  return {
    revoke: async (sid, reason = 'administrator') => {
      checkText('reason', reason, REASON_LENGTH);
      return isUuid(sid) && sessions.endChain(sid, reason);
    },
    revokeAllOfUser: async (sub, reason = 'administrator') => {
      checkText('reason', reason, REASON_LENGTH);
      return isSubject(sub) ? sessions.revokeAllOfUser(sub, reason) : { count: 0, isComplete: true };
    },
  };
}

export function createAuditLog({ list }: Pick<EventStore, 'list'>): AuditLog {
  return {
    list: async (query) => {
      const { sub, sid, type, before, limit } = query;
      if (sub !== undefined) checkSubject('sub', sub);
      if (sid !== undefined) checkId('sid', sid);
      if (type !== undefined) checkText('type', type, EVENT_TYPE_LENGTH);
      if (before !== undefined) {
        checkId('before.id', before.id);
        checkTime('before.atMs', before.atMs);
      }
      if (limit !== undefined) checkLimit(limit);
      return list(query);
    },
  };
}

export function createWebhookAdministration(store: Pick<WebhookStore, 'listAbandoned' | 'revive'>): Webhooks {
  return {
    listAbandoned: async (endpoint, limit) => {
      if (endpoint !== undefined) checkText('endpoint', endpoint, ENDPOINT_LENGTH);
      if (limit !== undefined) checkLimit(limit);
      return store.listAbandoned(endpoint, limit);
    },
    redeliver: async (endpoint) => {
      checkText('endpoint', endpoint, ENDPOINT_LENGTH);
      return store.revive(endpoint);
    },
  };
}

/** Starts to end sessions in slices, and logs failures for the operator. */
export function startReportedEndings(
  parts: Omit<MassEndingsParts, 'onFailure'>,
  faults: FaultLog,
  sqlStateOf: SqlStateOf,
): MassEndings {
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
