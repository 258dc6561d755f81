import { randomBytes } from 'node:crypto';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { memoryChainEndings, memoryMassEndings } from './memory-chains.ts';
import { memoryCodes } from './memory-exchange.ts';
import { memoryRotations } from './memory-rotations.ts';
import {
  createMemoryTables,
  isLive,
  liveOfUser,
  subjectOf,
  type MemoryParts,
  type MemorySession,
} from './memory-tables.ts';
import type { ListedSession, SessionStore, Store } from './store.ts';

/** The part of the storage port that sessions need. The memory store has no users, passkeys, signing keys or events. */
export type MemoryStore = Pick<Store, 'subjects' | 'sessions' | 'codes' | 'endings'>;

export type MemoryStoreOptions = Partial<MemoryParts> & {
  /**
   * The database's clock, in milliseconds since the epoch. Default: this host's. Unused by your own `transact` or
   * `query`.
   */
  readonly now?: () => number;
};

/**
 * Creates the storage port in memory, for tests and simulators. {@link Store} is its contract.
 *
 * It states every condition of `decide` and of the PostgreSQL statements independently, so that tests find a
 * difference.
 *
 * @param options.transact runs a transaction; default: at once. Pass your own to add faults, locks and delays
 * @param options.tables share them between the stores of several nodes; default: empty ones
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const { now = Date.now, ...given } = options;
  const parts: MemoryParts = {
    tables: createMemoryTables(),
    policy: DEFAULT_POLICY,
    randomBytes,
    transact: async (_terms, work) =>
      work({
        nowMs: now(),
        put: (table, key, value) => void table.set(key, value),
        remove: (table, key) => void table.delete(key),
      }),
    query: async (work) => work(now()),
    watch: {},
    ...given,
  };
  const { tables, query, transact } = parts;
  return {
    subjects: {
      epochOf: (sub) => query(() => tables.subjects.get(sub)?.epoch ?? 0),
      userHandleOf: (sub) =>
        transact({ rows: [sub], isDurable: true, namesRow: false }, ({ nowMs, put }) => {
          const subject = subjectOf(parts, sub, nowMs);
          put(tables.subjects, sub, subject);
          return subject.userHandle;
        }),
    },
    sessions: { ...memoryRotations(parts), ...memoryChainEndings(parts), ...lookups(parts) },
    codes: memoryCodes(parts),
    endings: memoryMassEndings(parts),
  };
}

type Lookups = Pick<SessionStore, 'listOfUser' | 'label' | 'findMember' | 'isDeviceOf' | 'findLive'>;

function lookups({ tables, query, transact }: MemoryParts): Lookups {
  const { sessions } = tables;
  return {
    listOfUser: (sub, { currentSid, after, limit }) =>
      query((nowMs) => {
        const current = currentSid === null ? undefined : sessions.get(currentSid);
        const newest = new Map<string, MemorySession>();
        for (const row of liveOfUser(tables, sub, nowMs)) {
          const other = newest.get(row.deviceId);
          if (other === undefined || compareUse(row, other) < 0) newest.set(row.deviceId, row);
        }
        const devices = [...newest.values()]
          .map((row) => toListed(row, current?.sub === sub && current.deviceId === row.deviceId))
          .toSorted(compareListed)
          .filter((device) => after === null || compareListed(device, after) > 0);
        const page = devices.slice(0, limit);
        return { sessions: page, next: devices.length > limit ? (page.at(-1) ?? null) : null };
      }),
    label: (sid, sub, deviceLabel) => {
      const chain = [...sessions.values()].filter(({ deviceId }) => deviceId === sessions.get(sid)?.deviceId);
      const rows = [sub, ...chain.map((row) => row.sid).toSorted()];
      return transact({ rows, isDurable: true, namesRow: false }, ({ nowMs, put }) => {
        const named = sessions.get(sid);
        if (named === undefined || named.sub !== sub || !isLive(named, nowMs)) return false;
        for (const row of liveOfUser(tables, sub, nowMs, ({ deviceId }) => deviceId === named.deviceId)) {
          put(sessions, row.sid, { ...row, deviceLabel });
        }
        return true;
      });
    },
    findMember: (sid) =>
      query(() => {
        const row = sessions.get(sid);
        return row === undefined ? null : toMember(row);
      }),
    isDeviceOf: (sid, secretHash) =>
      query(() => {
        const row = sessions.get(sid);
        const hash = secretHash.toString('hex');
        return [...sessions.values()].some(
          (other) => other.sub === row?.sub && other.deviceId === row.deviceId && other.deviceSecretHash === hash,
        );
      }),
    findLive: (sids) =>
      query((nowMs) =>
        sids.flatMap((sid) => {
          const row = sessions.get(sid);
          return row !== undefined && isLive(row, nowMs) ? [toMember(row)] : [];
        }),
      ),
  };
}

const toMember = ({ sid, sub, clientId, deviceId, deviceSequence }: MemorySession) => ({
  sid,
  sub,
  clientId,
  deviceId,
  deviceSequence,
});

/** Order by last use, latest first; of two unused sessions, the newer first. */
function compareUse(a: MemorySession, b: MemorySession): number {
  return (b.lastUsedAtMs ?? -1) - (a.lastUsedAtMs ?? -1) || b.deviceSequence - a.deviceSequence;
}

function compareListed(
  a: Pick<ListedSession, 'lastUsedAtMs' | 'sid'>,
  b: Pick<ListedSession, 'lastUsedAtMs' | 'sid'>,
): number {
  if (a.lastUsedAtMs !== b.lastUsedAtMs) return b.lastUsedAtMs - a.lastUsedAtMs;
  return a.sid === b.sid ? 0 : a.sid > b.sid ? -1 : 1;
}

function toListed(row: MemorySession, isCurrent: boolean): ListedSession {
  const { sid, deviceId, clientId, deviceLabel, userAgent, address, createdAtMs, expiresAtMs, authTimeSeconds } = row;
  return {
    sid,
    deviceId,
    isCurrent,
    clientId,
    deviceLabel,
    userAgent,
    address,
    createdAtMs,
    lastUsedAtMs: row.lastUsedAtMs ?? createdAtMs,
    expiresAtMs,
    authTimeSeconds,
    amr: row.amr,
    acr: row.acr,
  };
}
