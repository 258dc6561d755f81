import { createHash } from 'node:crypto';
import type { SessionRevoked } from '../kernel/events.ts';
import type { Policy } from '../kernel/policy.ts';
import type { NewAuthorizationCode, RotationCandidate, SessionRecord } from './store.ts';
import type { EndingCause } from './user-store.ts';

/** A session's row. Rows are immutable. */
export type MemorySession = Omit<SessionRecord, 'nowMs'> & {
  readonly seed: Buffer;
  readonly createdAtMs: number;
  readonly deviceLabel: string | null;
  /** Hex of the SHA-256. */
  readonly deviceSecretHash: string | null;
  readonly signedOutSequence: number | null;
  /** Of the last use. */
  readonly address: string;
  readonly userAgent: string;
};

export type MemorySubject = {
  readonly epoch: number;
  readonly lastSequence: number;
  readonly userHandle: Buffer;
  /** Completed sign-ins that the rate limit still counted at `signInAtMs`. */
  readonly signInLevel: number;
  readonly signInAtMs: number;
};

export type MemoryCode = NewAuthorizationCode & {
  readonly expiresAtMs: number;
  readonly authTimeMs: number;
  readonly sid: string | null;
  readonly issuedSequence: number;
};

/** An intent to end many sessions. */
export type MemoryEnding = {
  readonly sub: string;
  readonly upToSequence: number;
  readonly sparedSid: string | null;
  readonly cause: EndingCause;
  /** Sequence at which the previous slice ended. */
  readonly afterSequence: number;
  readonly claimedUntilMs: number;
};

/** All tables of the database. Connections share them. */
export type MemoryTables = {
  readonly sessions: Map<string, MemorySession>;
  readonly subjects: Map<string, MemorySubject>;
  /** Key: hex of the code's hash. */
  readonly codes: Map<string, MemoryCode>;
  readonly endings: Map<string, MemoryEnding>;
};

export function createMemoryTables(): MemoryTables {
  return { sessions: new Map(), subjects: new Map(), codes: new Map(), endings: new Map() };
}

/** A transaction at the moment of its commit. */
export type MemoryTransaction = {
  /** `now()`: the time at which the transaction began. */
  readonly nowMs: number;
  readonly put: <Value>(table: Map<string, Value>, key: string, value: Value) => void;
  readonly remove: <Value>(table: Map<string, Value>, key: string) => void;
};

/** Locks, durability and error of a transaction. */
export type MemoryTerms = {
  /** Keys of the rows that it locks: a `sid`, the hex of a code's hash, a `sub`. */
  readonly rows: readonly string[];
  /** True: the commit waits for the disk. False: a crash may lose it. */
  readonly isDurable: boolean;
  /** True: if another transaction holds a row, the error is {@link RowFault}. */
  readonly namesRow: boolean;
};

/** Callbacks for tests and simulators, called with each row that a statement wrote. */
export type MemoryWatch = {
  readonly onCreated?: (row: MemorySession) => void;
  readonly onRotated?: (row: MemorySession, candidate: RotationCandidate) => void;
  readonly onWritten?: (row: MemorySession, how: 'healed' | 'redelivered' | 'slid') => void;
  readonly onEnded?: (row: MemorySession, reason: string) => void;
};

export type MemoryPolicy = Pick<
  Policy,
  | 'rotationIntervalMs'
  | 'authorizationCodeLifetimeSeconds'
  | 'maxDeviceChainsPerUser'
  | 'maxSessionsPerDeviceChain'
  | 'signInBurstPerAccount'
  | 'signInIntervalSeconds'
>;

/** The parts that every module of the memory store uses. */
export type MemoryParts = {
  readonly tables: MemoryTables;
  readonly policy: MemoryPolicy;
  readonly randomBytes: (size: number) => Buffer;
  /** Runs `work` at the moment of the commit: all of its writes, or none. */
  readonly transact: <Result>(terms: MemoryTerms, work: (transaction: MemoryTransaction) => Result) => Promise<Result>;
  readonly query: <Result>(work: (nowMs: number) => Result) => Promise<Result>;
  readonly watch: MemoryWatch;
};

/** True if row 1 of the decision (docs/protocol.md §2) does not apply: neither revoked nor expired. */
export const isLive = (row: Pick<MemorySession, 'revokedReason' | 'expiresAtMs' | 'idleExpiresAtMs'>, nowMs: number) =>
  row.revokedReason === null && row.expiresAtMs > nowMs && row.idleExpiresAtMs > nowMs;

/** Computes the secret of a copy from its session's seed, generation and nonce. */
export function secretOf(row: MemorySession, generation: number, nonce: Buffer): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32BE(generation);
  return createHash('sha256').update(row.seed).update(number).update(nonce).digest().subarray(0, 16);
}

export function toRecord(row: MemorySession, nowMs: number): SessionRecord {
  const { seed, createdAtMs, deviceLabel, deviceSecretHash, signedOutSequence, address, userAgent, ...record } = row;
  void [seed, createdAtMs, deviceLabel, deviceSecretHash, signedOutSequence, address, userAgent];
  return { ...record, nowMs };
}

/** Ends live sessions within a transaction. */
export function endRows(
  { tables, watch }: MemoryParts,
  { put }: MemoryTransaction,
  rows: readonly MemorySession[],
  cause: EndingCause,
): readonly SessionRevoked[] {
  return rows.map((row) => {
    const ended = { ...row, revokedReason: cause.reason };
    put(tables.sessions, row.sid, ended);
    watch.onEnded?.(ended, cause.reason);
    return { type: 'session.revoked', sid: row.sid, sub: row.sub, clientId: row.clientId, ...cause };
  });
}

/** Lists the live sessions of a user that meet a condition, in order of id. */
export function liveOfUser(
  { sessions }: MemoryTables,
  sub: string,
  nowMs: number,
  condition: (row: MemorySession) => boolean = () => true,
): readonly MemorySession[] {
  return [...sessions.values()]
    .filter((row) => row.sub === sub && isLive(row, nowMs) && condition(row))
    .toSorted((a, b) => (a.sid < b.sid ? -1 : 1));
}

/** Returns the subject's row, or a new one that the caller has to put. */
export function subjectOf({ tables, randomBytes }: MemoryParts, sub: string, nowMs: number): MemorySubject {
  const known = tables.subjects.get(sub);
  return known ?? { epoch: 0, lastSequence: 0, userHandle: randomBytes(32), signInLevel: 0, signInAtMs: nowMs };
}

/** Computes the bucket of a user's rows: a plain hash, because the memory store has no bucket key. */
export function bucketOf(sub: string): number {
  return createHash('sha256').update(sub).digest().readUInt8(0);
}
