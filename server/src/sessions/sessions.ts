import type { Report, SessionRevoked } from '../kernel/events.ts';
import type { Client } from '../registrations/clients.ts';
import { RowFault, type SessionRecord } from '../storage/store.ts';
import type {
  InspectedCopy,
  RefreshAnswer,
  RefreshRequest,
  RefusalReason,
  SessionEndings,
  SessionsParts,
  SignOutAnswer,
  SignOutRequest,
} from './requests.ts';
import { createRotationBatches } from './rotation-batch.ts';
import { parseKnown, toUse, presentRefreshToken } from './session-use.ts';
import { signOut } from './sign-out.ts';
import { findSuccessor, inspectCopies } from './successor.ts';

export type Sessions = {
  /**
   * Answers one use of a refresh token: first the batched rotation, then the slow path if the row did not match.
   *
   * @throws HoldfastServerError `unavailable`, `unknown_key`
   */
  refresh(request: RefreshRequest): Promise<RefreshAnswer>;
  /**
   * Signs out of the session of a refresh token, and ends the user's other sessions if asked. A copy that could be
   * refreshed signs out; any other copy is judged as at a refresh.
   *
   * @throws HoldfastServerError `unavailable`, `unknown_key`
   */
  signOut(request: SignOutRequest): Promise<SignOutAnswer>;
  /**
   * Finds the live session of the same chain with which a client goes on, if the session that it named is over or its
   * copy is missing.
   *
   * @param copies refresh tokens in the request; the session must have a genuine one among them
   * @returns the session with the largest sequence; null if there is none
   * @throws HoldfastServerError `unavailable`
   */
  readonly findSuccessor: (sid: string, client: Client, copies: readonly string[]) => Promise<string | null>;
  /**
   * Looks up the sessions of genuine refresh tokens, and leaves out the other tokens.
   *
   * @throws HoldfastServerError `unavailable`
   */
  readonly inspectCopies: (copies: readonly string[]) => Promise<readonly InspectedCopy[]>;
} & SessionEndings;

export function createSessions(parts: SessionsParts): Sessions {
  const { store, report } = parts;
  const batches = createRotationBatches(store, parts.policy, parts.onBatch);
  const reportEnded = (ended: readonly SessionRevoked[]): boolean => {
    for (const fact of ended) report(fact);
    return ended.length > 0;
  };
  const revokeAllOfUser: Sessions['revokeAllOfUser'] = async (sub, reason, { sparedSid, address } = {}) => {
    const sessions = sparedSid === undefined ? 'all' : { allBut: sparedSid };
    return parts.endMany(await store.revokeAllOfUser(sub, { sessions, reason, address: address ?? null }));
  };
  const revoke: Sessions['revoke'] = async (sid, reason, { sub, address } = {}) => {
    const ended = await store.revoke(sid, { reason, address: address ?? null }, sub);
    return ended !== null && reportEnded([ended]);
  };
  const signOutOf: Sessions['signOutOf'] = async (sid, { sub, address } = {}) =>
    reportEnded(await store.signOut(sid, { reason: 'signed_out', address: address ?? null }, sub));
  return {
    revoke,
    revokeAllOfUser,
    signOutOf,
    endChain: async (sid, reason, { sub, address } = {}) =>
      reportEnded(await store.endChain(sid, { reason, address: address ?? null }, sub)),
    signOut: (request) => signOut(request, parts, { revoke, signOutOf, revokeAllOfUser }),
    findSuccessor: (sid, client, copies) => findSuccessor(sid, client, copies, parts),
    inspectCopies: (copies) => inspectCopies(copies, parts),
    refresh: async (request) => {
      const parsed = parseKnown(request.refreshToken, parts);
      if (parsed.kind !== 'genuine') return refuseUnseen(parsed.kind, request, report);
      const answer = await presentRefreshToken(toUse(parsed.token, request, parts.policy), batches, parts);
      if (answer.kind === 'granted') {
        await endPredecessors(answer.session, request.address, parts, reportEnded);
        return answer;
      }
      if (answer.kind !== 'refused' || !OVER.has(answer.reason)) return answer;
      const successor = await findSuccessor(parsed.token.sid, request.client, request.copies ?? [], parts);
      return successor === null ? answer : { ...answer, reason: 'replaced', successor };
    },
  };
}

/** Reasons for which a refused session is over. */
const OVER: ReadonlySet<RefusalReason> = new Set(['unknown', 'revoked', 'reuse', 'expired', 'idle_expired']);

/**
 * Ends the older sessions of a chain at the first use of a new one, because only that use shows that the sign-in's
 * answer arrived. If this fails, the session keeps `hasPredecessors`, and its next use tries again.
 */
async function endPredecessors(
  session: SessionRecord,
  address: string,
  { store, report, onUnendedPredecessors }: SessionsParts,
  reportEnded: (ended: readonly SessionRevoked[]) => boolean,
): Promise<void> {
  if (!session.hasPredecessors) return;
  try {
    reportEnded(await store.endPredecessors(session, address));
  } catch (error) {
    // The refresh has been granted, so answer it anyway.
    if (!(error instanceof RowFault)) onUnendedPredecessors?.(error);
    const { sid, sub, clientId } = session;
    report({ type: 'session.predecessors_kept', sid, sub, clientId });
  }
}

function refuseUnseen(
  reason: 'malformed' | 'retired_key',
  { client: { clientId }, address }: RefreshRequest,
  report: Report,
): RefreshAnswer {
  report({ type: 'refresh.refused', sid: null, clientId, error: 'invalid_grant', reason, address });
  return { kind: 'refused', error: 'invalid_grant', reason, sid: null, successor: null };
}
