import type { SessionRevoked } from '../kernel/events.ts';
import { newSid } from '../kernel/ids.ts';
import {
  bucketOf,
  endRows,
  isLive,
  liveOfUser,
  secretOf,
  subjectOf,
  toRecord,
  type MemoryCode,
  type MemoryParts,
  type MemorySession,
  type MemorySubject,
  type MemoryTransaction,
} from './memory-tables.ts';
import type { AuthorizationCodeStore, ExchangeResult, NewSession } from './store.ts';

/** Evict a chain that was never used before all others once its newest session is this old. */
const UNUSED_GRACE_MS = 15 * 60_000;
/** Most chains that one sign-in ends. */
const MAX_EVICTED_CHAINS = 100;

/** Authorization codes, and the sessions that they are exchanged for. */
export function memoryCodes(parts: MemoryParts): AuthorizationCodeStore {
  const { tables, transact, query, policy } = parts;
  return {
    insert: (code) => {
      const key = code.codeHash.toString('hex');
      return transact({ rows: [key], isDurable: true, namesRow: false }, ({ nowMs, put }) =>
        put(tables.codes, key, {
          ...code,
          sid: null,
          authTimeMs: nowMs,
          expiresAtMs: nowMs + policy.authorizationCodeLifetimeSeconds * 1_000,
          issuedSequence: tables.subjects.get(code.sub)?.lastSequence ?? 0,
        }),
      );
    },
    find: (codeHash) =>
      query((nowMs) => {
        const code = tables.codes.get(codeHash.toString('hex'));
        if (code === undefined) return null;
        const { clientId, codeChallenge, jkt, sid, expiresAtMs } = code;
        return { clientId, codeChallenge, jkt, sid, isExpired: expiresAtMs <= nowMs };
      }),
    exchange: (codeHash, session) => {
      const key = codeHash.toString('hex');
      const sub = tables.codes.get(key)?.sub;
      const kin = [...tables.sessions.values()].filter((row) => row.sub === sub && row.revokedReason === null);
      const rows = [...(sub === undefined ? [] : [sub]), ...kin.map(({ sid }) => sid).toSorted(), key];
      return transact({ rows, isDurable: true, namesRow: false }, (transaction) =>
        exchange(parts, transaction, key, session),
      );
    },
  };
}

/** The inputs of one exchange, under the subject's lock. */
type Scope = {
  readonly parts: MemoryParts;
  readonly transaction: MemoryTransaction;
  readonly code: MemoryCode;
  readonly session: NewSession;
};

type Chain = {
  readonly deviceId: string;
  readonly label: string | null;
  /** The named session, if the exchange proves that it comes from its device. */
  readonly named: MemorySession | null;
};

function exchange(
  parts: MemoryParts,
  transaction: MemoryTransaction,
  key: string,
  session: NewSession,
): ExchangeResult {
  const { tables, policy } = parts;
  const { nowMs } = transaction;
  const code = tables.codes.get(key);
  if (code === undefined || code.sid !== null || code.expiresAtMs <= nowMs) return { kind: 'refused', reason: 'code' };
  const subject = subjectOf(parts, code.sub, nowMs);
  if (code.signInEpoch !== subject.epoch) return { kind: 'refused', reason: 'code' };
  const scope: Scope = { parts, transaction, code, session };
  const chain = findChain(scope);
  const isVoid = [...tables.sessions.values()].some(
    ({ sub, deviceId, signedOutSequence }) =>
      sub === code.sub && deviceId === chain.deviceId && (signedOutSequence ?? 0) > code.issuedSequence,
  );
  if (isVoid) return { kind: 'refused', reason: 'signed_out' };
  const leakedMs = Math.max(0, nowMs - subject.signInAtMs);
  const level = Math.max(0, subject.signInLevel - leakedMs / (policy.signInIntervalSeconds * 1_000)) + 1;
  if (level > policy.signInBurstPerAccount) {
    const beyond = level - policy.signInBurstPerAccount;
    return { kind: 'delayed', sub: code.sub, retryAfterMs: Math.ceil(beyond * policy.signInIntervalSeconds * 1_000) };
  }
  const living = liveOfUser(tables, code.sub, nowMs, ({ deviceId }) => deviceId === chain.deviceId);
  // A chain without a live session does not count, so a new session in it needs room for one more chain.
  const evicted = living.length === 0 ? chooseEvicted(scope) : [];
  if (evicted === null || isBrowserFull(scope, chain)) return { kind: 'too_many_sessions' };
  // Take the label from the chain's live sessions, because ended ones may have an older label or none.
  const label = living.length === 0 ? chain.label : (living[0]?.deviceLabel ?? null);
  const ended = [...endRows(parts, transaction, evicted, { reason: 'limit', address: session.address })];
  ended.push(...noteFirstUse(scope, chain));
  const overflow = chooseOverflow(scope, chain);
  ended.push(...endRows(parts, transaction, overflow, { reason: 'limit', address: session.address }));
  return create(scope, { ...chain, label }, { ...subject, signInLevel: level }, { key, ended });
}

const copiesOf = ({ parts: { tables }, code, session: { device } }: Scope): readonly MemorySession[] =>
  device.copiesOf.flatMap((sid) => {
    const row = tables.sessions.get(sid);
    return row !== undefined && row.sub === code.sub && row.clientId === code.clientId ? [row] : [];
  });

function findChain(scope: Scope): Chain {
  const { parts, code, session } = scope;
  const { secretHash, replaces } = session.device;
  const own = [...parts.tables.sessions.values()].filter(
    (row) => row.sub === code.sub && row.clientId === code.clientId,
  );
  const named = own.find(({ sid }) => sid === replaces);
  const secret = secretHash?.toString('hex');
  const ofSecret = own
    .filter(({ deviceSecretHash }) => secret !== undefined && deviceSecretHash === secret)
    .toSorted((a, b) => b.deviceSequence - a.deviceSequence);
  const isProven =
    named !== undefined && [...ofSecret, ...copiesOf(scope)].some(({ deviceId }) => deviceId === named.deviceId);
  const joined = isProven ? named : ofSecret[0];
  return {
    deviceId: joined?.deviceId ?? newSid(parts.randomBytes(1).readUInt8(0), parts.randomBytes(15)),
    label: joined?.deviceLabel ?? null,
    named: isProven ? named : null,
  };
}

/**
 * Chooses the chains to end, so that there is room for one more.
 *
 * @returns their sessions; null if the sign-in is refused
 */
function chooseEvicted({ parts, transaction, code }: Scope): readonly MemorySession[] | null {
  const { nowMs } = transaction;
  const chains = new Map<string, MemorySession[]>();
  for (const row of liveOfUser(parts.tables, code.sub, nowMs)) {
    chains.set(row.deviceId, [...(chains.get(row.deviceId) ?? []), row]);
  }
  const excess = Math.min(chains.size - parts.policy.maxDeviceChainsPerUser + 1, MAX_EVICTED_CHAINS);
  if (excess <= 0) return [];
  const order = [...chains.values()]
    .map((rows) => describeChain(rows, nowMs))
    .filter(({ acr }) => acr <= code.acr)
    .toSorted(compareChains);
  return order.length < excess ? null : order.slice(0, excess).flatMap(({ rows }) => rows);
}

type ChainSummary = {
  readonly rows: readonly MemorySession[];
  readonly acr: string;
  readonly sequence: number;
  readonly isForgotten: boolean;
  readonly usedAtMs: number;
};

function describeChain(rows: readonly MemorySession[], nowMs: number): ChainSummary {
  const used = rows.flatMap(({ lastUsedAtMs }) => (lastUsedAtMs === null ? [] : [lastUsedAtMs]));
  const madeAtMs = Math.max(...rows.map(({ createdAtMs }) => createdAtMs));
  return {
    rows,
    acr:
      rows
        .map(({ acr }) => acr)
        .toSorted()
        .at(-1) ?? '',
    sequence: Math.max(...rows.map(({ deviceSequence }) => deviceSequence)),
    isForgotten: used.length === 0 && madeAtMs <= nowMs - UNUSED_GRACE_MS,
    usedAtMs: used.length === 0 ? madeAtMs : Math.max(...used),
  };
}

/** Order of eviction: chains never used after 15 minutes, oldest first; then lower `acr`; then least recently used. */
function compareChains(a: ChainSummary, b: ChainSummary): number {
  if (a.isForgotten !== b.isForgotten) return a.isForgotten ? -1 : 1;
  if (a.isForgotten) return a.sequence - b.sequence;
  if (a.acr !== b.acr) return a.acr < b.acr ? -1 : 1;
  return a.usedAtMs - b.usedAtMs || a.sequence - b.sequence;
}

/** Records the first use of a live named session if the exchange brings its own copy, and ends the older ones. */
function noteFirstUse(scope: Scope, { named }: Chain): readonly SessionRevoked[] {
  const { parts, transaction, session } = scope;
  const { nowMs, put } = transaction;
  if (named === null || !isLive(named, nowMs) || !session.device.copiesOf.includes(named.sid)) return [];
  put(parts.tables.sessions, named.sid, { ...named, hasPredecessors: false, lastUsedAtMs: nowMs });
  const older = liveOfUser(
    parts.tables,
    named.sub,
    nowMs,
    (row) => row.deviceId === named.deviceId && row.deviceSequence < named.deviceSequence,
  );
  return endRows(parts, transaction, older, { reason: 'replaced', address: session.address });
}

/**
 * Chooses the sessions over the limit of a chain, or of a browser with cookies of several chains; never the named one.
 */
function chooseOverflow(scope: Scope, { deviceId, named }: Chain): readonly MemorySession[] {
  const { parts, transaction, code } = scope;
  const { tables, policy } = parts;
  const { nowMs } = transaction;
  const most = policy.maxSessionsPerDeviceChain;
  const ofChain = liveOfUser(tables, code.sub, nowMs, (row) => row.deviceId === deviceId);
  const oldestUnusedFirst = ofChain
    .filter(({ sid }) => sid !== named?.sid)
    .toSorted(
      (a, b) =>
        Number(a.lastUsedAtMs !== null) - Number(b.lastUsedAtMs !== null) || a.deviceSequence - b.deviceSequence,
    );
  const ofBrowser = copiesOf(scope)
    .filter((row) => isLive(row, nowMs))
    .toSorted((a, b) => compareKept(a, b, scope, deviceId))
    .slice(most)
    .filter(({ sid }) => sid !== named?.sid);
  return [...new Set([...oldestUnusedFirst.slice(0, Math.max(0, ofChain.length + 1 - most)), ...ofBrowser])];
}

/** True for a session of another device with a higher `acr`: a sign-in never ends it. */
const isProtected = ({ deviceId, acr }: MemorySession, { code }: Scope, ownDeviceId: string): boolean =>
  deviceId !== ownDeviceId && acr > code.acr;

/** Order in which a browser keeps sessions: protected first, then higher `acr`, then last used. */
function compareKept(a: MemorySession, b: MemorySession, scope: Scope, deviceId: string): number {
  const isAKept = isProtected(a, scope, deviceId);
  if (isAKept !== isProtected(b, scope, deviceId)) return isAKept ? -1 : 1;
  if (a.acr !== b.acr) return a.acr > b.acr ? -1 : 1;
  return (b.lastUsedAtMs ?? 0) - (a.lastUsedAtMs ?? 0) || b.deviceSequence - a.deviceSequence;
}

function isBrowserFull(scope: Scope, { deviceId, named }: Chain): boolean {
  const { nowMs } = scope.transaction;
  const kept = copiesOf(scope).filter((row) => isLive(row, nowMs) && isProtected(row, scope, deviceId)).length;
  const ofNamed = named !== null && isLive(named, nowMs) ? 1 : 0;
  return kept + ofNamed >= scope.parts.policy.maxSessionsPerDeviceChain;
}

function create(
  scope: Scope,
  chain: Chain,
  subject: MemorySubject,
  { key, ended }: { readonly key: string; readonly ended: readonly SessionRevoked[] },
): ExchangeResult {
  const { parts, transaction, code, session } = scope;
  const { tables, watch, randomBytes } = parts;
  const { nowMs, put } = transaction;
  const { lifetimes, device } = session;
  const hasPredecessors = liveOfUser(tables, code.sub, nowMs, ({ deviceId }) => deviceId === chain.deviceId).length > 0;
  const deviceSequence = subject.lastSequence + 1;
  put(tables.subjects, code.sub, { ...subject, lastSequence: deviceSequence, signInAtMs: nowMs });
  const sid = newSid(bucketOf(code.sub), randomBytes(15));
  put(tables.codes, key, { ...code, sid });
  const expiresAtMs = nowMs + lifetimes.absoluteLifetimeSeconds * 1_000;
  const row: MemorySession = {
    sid,
    sub: code.sub,
    clientId: code.clientId,
    scope: code.scope,
    amr: code.amr,
    acr: code.acr,
    authTimeSeconds: Math.floor(code.authTimeMs / 1_000),
    jkt: session.jkt,
    generation: 0,
    rotatedBy: null,
    deliveredAtMs: nowMs,
    redeliveries: 0,
    idleExpiresAtMs: Math.min(nowMs + lifetimes.inactivityTimeoutSeconds * 1_000, expiresAtMs),
    expiresAtMs,
    lastUsedAtMs: null,
    revokedReason: null,
    replaces: chain.named?.sid ?? null,
    deviceId: chain.deviceId,
    deviceSequence,
    hasPredecessors,
    seed: randomBytes(32),
    createdAtMs: nowMs,
    deviceLabel: chain.label,
    deviceSecretHash: device.secretHash?.toString('hex') ?? null,
    signedOutSequence: null,
    address: session.address,
    userAgent: session.userAgent,
  };
  put(tables.sessions, sid, row);
  watch.onCreated?.(row);
  return {
    kind: 'exchanged',
    delivery: { record: toRecord(row, nowMs), secret: secretOf(row, 0, session.nonce) },
    ended,
  };
}
