import {
  endRows,
  isLive,
  secretOf,
  toRecord,
  type MemoryParts,
  type MemorySession,
  type MemoryTransaction,
} from './memory-tables.ts';
import type {
  Activity,
  IssuedGeneration,
  RotationCandidate,
  RowVersion,
  SessionRecord,
  SessionStore,
} from './store.ts';

const LAST_GENERATION = 2 ** 31 - 1;

/** Records a use. The user's activity slides the inactivity timeout, never beyond the absolute lifetime. */
function afterUse(row: MemorySession, use: Activity, nowMs: number) {
  const slidToMs = Math.min(nowMs + use.inactivityTimeoutSeconds * 1_000, row.expiresAtMs);
  return {
    idleExpiresAtMs: use.isUserActive ? slidToMs : row.idleExpiresAtMs,
    lastUsedAtMs: nowMs,
    address: use.address,
    userAgent: use.userAgent,
  };
}

/** Rows 1 to 4 of the decision (docs/protocol.md §2) as the rotation's condition. */
function mayRotate(row: MemorySession, candidate: RotationCandidate, nowMs: number, intervalMs: number): boolean {
  const asked = candidate.scope?.split(' ') ?? [];
  const isRecent = row.deliveredAtMs > nowMs - intervalMs && row.deliveredAtMs < nowMs + intervalMs;
  return (
    isLive(row, nowMs) &&
    row.clientId === candidate.clientId &&
    asked.every((value) => row.scope.includes(value)) &&
    row.jkt === null &&
    row.generation === candidate.generation &&
    row.generation < LAST_GENERATION &&
    !(row.redeliveries === 0 && isRecent) &&
    secretOf(row, row.generation, candidate.nonce).equals(candidate.secret)
  );
}

function rotateOne(
  parts: MemoryParts,
  candidate: RotationCandidate,
  transaction: MemoryTransaction,
): IssuedGeneration | null {
  const { tables, policy, watch } = parts;
  const { nowMs, put } = transaction;
  const row = tables.sessions.get(candidate.sid);
  if (row === undefined || !mayRotate(row, candidate, nowMs, policy.rotationIntervalMs)) return null;
  const rotated: MemorySession = {
    ...row,
    ...afterUse(row, candidate, nowMs),
    generation: row.generation + 1,
    rotatedBy: candidate.nonce.toString('hex'),
    deliveredAtMs: nowMs,
    redeliveries: 0,
  };
  put(tables.sessions, row.sid, rotated);
  watch.onRotated?.(rotated, candidate);
  return { record: toRecord(rotated, nowMs), secret: secretOf(rotated, rotated.generation, candidate.nextNonce) };
}

const isObserved = (row: MemorySession | undefined, version: RowVersion): row is MemorySession =>
  row?.generation === version.generation && row.redeliveries === version.redeliveries && row.revokedReason === null;

type Swapped = {
  readonly row: MemorySession;
  readonly record: SessionRecord;
};

/** Writes by compare-and-swap on the row version of the decision. */
function swap(
  { tables, transact }: MemoryParts,
  version: RowVersion,
  isDurable: boolean,
  change: (row: MemorySession, nowMs: number) => MemorySession,
): Promise<Swapped | null> {
  return transact({ rows: [version.sid], isDurable, namesRow: true }, ({ nowMs, put }) => {
    const row = tables.sessions.get(version.sid);
    if (!isObserved(row, version)) return null;
    const changed = change(row, nowMs);
    put(tables.sessions, row.sid, changed);
    return { row: changed, record: toRecord(changed, nowMs) };
  });
}

type Rotations = Pick<SessionStore, 'rotate' | 'read' | 'heal' | 'redeliver' | 'slide' | 'end'>;

/** Uses of single sessions, under the same conditions as PostgreSQL's statements. */
export function memoryRotations(parts: MemoryParts): Rotations {
  const { tables, transact, query, watch } = parts;
  return {
    rotate: (candidates) =>
      transact({ rows: candidates.map(({ sid }) => sid), isDurable: false, namesRow: true }, (transaction) =>
        candidates.map((candidate) => rotateOne(parts, candidate, transaction)),
      ),
    read: (copies) =>
      query((nowMs) =>
        copies.map(({ sid, generation, nonce, secret }) => {
          const row = tables.sessions.get(sid);
          if (row === undefined) return null;
          const isSecretGenuine = secretOf(row, generation, nonce).equals(secret);
          return { record: toRecord(row, nowMs), isSecretGenuine };
        }),
      ),
    heal: async (version, generation, use) => {
      const done = await swap(parts, version, false, (row, nowMs) => {
        const healed = { generation, rotatedBy: null, deliveredAtMs: nowMs, redeliveries: 0 };
        const after = { ...row, ...afterUse(row, use, nowMs), ...healed };
        watch.onWritten?.(after, 'healed');
        return after;
      });
      return done && done.record;
    },
    redeliver: async (version, nonce, use) => {
      const done = await swap(parts, version, true, (row, nowMs) => {
        const after = {
          ...row,
          ...afterUse(row, use, nowMs),
          deliveredAtMs: nowMs,
          redeliveries: row.redeliveries + 1,
        };
        watch.onWritten?.(after, 'redelivered');
        return after;
      });
      return done && { record: done.record, secret: secretOf(done.row, done.row.generation, nonce) };
    },
    slide: async (version, use) => {
      const done = await swap(parts, version, false, (row, nowMs) => {
        const after = { ...row, ...afterUse(row, use, nowMs) };
        watch.onWritten?.(after, 'slid');
        return after;
      });
      return done && done.record;
    },
    end: (version, cause) =>
      transact({ rows: [version.sid], isDurable: true, namesRow: true }, (transaction) => {
        const row = tables.sessions.get(version.sid);
        return isObserved(row, version) ? (endRows(parts, transaction, [row], cause)[0] ?? null) : null;
      }),
  };
}
