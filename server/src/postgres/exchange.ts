import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { SessionRevoked } from '../kernel/events.ts';
import { newSid } from '../kernel/ids.ts';
import type { Policy } from '../kernel/policy.ts';
import { toSessionCreated, toStoredEvent } from '../storage/event-store.ts';
import type { IssuedGeneration, ExchangeResult, NewSession } from '../storage/store.ts';
import { endSessions } from './chain-endings.ts';
import * as statements from './chain-statements.ts';
import type { RecordEvents } from './event-store.ts';
import { toDelivery, type DeliveryRow } from './session-rows.ts';
import { CREATE } from './session-statements.ts';
import { lockSubject, nextSignIn, type BucketOf, type LockedSubject } from './subject-store.ts';

export type ExchangePolicy = Pick<
  Policy,
  'maxDeviceChainsPerUser' | 'maxSessionsPerDeviceChain' | 'signInBurstPerAccount' | 'signInIntervalSeconds'
>;

export type ExchangeParts = {
  readonly client: PoolClient;
  readonly policy: ExchangePolicy;
  readonly bucketOf: BucketOf;
  readonly recordEvents: RecordEvents;
};

type CodeRow = {
  readonly user_id: string;
  readonly client_id: string;
  readonly acr: string;
  readonly sign_in_epoch: number;
  readonly issued_sequence: number;
  readonly is_live: boolean;
};

/** A session of the same user and client that an exchange names or brings a refresh token of. */
type KinRow = {
  readonly id: string;
  readonly device_id: string;
  readonly device_sequence: number;
  readonly device_label: string | null;
  readonly last_used_at: Date | null;
  readonly acr: string;
  readonly is_live: boolean;
};

/** One exchange, under the subject's lock. */
type Scope = {
  readonly code: CodeRow;
  readonly subject: LockedSubject;
  readonly session: NewSession;
} & ExchangeParts;

/** The chain of the new session. */
type Chain = {
  readonly deviceId: string;
  readonly label: string | null;
  readonly named: KinRow | null;
  readonly kin: readonly KinRow[];
};

/** Maximum number of chains that one sign-in ends, for the case that a limit was lowered. */
const MAX_EVICTED_CHAINS = 100;

const FIND_CODE = `
  SELECT user_id, client_id, acr, sign_in_epoch, issued_sequence, session_id IS NULL AND expires_at > now() AS is_live
  FROM holdfast.authorization_codes WHERE code_hash = $1`;
const CONSUME = 'UPDATE holdfast.authorization_codes SET session_id = $2 WHERE code_hash = $1';

/** Exchanges a code for a new session, within a transaction. Changes nothing if the exchange is refused. */
export async function exchange(parts: ExchangeParts, codeHash: Buffer, session: NewSession): Promise<ExchangeResult> {
  const { client, policy, bucketOf } = parts;
  const find = async (text: string): Promise<CodeRow | undefined> =>
    (await client.query<CodeRow>(text, [codeHash])).rows[0];
  const sub = (await find(FIND_CODE))?.user_id;
  if (sub === undefined) return { kind: 'refused', reason: 'code' };
  const subject = await lockSubject(client, bucketOf, sub, policy.signInIntervalSeconds);
  const code = await find(`${FIND_CODE} FOR UPDATE`);
  if (code === undefined || !code.is_live || code.sign_in_epoch !== subject.epoch) {
    return { kind: 'refused', reason: 'code' };
  }
  const scope: Scope = { ...parts, code, subject, session };
  const chain = await findChain(scope);
  const wasSignedOut = await client.query(statements.WAS_SIGNED_OUT, [
    subject.bucket,
    sub,
    chain.deviceId,
    code.issued_sequence,
  ]);
  if (wasSignedOut.rowCount !== 0) return { kind: 'refused', reason: 'signed_out' };
  const beyond = subject.signInLevel + 1 - policy.signInBurstPerAccount;
  if (beyond > 0)
    return { kind: 'delayed', sub, retryAfterMs: Math.ceil(beyond * policy.signInIntervalSeconds * 1_000) };
  const living = await listChain(scope, chain);
  // A chain without live sessions counts as a new chain when it becomes live again.
  const evicted = living.length === 0 ? await chooseEvicted(scope) : [];
  if (evicted === null || isBrowserFull(scope, chain)) return { kind: 'too_many_sessions' };
  // Use the device label of the live sessions, because ended ones may never have had it.
  const label = living.length === 0 ? chain.label : (living[0]?.device_label ?? null);
  return create(scope, { ...chain, label }, evicted, codeHash);
}

/**
 * Finds the named session's chain if the exchange proves that device; else the chain of the secret; else makes a new
 * one.
 */
async function findChain(scope: Scope): Promise<Chain> {
  const { client, code, subject, session } = scope;
  const { bucket, sub } = subject;
  const { replaces, copiesOf, secretHash } = session.device;
  const ids = replaces === null ? copiesOf : [...copiesOf, replaces];
  const found = ids.length === 0 ? [] : await findKin(scope, ids);
  const named = found.find(({ id }) => id === replaces) ?? null;
  const kin = found.filter(({ id }) => copiesOf.includes(id));
  const bySecret =
    secretHash === null
      ? undefined
      : (
          await client.query<Pick<KinRow, 'device_id' | 'device_label'>>(statements.FIND_BY_SECRET, [
            bucket,
            sub,
            code.client_id,
            secretHash,
            named?.device_id ?? null,
          ])
        ).rows[0];
  const isProven =
    named !== null &&
    (bySecret?.device_id === named.device_id || kin.some(({ device_id: deviceId }) => deviceId === named.device_id));
  const joined = isProven ? named : bySecret;
  return {
    deviceId: joined?.device_id ?? randomUUID(),
    label: joined?.device_label ?? null,
    named: isProven ? named : null,
    kin,
  };
}

async function findKin({ client, code, subject }: Scope, ids: readonly string[]): Promise<readonly KinRow[]> {
  const values = [subject.bucket, subject.sub, code.client_id, ids];
  return (await client.query<KinRow>(statements.FIND_KIN, values)).rows;
}

/** Lists the live sessions of a chain, in the order in which they are ended. */
async function listChain(
  { client, subject }: Scope,
  { deviceId }: Chain,
): Promise<readonly Pick<KinRow, 'id' | 'device_label'>[]> {
  const values = [subject.bucket, subject.sub, deviceId];
  return (await client.query<Pick<KinRow, 'id' | 'device_label'>>(statements.LIST_CHAIN, values)).rows;
}

/** @returns chains to end, so that there is room for one more; null if the sign-in is refused */
async function chooseEvicted({ client, code, subject, policy }: Scope): Promise<readonly string[] | null> {
  const values = [subject.bucket, subject.sub, code.acr, policy.maxDeviceChainsPerUser, MAX_EVICTED_CHAINS];
  const { rows } = await client.query<{ excess: number; evicted: string[] }>(statements.CHOOSE_EVICTED, values);
  const { excess, evicted } = rows[0] ?? { excess: 0, evicted: [] };
  return evicted.length < excess ? null : evicted;
}

async function create(
  scope: Scope,
  chain: Chain,
  evicted: readonly string[],
  codeHash: Buffer,
): Promise<ExchangeResult> {
  const { client, subject, session, recordEvents } = scope;
  const { bucket, sub } = subject;
  const touched = [bucket, sub, [...evicted, chain.deviceId], chain.kin.map(({ id }) => id)];
  await client.query(statements.LOCK_SESSIONS, touched);
  const ended = [...(await end(scope, 'limit', statements.END_CHAINS, evicted))];
  ended.push(...(await noteFirstUse(scope, chain)));
  ended.push(...(await end(scope, 'limit', statements.END_SESSIONS, await chooseOverflow(scope, chain))));
  const hasPredecessors = (await listChain(scope, chain)).length > 0;
  const sid = newSid(bucket);
  await client.query(CONSUME, [codeHash, sid]);
  const { rows } = await client.query<DeliveryRow>(CREATE, [
    bucket,
    sid,
    session.address,
    session.userAgent,
    session.lifetimes.inactivityTimeoutSeconds,
    session.lifetimes.absoluteLifetimeSeconds,
    session.nonce,
    codeHash,
    session.jkt,
    chain.named?.id ?? null,
    chain.label,
    chain.deviceId,
    await nextSignIn(client, subject),
    hasPredecessors,
    session.device.secretHash,
  ]);
  if (rows[0] === undefined) throw new TypeError('a locked code is there');
  const delivery: IssuedGeneration = toDelivery(rows[0]);
  await recordEvents(client, [toStoredEvent(toSessionCreated(delivery.record, session.address))]);
  return { kind: 'exchanged', delivery, ended };
}

function end(
  { client, subject, session, recordEvents }: Scope,
  reason: 'limit' | 'replaced',
  text: string,
  ...more: readonly unknown[]
): Promise<readonly SessionRevoked[]> {
  const values = [subject.bucket, subject.sub, reason, ...more];
  return endSessions(client, { text, values }, { reason, address: session.address }, recordEvents);
}

/**
 * Notes the first use of the named session: an exchange that names a live session and brings its refresh token uses it.
 */
async function noteFirstUse(scope: Scope, { named, kin }: Chain): Promise<readonly SessionRevoked[]> {
  if (named === null || !named.is_live || !kin.includes(named)) return [];
  const { client, subject } = scope;
  const noted = await client.query(statements.NOTE_USE, [subject.bucket, named.id]);
  if (noted.rowCount !== 1) return [];
  return end(scope, 'replaced', statements.END_SMALLER, named.device_id, named.device_sequence);
}

/**
 * Chooses the sessions beyond the limit of a chain, or of a browser with cookies of several chains. Never chooses the
 * named session.
 */
async function chooseOverflow(scope: Scope, chain: Chain): Promise<readonly string[]> {
  const { maxSessionsPerDeviceChain: most } = scope.policy;
  const alive = (await listChain(scope, chain)).map(({ id }) => id);
  const isSpare = (id: string): boolean => id !== chain.named?.id;
  const isStronger = (row: KinRow): boolean => isStrongerDevice(row, scope, chain);
  const ofChain = alive.filter(isSpare).slice(0, Math.max(0, alive.length + 1 - most));
  // Read again: the evictions and the first use of the named session have changed them.
  const copiesOf = chain.kin.map(({ id }) => id);
  const kin = copiesOf.length > most ? await findKin(scope, copiesOf) : [];
  const ofBrowser = kin
    .filter((row) => row.is_live)
    .toSorted(
      (a, b) =>
        Number(isStronger(b)) - Number(isStronger(a)) ||
        compareAcr(b, a) ||
        usedAt(b) - usedAt(a) ||
        b.device_sequence - a.device_sequence,
    )
    .slice(most)
    .map(({ id }) => id);
  return [...new Set([...ofChain, ...ofBrowser.filter(isSpare)])];
}

/** True for a session of another device with a higher `acr` than the sign-in. A sign-in never ends such a session. */
function isStrongerDevice(row: KinRow, { code }: Scope, { deviceId }: Chain): boolean {
  return row.device_id !== deviceId && compareAcr(row, code) > 0;
}

/** True if the browser's live sessions of other devices with a higher `acr` leave no room for one more. */
function isBrowserFull(scope: Scope, chain: Chain): boolean {
  const stronger = chain.kin.filter((row) => row.is_live && isStrongerDevice(row, scope, chain));
  const kept = stronger.length + (chain.named?.is_live ? 1 : 0);
  return kept >= scope.policy.maxSessionsPerDeviceChain;
}

/** Compares byte by byte, as the database does. */
function compareAcr(a: Pick<KinRow, 'acr'>, b: Pick<KinRow, 'acr'>): number {
  return a.acr === b.acr ? 0 : a.acr < b.acr ? -1 : 1;
}

function usedAt({ last_used_at: at }: KinRow): number {
  return at?.getTime() ?? 0;
}
