import type { Report, RevocationReason, SessionRevoked } from '../kernel/events.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { Client } from '../registrations/clients.ts';
import type { Refusal } from '../rotation/rotation.ts';
import type { SessionRecord, SessionStore } from '../storage/store.ts';
import type { EndingProgress, MassEndings } from './mass-endings.ts';
import { createRotationBatches } from './rotation-batch.ts';
import { parseKnown, toUse, useCopy } from './session-use.ts';
import { signOut } from './sign-out.ts';
import { findSuccessor, inspectCopies } from './successor.ts';

export type RefreshRequest = {
  readonly refreshToken: string;
  readonly client: Client;
  /** The scope asked for; null for the whole grant. */
  readonly scope: readonly string[] | null;
  readonly isUserActive: boolean;
  /** The user asked to extend the session, which implies `isUserActive`. Default: false. */
  readonly isExtension?: boolean;
  /**
   * Verifies the request's DPoP proof, once the token's tag is known to be genuine.
   *
   * @returns the thumbprint of its key; null when there is no proof. What it throws goes to the caller.
   */
  readonly verifyProof: () => string | null;
  readonly address: string;
  readonly userAgent: string;
  /** Every refresh token that the request brought, as its cookies do: the client goes on with one of them if this one is over. */
  readonly copies?: readonly string[];
};

export type RefreshAnswer =
  | {
      readonly kind: 'granted';
      readonly session: SessionRecord;
      /** The copy to hand out; null when the client keeps the one it has. */
      readonly refreshToken: string | null;
      /** The key to bind the access token to: the session's, otherwise the proof's; null for a bearer token. */
      readonly jkt: string | null;
    }
  | {
      readonly kind: 'refused';
      readonly error: Refusal['error'];
      readonly reason: RefusalReason;
      /** Null when the token was garbage. */
      readonly sid: string | null;
      /** A live session of the same chain, of which the request brought a copy: the client goes on with it. */
      readonly successor: string | null;
    }
  | { readonly kind: 'wait'; readonly retryAfterMs: number; readonly sid: string };

/** `replaced`: the answer names a successor. */
export type RefusalReason = Refusal['reason'] | 'malformed' | 'retired_key' | 'replaced';

/** A client that signs its user out by presenting the refresh token. */
export type SignOutRequest = Pick<RefreshRequest, 'client' | 'verifyProof' | 'address' | 'userAgent'> & {
  /** Null when the device has lost it; then `device` may stand for it. */
  readonly refreshToken: string | null;
  /** The session and its device's secret (base64url). They prove enough to end what the device has, and no more. */
  readonly device?: { readonly sid: string; readonly secret: string } | null;
  /** Whether the user's other sessions end with this one. */
  readonly isEverywhere: boolean;
  /** Ends this session alone: a sign-in that lost to another tab. Default: false. */
  readonly isDiscard?: boolean;
};

export type SignOutAnswer =
  /** The session has ended, now or before; or the token never meant anything. */
  | { readonly kind: 'signed_out' }
  /** Everywhere was asked for, and nothing proved a live session: what the token or the device has is over, the user's others go on. */
  | { readonly kind: 'not_everywhere' }
  | { readonly kind: 'wrong_holder'; readonly reason: 'wrong_client' | 'wrong_key' | 'proof_missing' }
  | { readonly kind: 'wait'; readonly retryAfterMs: number };

export type Sessions = {
  /**
   * Answers one use of a refresh token: the hot path, then the slow one.
   *
   * @throws HoldfastError `unavailable`, `unknown_key`
   */
  refresh(request: RefreshRequest): Promise<RefreshAnswer>;
  /**
   * Ends the session of a refresh token, and the user's others if so asked. A copy that could be refreshed signs out; any
   * other is judged as at a refresh.
   *
   * @throws HoldfastError `unavailable`, `unknown_key`
   */
  signOut(request: SignOutRequest): Promise<SignOutAnswer>;
  /**
   * Ends the caller's own session, named by an access token, and what a sign-out ends with it.
   *
   * @returns whether anything has ended
   * @throws HoldfastError `unavailable`
   */
  readonly signOutOf: (sid: string, by?: RevokedBy) => Promise<boolean>;
  /** Ends one session and no other. @throws HoldfastError `unavailable` */
  readonly revoke: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** Ends a session's whole chain: another device of the user, or by an administrator. @throws HoldfastError `unavailable` */
  readonly endChain: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** @throws HoldfastError `unavailable` */
  revokeAllOfUser(
    sub: string,
    reason: RevocationReason,
    by?: Pick<RevokedBy, 'address'> & { readonly sparedSid?: string },
  ): Promise<EndingProgress>;
  /**
   * The live session of the same chain that a client goes on with, when the one that it named is over or its copy is missing.
   *
   * @param copies refresh tokens that the request brought; only a session with a genuine one among them is named
   * @returns the one with the largest sequence; null when there is none
   * @throws HoldfastError `unavailable`
   */
  readonly findSuccessor: (sid: string, client: Client, copies: readonly string[]) => Promise<string | null>;
  /**
   * Looks up the sessions of refresh tokens; those that are not genuine are left out.
   *
   * @throws HoldfastError `unavailable`
   */
  readonly inspectCopies: (copies: readonly string[]) => Promise<readonly InspectedCopy[]>;
};

/** A genuine refresh token, and what became of its session. */
export type InspectedCopy = {
  readonly copy: string;
  readonly sid: string;
  /** Null when the session has no row any more. */
  readonly record: SessionRecord | null;
  readonly isAlive: boolean;
};

/** Who ends a session. */
export type RevokedBy = {
  /** The session ends only if it is this user's. */
  readonly sub?: string;
  /** Where the request came from, if a request it was. */
  readonly address?: string;
};

export type SessionsParts = {
  readonly store: SessionStore;
  /** Ends the sessions of an intent. */
  readonly endMany: MassEndings['finish'];
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly report: Report;
  /** Told how many refreshes each statement serves. */
  readonly onBatch?: (size: number) => void;
};

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
      const answer = await useCopy(toUse(parsed.token, request, parts.policy), batches, parts);
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

/** Reasons that say that a session is over. */
const OVER: ReadonlySet<RefusalReason> = new Set(['unknown', 'revoked', 'reuse', 'expired', 'idle_expired']);

/**
 * The first use of a session shows that its sign-in arrived; only now may the older ones of its chain go. Should this fail, the
 * session keeps its flag, and its next use tries again.
 */
async function endPredecessors(
  session: SessionRecord,
  address: string,
  { store, report }: SessionsParts,
  reportEnded: (ended: readonly SessionRevoked[]) => boolean,
): Promise<void> {
  if (!session.hasPredecessors) return;
  try {
    reportEnded(await store.endPredecessors(session, address));
  } catch {
    // The refresh has been granted: it is answered.
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
