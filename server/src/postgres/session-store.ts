import type { QueryConfig } from 'pg';
import type { SessionRevoked } from '../kernel/events.ts';
import type { Policy } from '../kernel/policy.ts';
import type { Activity, CopyToVerify, Reading, RotationCandidate, RowVersion, SessionStore } from '../storage/store.ts';
import type { EndingCause } from '../storage/user-store.ts';
import { bucketOfId, createChainEndings, endSessions } from './chain-endings.ts';
import { run, transact, type Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import { intendEndings } from './mass-ending-store.ts';
import {
  toDelivery,
  toListedSession,
  toLiveSession,
  toRecord,
  toRecordOrNull,
  type DeliveryRow,
  type IdRow,
  type ListedRow,
  type LiveRow,
  type ReadingRow,
  type SessionRow,
} from './session-rows.ts';
import * as statements from './session-statements.ts';
import { lockSubject, moveEpoch, type BucketOf } from './subject-store.ts';

type SessionPolicy = Pick<Policy, 'rotationIntervalMs'>;

/**
 * Sessions in PostgreSQL.
 *
 * @param recordEvents records the end of a session in the transaction that ends it
 */
export function createSessionStore(
  connections: Connections,
  policy: SessionPolicy,
  bucketOf: BucketOf,
  recordEvents: RecordEvents,
): SessionStore {
  const { rotations, durable } = connections;
  const observed = ({ sid, generation, redeliveries }: RowVersion): unknown[] => [
    bucketOfId(sid),
    sid,
    generation,
    redeliveries,
  ];
  const activity = ({ isUserActive, address, userAgent, inactivityTimeoutSeconds }: Activity): unknown[] => [
    isUserActive,
    address,
    userAgent,
    inactivityTimeoutSeconds,
  ];
  const endOne = (statement: QueryConfig, cause: EndingCause): Promise<SessionRevoked | null> =>
    transact(durable, async (client) => (await endSessions(client, statement, cause, recordEvents))[0] ?? null);
  return {
    rotate: async (candidates) => {
      const rows = await run<DeliveryRow>(rotations, rotation(candidates, policy));
      const bySid = new Map(rows.map((row) => [row.id, toDelivery(row)]));
      return candidates.map(({ sid }) => bySid.get(sid) ?? null);
    },
    read: async (copies) => {
      const rows = await run<ReadingRow>(rotations, reading(copies));
      const readings: (Reading | null)[] = copies.map(() => null);
      for (const row of rows) {
        readings[row.position - 1] = { record: toRecord(row), isSecretGenuine: row.is_secret_genuine };
      }
      return readings;
    },
    heal: async (version, generation, use) => {
      const values = [...observed(version), ...activity(use), generation];
      return toRecordOrNull(await run<SessionRow>(rotations, { name: 'heal', text: statements.HEAL, values }));
    },
    redeliver: async (version, nonce, use) => {
      const values = [...observed(version), ...activity(use), nonce];
      const [row] = await run<DeliveryRow>(durable, { name: 'redeliver', text: statements.REDELIVER, values });
      return row === undefined ? null : toDelivery(row);
    },
    slide: async (version, use) => {
      const values = [...observed(version), ...activity(use)];
      return toRecordOrNull(await run<SessionRow>(rotations, { name: 'slide', text: statements.SLIDE, values }));
    },
    end: (version, cause) => endOne({ text: statements.END, values: [...observed(version), cause.reason] }, cause),
    ...createChainEndings(connections, bucketOf, recordEvents),
    revokeAllOfUser: (sub, ending) =>
      transact(durable, async (client) => {
        const subject = await lockSubject(client, bucketOf, sub);
        return intendEndings(client, await moveEpoch(client, subject), ending);
      }),
    ...lookups(connections, bucketOf),
  };
}

type Lookups = Pick<SessionStore, 'listOfUser' | 'findMember' | 'isDeviceOf' | 'findLive'>;

function lookups({ durable }: Connections, bucketOf: BucketOf): Lookups {
  return {
    listOfUser: async (sub, { currentSid, after, limit }) => {
      const values = [bucketOf(sub), sub, currentSid, after?.lastUsedAtMs ?? null, after?.sid ?? null, limit + 1];
      const rows = await run<ListedRow>(durable, { text: statements.LIST_OF_USER, values });
      const sessions = rows.slice(0, limit).map(toListedSession);
      return { sessions, next: rows.length > limit ? (sessions.at(-1) ?? null) : null };
    },
    findMember: async (sid) => {
      const values = [bucketOfId(sid), sid];
      const [row] = await run<LiveRow>(durable, { text: statements.FIND_MEMBER, values });
      return row === undefined ? null : toLiveSession(row);
    },
    isDeviceOf: async (sid, secretHash) => {
      const values = [bucketOfId(sid), sid, secretHash];
      return (await run<IdRow>(durable, { text: statements.IS_DEVICE_OF, values })).length > 0;
    },
    findLive: async (sids) => {
      const values = [sids.map(bucketOfId), sids];
      return (await run<LiveRow>(durable, { text: statements.FIND_LIVE, values })).map(toLiveSession);
    },
  };
}

/** Builds the rotating statement. The candidates must be sorted by id. */
export function rotation(candidates: readonly RotationCandidate[], policy: SessionPolicy): QueryConfig {
  return {
    name: 'rotate',
    text: statements.ROTATE,
    values: [
      ...copyColumns(candidates),
      candidates.map(({ clientId }) => clientId),
      candidates.map(({ scope }) => scope),
      candidates.map(({ isUserActive }) => isUserActive),
      candidates.map(({ nextNonce }) => nextNonce),
      candidates.map(({ address }) => address),
      candidates.map(({ userAgent }) => userAgent),
      candidates.map(({ inactivityTimeoutSeconds }) => inactivityTimeoutSeconds),
      policy.rotationIntervalMs / 1_000,
    ],
  };
}

/** Builds the reading statement. */
export function reading(copies: readonly CopyToVerify[]): QueryConfig {
  return { name: 'read', text: statements.READ, values: copyColumns(copies) };
}

function copyColumns(copies: readonly CopyToVerify[]): unknown[] {
  return [
    copies.map(({ sid }) => bucketOfId(sid)),
    copies.map(({ sid }) => sid),
    copies.map(({ generation }) => generation),
    copies.map(({ nonce }) => nonce),
    copies.map(({ secret }) => secret),
  ];
}
