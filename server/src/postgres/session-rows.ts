import type { IssuedGeneration, ListedSession, LiveSession, SessionRecord } from '../storage/store.ts';

/** A row as PostgreSQL returns it. */
export type SessionRow = {
  readonly id: string;
  readonly user_id: string;
  readonly client_id: string;
  readonly scope: string;
  readonly amr: string;
  readonly acr: string;
  readonly generation: number;
  readonly rotated_by: Buffer | null;
  readonly redeliveries: number;
  readonly revoked_reason: string | null;
  readonly dpop_jkt: string | null;
  readonly replaces: string | null;
  readonly device_id: string;
  readonly device_sequence: number;
  readonly has_predecessors: boolean;
  readonly last_used_at_ms: number | null;
  readonly auth_time_ms: number;
  readonly delivered_at_ms: number;
  readonly idle_expires_at_ms: number;
  readonly expires_at_ms: number;
  readonly now_ms: number;
};

export type DeliveryRow = {
  readonly secret: Buffer;
} & SessionRow;

export type ReadingRow = {
  readonly position: number;
  readonly is_secret_genuine: boolean;
} & SessionRow;

export type IdRow = {
  readonly id: string;
};

export type LiveRow = {
  readonly device_id: string;
  readonly device_sequence: number;
  readonly user_id: string;
  readonly client_id: string;
} & IdRow;

export type ListedRow = {
  readonly device_id: string;
  readonly is_current: boolean;
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
} & IdRow;

export function toRecord(row: SessionRow): SessionRecord {
  return {
    sid: row.id,
    sub: row.user_id,
    clientId: row.client_id,
    scope: splitValues(row.scope),
    amr: splitValues(row.amr),
    acr: row.acr,
    authTimeSeconds: Math.floor(row.auth_time_ms / 1_000),
    jkt: row.dpop_jkt,
    generation: row.generation,
    rotatedBy: row.rotated_by?.toString('hex') ?? null,
    deliveredAtMs: row.delivered_at_ms,
    redeliveries: row.redeliveries,
    idleExpiresAtMs: row.idle_expires_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedReason: row.revoked_reason,
    replaces: row.replaces,
    deviceId: row.device_id,
    deviceSequence: row.device_sequence,
    hasPredecessors: row.has_predecessors,
    lastUsedAtMs: row.last_used_at_ms,
    nowMs: row.now_ms,
  };
}

export function toRecordOrNull([row]: readonly SessionRow[]): SessionRecord | null {
  return row === undefined ? null : toRecord(row);
}

export function toDelivery(row: DeliveryRow): IssuedGeneration {
  return { record: toRecord(row), secret: row.secret };
}

export function toLiveSession(row: LiveRow): LiveSession {
  return {
    sid: row.id,
    sub: row.user_id,
    clientId: row.client_id,
    deviceId: row.device_id,
    deviceSequence: row.device_sequence,
  };
}

export function toListedSession(row: ListedRow): ListedSession {
  return {
    sid: row.id,
    deviceId: row.device_id,
    isCurrent: row.is_current,
    clientId: row.client_id,
    deviceLabel: row.device_label,
    userAgent: row.last_user_agent,
    address: row.last_address,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    expiresAtMs: row.expires_at_ms,
    authTimeSeconds: Math.floor(row.auth_time_ms / 1_000),
    amr: splitValues(row.amr),
    acr: row.acr,
  };
}

/** Splits space-delimited values, as RFC 6749 writes a scope. The empty string holds none. */
function splitValues(joined: string): readonly string[] {
  return joined === '' ? [] : joined.split(' ');
}
