import type { Client } from './clients.ts';
import { HoldfastError } from './errors.ts';
import type { Report, RevocationReason, TokenRefreshed } from './events.ts';
import type { KeyRing } from './keys.ts';
import type { Policy } from './policy.ts';
import { formatRefreshToken, newNonce, parseRefreshToken } from './refresh-token.ts';
import type { ParsedRefreshToken, RefreshToken } from './refresh-token.ts';
import { decide } from './rotation.ts';
import type { Outcome, PresentedCopy, Refusal, RotationPolicy } from './rotation.ts';
import { createRotationBatches } from './rotation-batch.ts';
import type { RotationBatches } from './rotation-batch.ts';
import type {
  Activity,
  Delivery,
  Reading,
  RotationCandidate,
  RowVersion,
  SessionRecord,
  SessionStore,
} from './store.ts';
import { RowFault } from './store.ts';

export interface RefreshRequest {
  readonly refreshToken: string;
  readonly client: Client;
  /** The scope asked for; null for the whole grant. */
  readonly scope: readonly string[] | null;
  readonly isUserActive: boolean;
  /**
   * Verifies the request's DPoP proof, once the token's tag is known to be genuine.
   *
   * @returns the thumbprint of its key; null when there is no proof. What it throws goes to the caller.
   */
  readonly verifyProof: () => string | null;
  readonly address: string;
  readonly userAgent: string;
}

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
    }
  | { readonly kind: 'wait'; readonly retryAfterMs: number; readonly sid: string };

export type RefusalReason = Refusal['reason'] | 'malformed' | 'retired_key';

/** A client that signs its user out by presenting the refresh token. */
export type SignOutRequest = Pick<
  RefreshRequest,
  'refreshToken' | 'client' | 'verifyProof' | 'address' | 'userAgent'
> & {
  /** Whether the user's other sessions end with this one. */
  readonly isEverywhere: boolean;
};

export type SignOutAnswer =
  /** The session has ended, now or before; or the token never meant anything. */
  | { readonly kind: 'signed_out' }
  | { readonly kind: 'wrong_holder'; readonly reason: 'wrong_client' | 'wrong_key' | 'proof_missing' }
  | { readonly kind: 'wait'; readonly retryAfterMs: number };

export interface Sessions {
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
  /** @throws HoldfastError `unavailable` */
  readonly revoke: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** @throws HoldfastError `unavailable` */
  revokeAllOfUser(
    sub: string,
    reason: RevocationReason,
    by?: Pick<RevokedBy, 'address'> & { readonly sparedSid?: string },
  ): Promise<number>;
}

/** Who ends a session. */
export interface RevokedBy {
  /** The session ends only if it is this user's. */
  readonly sub?: string;
  /** Where the request came from, if a request it was. */
  readonly address?: string;
}

export interface SessionsParts {
  readonly store: SessionStore;
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly report: Report;
  /** Told how many refreshes each statement serves. */
  readonly onBatch?: (size: number) => void;
}

export function createSessions(parts: SessionsParts): Sessions {
  const batches = createRotationBatches(parts.store, parts.policy, parts.onBatch);
  const revoke: Sessions['revoke'] = async (sid, reason, { sub, address } = {}) => {
    const ended = await parts.store.revoke(sid, { reason, address: address ?? null }, sub);
    if (ended !== null) parts.report(ended);
    return ended !== null;
  };
  const revokeAllOfUser: Sessions['revokeAllOfUser'] = async (sub, reason, { sparedSid, address } = {}) => {
    const sessions = sparedSid === undefined ? 'all' : { allBut: sparedSid };
    const ended = await parts.store.revokeAllOfUser(sub, { sessions, reason, address: address ?? null });
    for (const fact of ended) parts.report(fact);
    return ended.length;
  };
  const endReplaced = createReplacedEnding(revoke);
  return {
    revoke,
    revokeAllOfUser,
    signOut: async (request) => {
      const parsed = parseKnown(request.refreshToken, parts);
      if (parsed.kind !== 'genuine') return { kind: 'signed_out' };
      const use = toUse(parsed.token, { ...request, scope: null, isUserActive: false }, parts.policy);
      return signOut(use, parts, async (session) => {
        const { sid, sub } = session;
        const { address } = request;
        // The others first: should this fail in between, the token still counts at the next try.
        if (request.isEverywhere) await revokeAllOfUser(sub, 'user', { address, sparedSid: sid });
        await revoke(sid, 'signed_out', { address });
        // Whoever signs out of the new session has it; the device's old one must not stay behind.
        await endReplaced(session, address);
      });
    },
    refresh: async (request) => {
      const parsed = parseKnown(request.refreshToken, parts);
      if (parsed.kind !== 'genuine') return refuseUnseen(parsed.kind, request, parts.report);
      const answer = await useCopy(toUse(parsed.token, request, parts.policy), batches, parts);
      // The first use of the new session's token shows that it arrived; only now may the old session go.
      if (answer.kind === 'granted' && parsed.token.generation === 0)
        await endReplaced(answer.session, request.address);
      return answer;
    },
  };
}

type EndReplaced = (session: SessionRecord, address: string) => Promise<void>;

/** Sessions whose replaced one this node knows to be over. */
const SETTLED_LIMIT = 10_000;

/**
 * Ends the session that another one has replaced. A bound session stays at its first generation, so every use of it looks
 * like the first: what is settled is remembered, as far as that is cheap.
 */
function createReplacedEnding(revoke: Sessions['revoke']): EndReplaced {
  let settled = new Set<string>();
  return async ({ sid, sub, replaces }, address) => {
    if (replaces === null || settled.has(sid)) return;
    await revoke(replaces, 'replaced', { sub, address });
    if (settled.size >= SETTLED_LIMIT) settled = new Set();
    settled.add(sid);
  };
}

/** @throws HoldfastError `unknown_key` */
function parseKnown(
  refreshToken: string,
  { keyRing, report }: SessionsParts,
): Exclude<ParsedRefreshToken, { readonly kind: 'unknown_key' }> {
  const parsed = parseRefreshToken(refreshToken, keyRing);
  if (parsed.kind !== 'unknown_key') return parsed;
  report({ type: 'server_key.unknown' });
  throw new HoldfastError('unknown_key', 'a refresh token names a server key that this node does not have');
}

/** @param end ends the session of a copy that may sign out */
async function signOut(
  { candidate, presented, policy: rotationPolicy }: Use,
  { store, policy, report }: SessionsParts,
  end: (session: SessionRecord) => Promise<void>,
): Promise<SignOutAnswer> {
  for (let attempts = 0; attempts < policy.maxDecisionAttempts; attempts++) {
    const reading = (await store.read([candidate]))[0] ?? null;
    if (reading === null || !reading.isSecretGenuine) return { kind: 'signed_out' };
    const { record } = reading;
    const outcome = decide(record, presented, record.nowMs, rotationPolicy);
    switch (outcome.kind) {
      case 'refuse':
        return isDeadOrBeyond(outcome.reason)
          ? { kind: 'signed_out' }
          : { kind: 'wrong_holder', reason: outcome.reason };
      case 'wait':
        return outcome;
      case 'end': {
        const ended = await store.end(record, { reason: 'reuse', address: candidate.address });
        if (ended === null) continue;
        report(ended);
        return { kind: 'signed_out' };
      }
      case 'rotate':
      case 'replay':
      case 'answer':
      case 'heal':
      case 'doubt':
        await end(record);
        return { kind: 'signed_out' };
    }
  }
  throw new HoldfastError('unavailable', 'a session was too contended to decide');
}

const WRONG_HOLDER: ReadonlySet<string> = new Set(['wrong_client', 'wrong_key', 'proof_missing']);

function isDeadOrBeyond(
  reason: Refusal['reason'],
): reason is Exclude<Refusal['reason'], 'wrong_client' | 'wrong_key' | 'proof_missing'> {
  return !WRONG_HOLDER.has(reason);
}

function refuseUnseen(
  reason: 'malformed' | 'retired_key',
  { client: { clientId }, address }: RefreshRequest,
  report: Report,
): RefreshAnswer {
  report({ type: 'refresh.refused', sid: null, clientId, error: 'invalid_grant', reason, address });
  return { kind: 'refused', error: 'invalid_grant', reason, sid: null };
}

/** One use of one genuine copy, as the store and as `decide` want to hear of it. */
interface Use {
  readonly candidate: RotationCandidate;
  readonly presented: PresentedCopy;
  readonly policy: RotationPolicy;
}

function toUse(
  { sid, generation, nonce, secret }: RefreshToken,
  request: RefreshRequest,
  { rotationIntervalMs, maxReplays, aheadOfDatabase }: Policy,
): Use {
  const { inactivityTimeoutSeconds } = request.client.lifetimes;
  const { client, scope, isUserActive, verifyProof, address, userAgent } = request;
  return {
    candidate: {
      sid,
      generation,
      nonce,
      secret,
      clientId: client.clientId,
      scope: scope === null ? null : scope.join(' '),
      isUserActive,
      inactivityTimeoutSeconds,
      address,
      userAgent,
      nextNonce: newNonce(),
    },
    presented: {
      generation,
      nonce: nonce.toString('hex'),
      clientId: client.clientId,
      scope,
      jkt: verifyProof(),
      isUserActive,
    },
    policy: { rotationIntervalMs, maxReplays, aheadOfDatabase, inactivityTimeoutSeconds },
  };
}

async function useCopy(use: Use, batches: RotationBatches, parts: SessionsParts): Promise<RefreshAnswer> {
  const attempt = await batches.join(use.candidate, use.presented.jkt === null ? 'rotate' : 'read');
  if (attempt.kind === 'rotated') return grant('rotated', attempt.delivery, use, parts);
  let reading = attempt.reading;
  for (let attempts = 0; attempts < parts.policy.maxDecisionAttempts; attempts++) {
    const answer = await act(reading, use, parts);
    if (answer !== null) return answer;
    // Somebody else wrote first: read again, decide again.
    reading = await withoutRowFault(async () => (await parts.store.read([use.candidate]))[0] ?? null);
  }
  throw new HoldfastError('unavailable', 'a session was too contended to decide');
}

/** The slow path: decides on a reading and carries the outcome out. Null: the row has changed since the reading. */
async function act(reading: Reading | null, use: Use, parts: SessionsParts): Promise<RefreshAnswer | null> {
  const { report } = parts;
  const { sid, clientId, address } = use.candidate;
  if (reading !== null && !reading.isSecretGenuine) {
    // The tag is genuine and the secret is not: somebody has the server key and not the seed. It changes no row.
    report({ type: 'refresh.secret_mismatched', sid, address });
    report({ type: 'refresh.refused', sid, clientId, error: 'invalid_grant', reason: 'malformed', address });
    return { kind: 'refused', error: 'invalid_grant', reason: 'malformed', sid };
  }
  const record = reading?.record ?? null;
  const outcome = decide(record, use.presented, record?.nowMs ?? 0, use.policy);
  if (outcome.kind === 'refuse') {
    report({ type: 'refresh.refused', sid, clientId, error: outcome.error, reason: outcome.reason, address });
    return { kind: 'refused', error: outcome.error, reason: outcome.reason, sid };
  }
  if (outcome.kind === 'wait') {
    report({ type: 'refresh.delayed', sid, clientId, retryAfterMs: outcome.retryAfterMs, address });
    return { kind: 'wait', retryAfterMs: outcome.retryAfterMs, sid };
  }
  if (outcome.kind === 'doubt') throw new HoldfastError('unavailable', 'the database is behind a genuine token');
  if (record === null) throw new TypeError(`a missing session cannot ${outcome.kind}`);
  return withoutRowFault(() => write(outcome, record, use, parts));
}

/** Carries out an outcome that may change the row, by compare-and-swap on the version that was decided on. */
async function write(
  outcome: Exclude<Outcome, Refusal | { readonly kind: 'wait' | 'doubt' }>,
  record: SessionRecord,
  use: Use,
  parts: SessionsParts,
): Promise<RefreshAnswer | null> {
  const { store, report } = parts;
  const version: RowVersion = record;
  const activity: Activity = use.candidate;
  switch (outcome.kind) {
    case 'rotate': {
      const [delivery] = await store.rotate([use.candidate]);
      return delivery ? grant('rotated', delivery, use, parts) : null;
    }
    case 'replay': {
      const delivery = await store.replay(version, use.candidate.nextNonce, activity);
      return delivery && grant('replayed', delivery, use, parts);
    }
    case 'heal': {
      const healed = await store.heal(version, outcome.generation, activity);
      return healed && grant('healed', { record: healed, secret: null }, use, parts);
    }
    case 'answer': {
      const answered = outcome.isSliding ? await store.slide(version, activity) : record;
      return answered && grant('access_token_alone', { record: answered, secret: null }, use, parts);
    }
    case 'end': {
      const { clientId, address } = use.candidate;
      const ended = await store.end(version, { reason: 'reuse', address });
      if (ended === null) return null;
      report(ended);
      report({ type: 'refresh.refused', sid: record.sid, clientId, error: 'invalid_grant', reason: 'reuse', address });
      return { kind: 'refused', error: 'invalid_grant', reason: 'reuse', sid: record.sid };
    }
  }
}

function grant(
  outcome: TokenRefreshed['outcome'],
  { record, secret }: Delivery | { readonly record: SessionRecord; readonly secret: null },
  { candidate, presented }: Use,
  { keyRing, report }: SessionsParts,
): RefreshAnswer {
  const { sid, sub, clientId, generation } = record;
  report({ type: 'refresh.answered', outcome, sid, sub, clientId, generation });
  const refreshToken =
    secret === null ? null : formatRefreshToken({ sid, generation, nonce: candidate.nextNonce, secret }, keyRing);
  return { kind: 'granted', session: record, refreshToken, jkt: record.jkt ?? presented.jkt };
}

/** A row that is held or contended is no verdict on its token: 503. */
async function withoutRowFault<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (cause) {
    if (!(cause instanceof RowFault)) throw cause;
    throw new HoldfastError('unavailable', 'the session is held by another transaction', { cause });
  }
}
