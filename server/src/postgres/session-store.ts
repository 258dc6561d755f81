import type { QueryConfig } from 'pg';
import type { SessionRevoked } from '../events.ts';
import type { Policy } from '../policy.ts';
import type {
  Activity,
  CopyToVerify,
  Delivery,
  ListedSession,
  LiveSession,
  Reading,
  RotationCandidate,
  RowVersion,
  SessionRecord,
  SessionStore,
} from '../store.ts';
import type { EndingCause } from '../user-store.ts';
import { run, transact } from './connections.ts';
import type { Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import * as statements from './session-statements.ts';
import { endSessions, endSessionsOfUser, VOID_SIGN_INS } from './user-store.ts';

/** A row as PostgreSQL returns it. */
export interface SessionRow {
  readonly id: string;
  readonly user_id: string;
  readonly client_id: string;
  readonly scope: string;
  readonly amr: string;
  readonly acr: string;
  readonly generation: number;
  readonly rotated_by: Buffer | null;
  readonly replays: number;
  readonly revoked_reason: string | null;
  readonly dpop_jkt: string | null;
  readonly replaces: string | null;
  readonly auth_time_ms: number;
  readonly delivered_at_ms: number;
  readonly idle_expires_at_ms: number;
  readonly expires_at_ms: number;
  readonly now_ms: number;
}

export interface DeliveryRow extends SessionRow {
  readonly secret: Buffer;
}

interface ReadingRow extends SessionRow {
  readonly position: number;
  readonly is_secret_genuine: boolean;
}

interface IdRow {
  readonly id: string;
}

interface LiveRow extends IdRow {
  readonly user_id: string;
  readonly client_id: string;
}

interface ListedRow extends IdRow {
  readonly client_id: string;
  readonly device_label: string | null;
  readonly last_user_agent: string;
  readonly last_address: string;
  readonly amr: string;
  readonly acr: string;
  readonly created_at_ms: number;
  readonly auth_time_ms: number;
  readonly expires_at_ms: number;
  readonly last_used_at_ms: number;
}

type SessionPolicy = Pick<Policy, 'rotationIntervalMs'>;

/**
 * Sessions in PostgreSQL.
 *
 * @param recordEvents records the end of a session in the transaction that ends it
 */
export function createSessionStore(
  { rotations, durable }: Connections,
  policy: SessionPolicy,
  recordEvents: RecordEvents,
): SessionStore {
  const observed = ({ sid, generation, replays }: RowVersion): unknown[] => [bucketOf(sid), sid, generation, replays];
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
    replay: async (version, nonce, use) => {
      const values = [...observed(version), ...activity(use), nonce];
      const [row] = await run<DeliveryRow>(durable, { name: 'replay', text: statements.REPLAY, values });
      return row === undefined ? null : toDelivery(row);
    },
    slide: async (version, use) => {
      const values = [...observed(version), ...activity(use)];
      return toRecordOrNull(await run<SessionRow>(rotations, { name: 'slide', text: statements.SLIDE, values }));
    },
    end: (version, cause) => endOne({ text: statements.END, values: [...observed(version), cause.reason] }, cause),
    revoke: (sid, cause, sub) => {
      const values = [bucketOf(sid), sid, cause.reason, sub ?? null];
      return endOne({ text: statements.REVOKE, values }, cause);
    },
    revokeAllOfUser: (sub, ending) =>
      transact(durable, async (client) => {
        await client.query(VOID_SIGN_INS, [sub]);
        return endSessionsOfUser(client, sub, ending, recordEvents);
      }),
    listOfUser: async (sub, timeouts) => {
      const values = [sub, [...timeouts.keys()], [...timeouts.values()]];
      return (await run<ListedRow>(durable, { text: statements.LIST_OF_USER, values })).map(toListedSession);
    },
    label: async (sid, sub, deviceLabel) => {
      const values = [bucketOf(sid), sid, sub, deviceLabel];
      return (await run<IdRow>(durable, { text: statements.LABEL, values })).length > 0;
    },
    findOwner: async (sid) => {
      const values = [bucketOf(sid), sid];
      const [row] = await run<Pick<LiveRow, 'user_id'>>(durable, { text: statements.FIND_OWNER, values });
      return row?.user_id ?? null;
    },
    findLive: async (sids) => {
      const values = [sids.map(bucketOf), sids];
      return (await run<LiveRow>(durable, { text: statements.FIND_LIVE, values })).map(toLiveSession);
    },
  };
}

/** The first byte of the id: how rows spread over partitions and shards. */
export function bucketOf(sid: string): number {
  return Number.parseInt(sid.slice(0, 2), 16);
}

/** The rotating statement for candidates that are sorted by id. */
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
      policy.rotationIntervalMs / 1000,
    ],
  };
}

/** The reading statement. */
export function reading(copies: readonly CopyToVerify[]): QueryConfig {
  return { name: 'read', text: statements.READ, values: copyColumns(copies) };
}

function copyColumns(copies: readonly CopyToVerify[]): unknown[] {
  return [
    copies.map(({ sid }) => bucketOf(sid)),
    copies.map(({ sid }) => sid),
    copies.map(({ generation }) => generation),
    copies.map(({ nonce }) => nonce),
    copies.map(({ secret }) => secret),
  ];
}

export function toRecord(row: SessionRow): SessionRecord {
  return {
    sid: row.id,
    sub: row.user_id,
    clientId: row.client_id,
    scope: splitValues(row.scope),
    amr: splitValues(row.amr),
    acr: row.acr,
    authTimeSeconds: Math.floor(row.auth_time_ms / 1000),
    jkt: row.dpop_jkt,
    generation: row.generation,
    rotatedBy: row.rotated_by?.toString('hex') ?? null,
    deliveredAtMs: row.delivered_at_ms,
    replays: row.replays,
    idleExpiresAtMs: row.idle_expires_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedReason: row.revoked_reason,
    replaces: row.replaces,
    nowMs: row.now_ms,
  };
}

function toRecordOrNull([row]: readonly SessionRow[]): SessionRecord | null {
  return row === undefined ? null : toRecord(row);
}

export function toDelivery(row: DeliveryRow): Delivery {
  return { record: toRecord(row), secret: row.secret };
}

function toLiveSession(row: LiveRow): LiveSession {
  return { sid: row.id, sub: row.user_id, clientId: row.client_id };
}

function toListedSession(row: ListedRow): ListedSession {
  return {
    sid: row.id,
    clientId: row.client_id,
    deviceLabel: row.device_label,
    userAgent: row.last_user_agent,
    address: row.last_address,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    expiresAtMs: row.expires_at_ms,
    authTimeSeconds: Math.floor(row.auth_time_ms / 1000),
    amr: splitValues(row.amr),
    acr: row.acr,
  };
}

/** Space-delimited values, as RFC 6749 writes a scope; the empty string holds none. */
function splitValues(joined: string): readonly string[] {
  return joined === '' ? [] : joined.split(' ');
}
