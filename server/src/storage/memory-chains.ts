import type { SessionRevoked } from '../kernel/events.ts';
import { newSid } from '../kernel/ids.ts';
import {
  bucketOf,
  endRows,
  isLive,
  liveOfUser,
  subjectOf,
  type MemoryParts,
  type MemorySession,
  type MemoryTransaction,
} from './memory-tables.ts';
import type { SessionStore } from './store.ts';
import type { MassEndingStore } from './subject-store.ts';
import type { EndingCause } from './user-store.ts';

/** How long a claim on an intent keeps other nodes from it. */
const CLAIM_MS = 15_000;

type ChainEndings = Pick<SessionStore, 'endPredecessors' | 'revoke' | 'signOut' | 'endChain' | 'revokeAllOfUser'>;

/** Chooses the live sessions of a chain that end with the named one. */
type Choice = (live: readonly MemorySession[], named: MemorySession) => readonly MemorySession[];

/**
 * Ends sessions singly, by chain or by user. Every transaction locks the subject first, then sessions in order of id.
 */
export function memoryChainEndings(parts: MemoryParts): ChainEndings {
  const { tables, transact } = parts;
  const endChosen = (
    sid: string,
    sub: string | undefined,
    choose: Choice,
    finish: (transaction: MemoryTransaction, chosen: readonly MemorySession[]) => readonly SessionRevoked[],
  ): Promise<readonly SessionRevoked[]> => {
    // A session's user and chain never change, so they may be read before the lock.
    const member = tables.sessions.get(sid);
    if (member === undefined || (sub !== undefined && member.sub !== sub)) {
      return transact({ rows: [sid], isDurable: true, namesRow: false }, () => []);
    }
    const chain = [...tables.sessions.values()].filter(({ deviceId }) => deviceId === member.deviceId);
    const rows = [member.sub, ...chain.map((row) => row.sid).toSorted()];
    return transact({ rows, isDurable: true, namesRow: false }, (transaction) =>
      finish(
        transaction,
        choose(
          liveOfUser(tables, member.sub, transaction.nowMs, ({ deviceId }) => deviceId === member.deviceId),
          tables.sessions.get(sid) ?? member,
        ),
      ),
    );
  };
  const signOut = (sid: string, cause: EndingCause, sub: string | undefined, choose: Choice, countsAgain: boolean) =>
    endChosen(sid, sub, choose, (transaction, chosen) => {
      const ended = endRows(parts, transaction, chosen, cause);
      voidExchanges(parts, transaction, sid, countsAgain);
      return ended;
    });
  return {
    endPredecessors: ({ sid, sub, deviceSequence }, address) =>
      endChosen(
        sid,
        sub,
        (live) => live.filter((row) => row.deviceSequence < deviceSequence),
        (transaction, chosen) => {
          const row = tables.sessions.get(sid);
          if (row === undefined || !isLive(row, transaction.nowMs) || !row.hasPredecessors) return [];
          transaction.put(tables.sessions, sid, { ...row, hasPredecessors: false });
          return endRows(parts, transaction, chosen, { reason: 'replaced', address });
        },
      ),
    revoke: async (sid, cause, sub) =>
      (
        await endChosen(
          sid,
          sub,
          (live) => live.filter((row) => row.sid === sid),
          (transaction, chosen) => endRows(parts, transaction, chosen, cause),
        )
      )[0] ?? null,
    signOut: (sid, cause, sub) => signOut(sid, cause, sub, upToLastUnused, false),
    endChain: (sid, cause, sub) => signOut(sid, cause, sub, (live) => live, true),
    revokeAllOfUser: revokeAllOfUser(parts),
  };
}

/** A sign-out ends the named session, the larger ones that were never used, and all below the largest that it ends. */
const upToLastUnused: Choice = (live, { deviceSequence, signedOutSequence }) => {
  // A repeated sign-out ends no session that began after the first.
  const unused = live.filter(
    (row) => row.lastUsedAtMs === null && row.deviceSequence < (signedOutSequence ?? Infinity),
  );
  const last = Math.max(deviceSequence, ...unused.map((row) => row.deviceSequence));
  return live.filter((row) => row.deviceSequence <= last);
};

function revokeAllOfUser(parts: MemoryParts): SessionStore['revokeAllOfUser'] {
  const { tables, transact } = parts;
  return (sub, { sessions, reason, address }) =>
    transact({ rows: [sub], isDurable: true, namesRow: false }, ({ nowMs, put }) => {
      const subject = subjectOf(parts, sub, nowMs);
      put(tables.subjects, sub, { ...subject, epoch: subject.epoch + 1 });
      if (sessions === 'none') return null;
      const intent = newSid(bucketOf(sub), parts.randomBytes(15));
      put(tables.endings, intent, {
        sub,
        upToSequence: subject.lastSequence,
        sparedSid: sessions === 'all' ? null : sessions.allBut,
        cause: { reason, address },
        afterSequence: 0,
        claimedUntilMs: nowMs + CLAIM_MS,
      });
      return intent;
    });
}

/**
 * Voids the chain's exchanges whose codes were issued before this sign-out. A repeated sign-out keeps the first number.
 */
function voidExchanges(parts: MemoryParts, { nowMs, put }: MemoryTransaction, sid: string, countsAgain: boolean): void {
  const { tables } = parts;
  const row = tables.sessions.get(sid);
  if (row === undefined) return;
  const subject = subjectOf(parts, row.sub, nowMs);
  const signedOutSequence = subject.lastSequence + 1;
  put(tables.subjects, row.sub, { ...subject, lastSequence: signedOutSequence });
  if (countsAgain || row.signedOutSequence === null) put(tables.sessions, sid, { ...row, signedOutSequence });
}

/** Ends many sessions in slices, in the order of their sequences. */
export function memoryMassEndings(parts: MemoryParts): MassEndingStore {
  const { tables, transact } = parts;
  return {
    endSlice: (intent, limit) => {
      const sub = tables.endings.get(intent)?.sub;
      const rows = sub === undefined ? [intent] : [sub, intent];
      return transact({ rows, isDurable: true, namesRow: false }, (transaction) => {
        const found = tables.endings.get(intent);
        if (found === undefined) return { ended: [], isComplete: true };
        const { upToSequence, sparedSid, cause, afterSequence } = found;
        const slice = [...tables.sessions.values()]
          .filter((row) => row.sub === found.sub && row.revokedReason === null)
          .filter(({ deviceSequence }) => deviceSequence > afterSequence && deviceSequence <= upToSequence)
          .toSorted((a, b) => a.deviceSequence - b.deviceSequence)
          .slice(0, limit);
        const chosen = slice.filter((row) => row.sid !== sparedSid && isLive(row, transaction.nowMs));
        const ended = endRows(parts, transaction, chosen, cause);
        const last = slice.at(-1);
        if (last === undefined || slice.length < limit) {
          transaction.remove(tables.endings, intent);
          return { ended, isComplete: true };
        }
        transaction.put(tables.endings, intent, {
          ...found,
          afterSequence: last.deviceSequence,
          claimedUntilMs: transaction.nowMs + CLAIM_MS,
        });
        return { ended, isComplete: false };
      });
    },
    claimDue: () =>
      transact({ rows: [], isDurable: true, namesRow: false }, ({ nowMs, put }) => {
        const due = [...tables.endings].find(([, { claimedUntilMs }]) => claimedUntilMs <= nowMs);
        if (due === undefined) return null;
        put(tables.endings, due[0], { ...due[1], claimedUntilMs: nowMs + CLAIM_MS });
        return due[0];
      }),
  };
}
