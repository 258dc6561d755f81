import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { SessionRevoked } from '../../server/src/events.ts';
import type { EndingCause } from '../../server/src/user-store.ts';
import type { Policy } from '../../server/src/policy.ts';
import type {
  Activity,
  AuthorizationCodeStore,
  CopyToVerify,
  Delivery,
  NewAuthorizationCode,
  RotationCandidate,
  RowVersion,
  SessionRecord,
  SessionStore,
} from '../../server/src/store.ts';
import type { Connection, Database, Transaction } from './database.ts';
import type { Random } from './random.ts';

// The store's contract over the simulated database. What PostgreSQL's statements say in their WHERE is said here once more,
// in the same words and without a look at `decide`: the two must agree, and the simulator is where they would be caught.

/** A session's row. */
export type SessionRow = Omit<SessionRecord, 'nowMs'> & { readonly seed: Buffer };

type CodeRow = NewAuthorizationCode & { readonly expiresAtMs: number; readonly sid: string | null };

/** What the statements did, for whoever keeps the books. */
export type TableWatch = {
  readonly onCreated: (row: SessionRow) => void;
  readonly onRotated: (row: SessionRow, candidate: RotationCandidate) => void;
  readonly onWritten: (row: SessionRow, how: 'healed' | 'replayed' | 'slid') => void;
  readonly onEnded: (row: SessionRow, reason: string) => void;
};

/** All that the database holds, and how a node connects to it. */
export type Tables = {
  readonly sessions: ReadonlyMap<string, SessionRow>;
  connect(by: Connection): { readonly sessions: SessionStore; readonly codes: AuthorizationCodeStore };
};

type Parts = {
  readonly database: Database;
  readonly random: Random;
  readonly policy: Policy;
  readonly watch: TableWatch;
  readonly sessions: Map<string, SessionRow>;
  readonly codes: Map<string, CodeRow>;
};

const LAST_GENERATION = 2 ** 31 - 1;

/** The secret that a session's seed gives for a generation and a nonce. */
function secretOf(row: SessionRow, generation: number, nonce: Buffer): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32BE(generation);
  return createHash('sha256').update(row.seed).update(number).update(nonce).digest().subarray(0, 16);
}

/** Row 1 of the decision, from the living side. */
export const isLive = (row: SessionRow, nowMs: number): boolean =>
  row.revokedReason === null && row.expiresAtMs > nowMs && row.idleExpiresAtMs > nowMs;

const isObserved = (row: SessionRow | undefined, version: RowVersion): row is SessionRow =>
  row?.generation === version.generation && row.replays === version.replays && row.revokedReason === null;

function toRecord({ seed, ...row }: SessionRow, nowMs: number): SessionRecord {
  void seed;
  return { ...row, nowMs };
}

export function createTables(database: Database, random: Random, policy: Policy, watch: TableWatch): Tables {
  const parts: Parts = { database, random, policy, watch, sessions: new Map(), codes: new Map() };
  return {
    sessions: parts.sessions,
    connect: (by) => {
      // What lists and labels sessions is not played here.
      const sessions: Partial<SessionStore> = { ...rotations(parts, by), ...verdicts(parts, by) };
      const ours: Partial<AuthorizationCodeStore> = codes(parts, by);
      return { sessions: sessions as SessionStore, codes: ours as AuthorizationCodeStore };
    },
  };
}

const termsOf = (parts: Parts, sids: readonly string[], isDurable: boolean, namesRow = true) => ({
  rows: sids,
  isDurable,
  namesRow,
  lockTimeoutMs: isDurable ? parts.policy.statementTimeoutMs : parts.policy.lockTimeoutMs,
});

function slidIdleExpiry(row: SessionRow, use: Activity, nowMs: number): number {
  if (!use.isUserActive) return row.idleExpiresAtMs;
  return Math.min(nowMs + use.inactivityTimeoutSeconds * 1_000, row.expiresAtMs);
}

/** Rows 1 to 4 of the decision, as the rotating statement's condition. */
function mayRotate(row: SessionRow, candidate: RotationCandidate, nowMs: number, { policy }: Parts): boolean {
  const asked = candidate.scope?.split(' ') ?? [];
  const isRecent =
    row.deliveredAtMs > nowMs - policy.rotationIntervalMs && row.deliveredAtMs < nowMs + policy.rotationIntervalMs;
  return (
    isLive(row, nowMs) &&
    row.clientId === candidate.clientId &&
    asked.every((value) => row.scope.includes(value)) &&
    row.jkt === null &&
    row.generation === candidate.generation &&
    row.generation < LAST_GENERATION &&
    !(row.replays === 0 && isRecent) &&
    secretOf(row, row.generation, candidate.nonce).equals(candidate.secret)
  );
}

function rotateOne(parts: Parts, candidate: RotationCandidate, { nowMs, put }: Transaction): Delivery | null {
  const row = parts.sessions.get(candidate.sid);
  if (row === undefined || !mayRotate(row, candidate, nowMs, parts)) return null;
  const rotated: SessionRow = {
    ...row,
    generation: row.generation + 1,
    rotatedBy: candidate.nonce.toString('hex'),
    deliveredAtMs: nowMs,
    replays: 0,
    idleExpiresAtMs: slidIdleExpiry(row, candidate, nowMs),
  };
  put(parts.sessions, row.sid, rotated);
  parts.watch.onRotated(rotated, candidate);
  return { record: toRecord(rotated, nowMs), secret: secretOf(rotated, rotated.generation, candidate.nextNonce) };
}

type Change = (row: SessionRow, nowMs: number) => SessionRow;

/** A write by compare-and-swap on the version that was decided on. */
function swap(parts: Parts, by: Connection, version: RowVersion, isDurable: boolean, change: Change) {
  return parts.database.transact(by, termsOf(parts, [version.sid], isDurable), ({ nowMs, put }) => {
    const row = parts.sessions.get(version.sid);
    if (!isObserved(row, version)) return null;
    const changed = change(row, nowMs);
    put(parts.sessions, row.sid, changed);
    return { row: changed, record: toRecord(changed, nowMs) };
  });
}

type Rotations = Pick<SessionStore, 'rotate' | 'read' | 'heal' | 'replay' | 'slide'>;

function rotations(parts: Parts, by: Connection): Rotations {
  const { database, sessions, watch } = parts;
  const idle = (row: SessionRow, use: Activity, nowMs: number): Pick<SessionRow, 'idleExpiresAtMs'> => ({
    idleExpiresAtMs: slidIdleExpiry(row, use, nowMs),
  });
  return {
    rotate: (candidates) => {
      const sids = candidates.map(({ sid }) => sid);
      return database.transact(by, termsOf(parts, sids, false), (transaction) =>
        candidates.map((candidate) => rotateOne(parts, candidate, transaction)),
      );
    },
    read: (copies) =>
      database.query(by, (nowMs) =>
        copies.map((copy: CopyToVerify) => {
          const row = sessions.get(copy.sid);
          if (row === undefined) return null;
          const isSecretGenuine = secretOf(row, copy.generation, copy.nonce).equals(copy.secret);
          return { record: toRecord(row, nowMs), isSecretGenuine };
        }),
      ),
    heal: async (version, generation, use) => {
      const done = await swap(parts, by, version, false, (row, nowMs) => {
        const healed = {
          ...row,
          generation,
          rotatedBy: null,
          deliveredAtMs: nowMs,
          replays: 0,
          ...idle(row, use, nowMs),
        };
        watch.onWritten(healed, 'healed');
        return healed;
      });
      return done && done.record;
    },
    replay: async (version, nonce, use) => {
      const done = await swap(parts, by, version, true, (row, nowMs) => {
        const replayed = { ...row, deliveredAtMs: nowMs, replays: row.replays + 1, ...idle(row, use, nowMs) };
        watch.onWritten(replayed, 'replayed');
        return replayed;
      });
      return done && { record: done.record, secret: secretOf(done.row, done.row.generation, nonce) };
    },
    slide: async (version, use) => {
      const done = await swap(parts, by, version, false, (row, nowMs) => {
        const slid = { ...row, ...idle(row, use, nowMs) };
        watch.onWritten(slid, 'slid');
        return slid;
      });
      return done && done.record;
    },
  };
}

type Verdicts = Pick<SessionStore, 'end' | 'revoke' | 'findLive' | 'findOwner'>;

function verdicts(parts: Parts, by: Connection): Verdicts {
  const { database, sessions, watch } = parts;
  const endRow = (row: SessionRow, { reason }: EndingCause): SessionRow => {
    const ended = { ...row, revokedReason: reason };
    watch.onEnded(ended, reason);
    return ended;
  };
  const toFact = ({ sid, sub, clientId }: SessionRow, { reason, address }: EndingCause): SessionRevoked => ({
    type: 'session.revoked',
    sid,
    sub,
    clientId,
    reason,
    address,
  });
  return {
    end: async (version, cause) => {
      const done = await swap(parts, by, version, true, (row) => endRow(row, cause));
      return done && toFact(done.row, cause);
    },
    revoke: (sid, cause, sub) =>
      database.transact(by, termsOf(parts, [sid], true, false), ({ nowMs, put }) => {
        const row = sessions.get(sid);
        if (row === undefined || !isLive(row, nowMs) || (sub !== undefined && row.sub !== sub)) return null;
        put(sessions, sid, endRow(row, cause));
        return toFact(row, cause);
      }),
    findOwner: (sid) => database.query(by, () => sessions.get(sid)?.sub ?? null),
    findLive: (sids) =>
      database.query(by, (nowMs) =>
        sids.flatMap((sid) => {
          const row = sessions.get(sid);
          return row && isLive(row, nowMs) ? [{ sid, sub: row.sub, clientId: row.clientId }] : [];
        }),
      ),
  };
}

type Codes = Pick<AuthorizationCodeStore, 'insert' | 'find' | 'exchange'>;

function codes(parts: Parts, by: Connection): Codes {
  const { database, policy, codes, sessions, random, watch } = parts;
  const write = <Result>(key: string, work: (transaction: Transaction) => Result): Promise<Result> =>
    database.transact(by, termsOf(parts, [key], true, false), work);
  return {
    insert: (code) => {
      const key = code.codeHash.toString('hex');
      return write(key, ({ nowMs, put }) =>
        put(codes, key, { ...code, sid: null, expiresAtMs: nowMs + policy.authorizationCodeLifetimeSeconds * 1_000 }),
      );
    },
    find: (codeHash) =>
      database.query(by, (nowMs) => {
        const code = codes.get(codeHash.toString('hex'));
        if (code === undefined) return null;
        const { clientId, codeChallenge, jkt, sid, expiresAtMs } = code;
        return { clientId, codeChallenge, jkt, sid, isExpired: expiresAtMs <= nowMs };
      }),
    exchange: (codeHash, { sid, jkt, lifetimes, nonce }) => {
      const key = codeHash.toString('hex');
      return write(key, ({ nowMs, put }) => {
        const code = codes.get(key);
        if (code === undefined || code.sid !== null || code.expiresAtMs <= nowMs) return null;
        put(codes, key, { ...code, sid });
        const expiresAtMs = nowMs + lifetimes.absoluteLifetimeSeconds * 1_000;
        const row: SessionRow = {
          sid,
          sub: code.sub,
          clientId: code.clientId,
          scope: code.scope,
          amr: code.amr,
          acr: code.acr,
          authTimeSeconds: Math.floor(nowMs / 1_000),
          jkt,
          generation: 0,
          rotatedBy: null,
          deliveredAtMs: nowMs,
          replays: 0,
          idleExpiresAtMs: Math.min(nowMs + lifetimes.inactivityTimeoutSeconds * 1_000, expiresAtMs),
          expiresAtMs,
          revokedReason: null,
          replaces: code.replaces,
          seed: random.bytes(32),
        };
        put(sessions, sid, row);
        watch.onCreated(row);
        return { record: toRecord(row, nowMs), secret: secretOf(row, 0, nonce) };
      });
    },
  };
}
