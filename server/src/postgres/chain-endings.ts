import type { PoolClient, QueryConfig } from 'pg';
import type { SessionRevoked } from '../kernel/events.ts';
import { toStoredEvent } from '../storage/event-store.ts';
import type { SessionStore } from '../storage/store.ts';
import type { EndingCause } from '../storage/user-store.ts';
import * as statements from './chain-statements.ts';
import { LIMIT_WAITS, transact, type Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import type { IdRow } from './session-rows.ts';
import { FIND_MEMBER } from './session-statements.ts';
import { lockSubject, nextSequence, type BucketOf, type LockedSubject } from './subject-store.ts';

type EndedRow = {
  readonly id: string;
  readonly user_id: string;
  readonly client_id: string;
};

/**
 * Runs a statement that ends sessions, and records the ends in the same transaction. The audit log and the outbox then
 * have the end of a session exactly when the session has ended.
 */
export async function endSessions(
  client: PoolClient,
  statement: QueryConfig,
  cause: EndingCause,
  recordEvents: RecordEvents,
): Promise<readonly SessionRevoked[]> {
  const { rows } = await client.query<EndedRow>(statement);
  const ended = rows.map(({ id: sid, user_id: sub, client_id: clientId }): SessionRevoked => ({
    type: 'session.revoked',
    sid,
    sub,
    clientId,
    ...cause,
  }));
  await recordEvents(client, ended.map(toStoredEvent));
  return ended;
}

/** Reads the bucket: the first byte of the id, which spreads rows over partitions and shards. */
export function bucketOfId(id: string): number {
  return Number.parseInt(id.slice(0, 2), 16);
}

/** The columns of a session that never change. */
type MemberRow = {
  readonly id: string;
  readonly user_id: string;
  readonly device_id: string;
  readonly device_sequence: number;
};

/** A transaction that holds the subject's lock and changes sessions of a chain. */
type Scope = {
  readonly client: PoolClient;
  readonly subject: LockedSubject;
  readonly member: MemberRow;
};

type ChainEndings = Pick<SessionStore, 'endPredecessors' | 'revoke' | 'signOut' | 'endChain' | 'label'>;

/** Ends sessions one by one and by chain, and labels chains, each in one durable transaction. */
export function createChainEndings(
  { durable }: Connections,
  bucketOf: BucketOf,
  recordEvents: RecordEvents,
): ChainEndings {
  const withMember = <Done>(
    sid: string,
    sub: string | undefined,
    work: (scope: Scope) => Promise<readonly Done[]>,
    waits: 'as-long-as-a-statement' | 'briefly' = 'as-long-as-a-statement',
  ): Promise<readonly Done[]> =>
    transact(durable, async (client) => {
      if (waits === 'briefly') await client.query(LIMIT_WAITS);
      const values = [bucketOfId(sid), sid];
      const [member] = (await client.query<MemberRow>(FIND_MEMBER, values)).rows;
      if (member === undefined || (sub !== undefined && member.user_id !== sub)) return [];
      return work({ client, member, subject: await lockSubject(client, bucketOf, member.user_id) });
    });
  const end = (
    { client, subject }: Scope,
    text: string,
    cause: EndingCause,
    ...more: unknown[]
  ): Promise<readonly SessionRevoked[]> =>
    endSessions(client, { text, values: [subject.bucket, subject.sub, cause.reason, ...more] }, cause, recordEvents);
  const noteSignOut = async ({ client, subject, member }: Scope, countsAgain: boolean): Promise<void> => {
    const sequence = await nextSequence(client, subject);
    await client.query(statements.NOTE_SIGN_OUT, [subject.bucket, member.id, sequence, countsAgain]);
  };
  return {
    endPredecessors: ({ sid, deviceId, deviceSequence, sub }, address) => {
      const work = async (scope: Scope): Promise<readonly SessionRevoked[]> => {
        const { client, subject } = scope;
        await client.query(statements.LOCK_PREDECESSORS, [subject.bucket, sub, deviceId, deviceSequence]);
        const cleared = await client.query(statements.CLEAR_PREDECESSORS, [subject.bucket, sid]);
        if (cleared.rowCount !== 1) return [];
        return end(scope, statements.END_SMALLER, { reason: 'replaced', address }, deviceId, deviceSequence);
      };
      return withMember(sid, sub, work, 'briefly');
    },
    revoke: async (sid, cause, sub) =>
      (await withMember(sid, sub, (scope) => end(scope, statements.END_SESSIONS, cause, [sid])))[0] ?? null,
    signOut: (sid, cause, sub) =>
      withMember(sid, sub, async (scope) => {
        const { device_id: deviceId, device_sequence: sequence } = scope.member;
        const ended = await end(scope, statements.END_SIGNED_OUT, cause, deviceId, sequence, sid);
        await noteSignOut(scope, false);
        return ended;
      }),
    label: async (sid, sub, deviceLabel) => {
      const named = await withMember(sid, sub, async ({ client, member, subject }) => {
        const values = [subject.bucket, sub, sid, member.device_id, deviceLabel];
        return (await client.query<IdRow>(statements.LABEL, values)).rows;
      });
      return named.length > 0;
    },
    endChain: (sid, cause, sub) =>
      withMember(sid, sub, async (scope) => {
        const ended = await end(scope, statements.END_CHAINS, cause, [scope.member.device_id]);
        await noteSignOut(scope, true);
        return ended;
      }),
  };
}
