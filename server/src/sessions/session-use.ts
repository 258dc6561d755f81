import { HoldfastServerError } from '../kernel/errors.ts';
import type { Report, TokenRefreshed } from '../kernel/events.ts';
import type { Policy } from '../kernel/policy.ts';
import { decide, type Outcome, type PresentedCopy, type Refusal, type RotationPolicy } from '../rotation/rotation.ts';
import {
  type Activity,
  type IssuedGeneration,
  type Reading,
  type RotationCandidate,
  type RowVersion,
  type SessionRecord,
  RowFault,
} from '../storage/store.ts';
import {
  formatRefreshToken,
  newNonce,
  parseRefreshToken,
  type ParsedRefreshToken,
  type RefreshToken,
} from '../tokens/refresh-token.ts';
import type { RefreshAnswer, RefreshRequest, SessionsParts } from './requests.ts';
import type { RotationBatches } from './rotation-batch.ts';

/** Parses a refresh token, and reports an unknown server key. @throws HoldfastServerError `unknown-key` */
export function parseKnown(
  refreshToken: string,
  { keyRing, report }: SessionsParts,
): Exclude<ParsedRefreshToken, { readonly kind: 'unknown_key' }> {
  const parsed = parseRefreshToken(refreshToken, keyRing);
  if (parsed.kind !== 'unknown_key') return parsed;
  report({ type: 'server_key.unknown' });
  throw new HoldfastServerError('unknown-key', 'a refresh token names a server key that this node does not have');
}

/** One use of one genuine copy: `candidate` for the store, `presented` and `policy` for `decide`. */
export type Use = {
  readonly candidate: RotationCandidate;
  readonly presented: PresentedCopy;
  readonly policy: RotationPolicy;
};

export function toUse(
  { sid, generation, nonce, secret }: RefreshToken,
  request: Omit<RefreshRequest, 'refreshToken'>,
  { rotationIntervalMs, promptRedeliveries, aheadOfDatabase }: Policy,
): Use {
  const { inactivityTimeoutSeconds } = request.client.lifetimes;
  const { client, scope, isExtension = false, verifyProof, address, userAgent } = request;
  const isUserActive = request.isUserActive || isExtension;
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
      isExtension,
    },
    policy: { rotationIntervalMs, promptRedeliveries, aheadOfDatabase, inactivityTimeoutSeconds },
  };
}

export async function presentRefreshToken(
  use: Use,
  batches: RotationBatches,
  parts: SessionsParts,
): Promise<RefreshAnswer> {
  const attempt = await batches.join(use.candidate, use.presented.jkt === null ? 'rotate' : 'read');
  if (attempt.kind === 'rotated') return grant('rotated', attempt.delivery, use, parts);
  let reading = attempt.reading;
  for (let attempts = 0; attempts < parts.policy.maxDecisionAttempts; attempts++) {
    const answer = await applyDecision(reading, use, parts);
    if (answer !== null) return answer;
    // Another request wrote first: read and decide again.
    reading = await withoutRowFault(async () => (await parts.store.read([use.candidate]))[0] ?? null);
  }
  throw new HoldfastServerError('unavailable', 'a session was too contended to decide');
}

/**
 * The slow path: decides on a reading and carries out the outcome.
 *
 * @returns null if the row has changed since the reading
 */
async function applyDecision(reading: Reading | null, use: Use, parts: SessionsParts): Promise<RefreshAnswer | null> {
  const { report } = parts;
  const { sid, clientId, address } = use.candidate;
  if (reading !== null && !reading.isSecretGenuine) {
    // The tag is genuine and the secret is not, so the sender has the server key without the seed. Change no row.
    report({ type: 'refresh.secret_mismatched', sid, address });
    report({ type: 'refresh.refused', sid, clientId, error: 'invalid_grant', reason: 'malformed', address });
    return { kind: 'refused', error: 'invalid_grant', reason: 'malformed', sid, successor: null };
  }
  const record = reading?.record ?? null;
  const outcome = decide(record, use.presented, record?.nowMs ?? 0, use.policy);
  if (outcome.kind === 'refuse') {
    report({ type: 'refresh.refused', sid, clientId, error: outcome.error, reason: outcome.reason, address });
    return { kind: 'refused', error: outcome.error, reason: outcome.reason, sid, successor: null };
  }
  if (outcome.kind === 'wait') {
    report({ type: 'refresh.delayed', sid, clientId, retryAfterMs: outcome.retryAfterMs, address });
    return { kind: 'wait', retryAfterMs: outcome.retryAfterMs, sid };
  }
  if (outcome.kind === 'unavailable')
    throw new HoldfastServerError('unavailable', 'the database is behind a genuine token');
  if (record === null) throw new TypeError(`a missing session cannot ${outcome.kind}`);
  return withoutRowFault(() => write(outcome, record, use, parts));
}

/** Carries out an outcome that may change the row, by compare-and-swap on the row version of the decision. */
async function write(
  outcome: Exclude<Outcome, Refusal | { readonly kind: 'wait' | 'unavailable' }>,
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
    case 'redeliver': {
      const delivery = await store.redeliver(version, use.candidate.nextNonce, activity);
      if (delivery?.record.redeliveries === parts.policy.promptRedeliveries) reportPacing(delivery.record, report);
      return delivery && grant('redelivered', delivery, use, parts);
    }
    case 'heal': {
      const healed = await store.heal(version, outcome.generation, activity);
      return healed && grant('healed', { record: healed, secret: null }, use, parts);
    }
    case 'accessTokenOnly': {
      const answered = outcome.isSliding ? await store.slide(version, activity) : record;
      return answered && grant('access_token_only', { record: answered, secret: null }, use, parts);
    }
    case 'revoke': {
      const { clientId, address } = use.candidate;
      const ended = await store.end(version, { reason: 'reuse', address });
      if (ended === null) return null;
      report(ended);
      report({ type: 'refresh.refused', sid: record.sid, clientId, error: 'invalid_grant', reason: 'reuse', address });
      return { kind: 'refused', error: 'invalid_grant', reason: 'reuse', sid: record.sid, successor: null };
    }
  }
}

/** Reports, once per generation, that its answers are being lost and that its redeliveries are paced from now on. */
function reportPacing({ sid, sub, clientId, generation, redeliveries }: SessionRecord, report: Report): void {
  report({ type: 'refresh.redelivery_paced', sid, sub, clientId, generation, redeliveries });
}

function grant(
  outcome: TokenRefreshed['outcome'],
  { record, secret }: IssuedGeneration | { readonly record: SessionRecord; readonly secret: null },
  { candidate, presented }: Use,
  { keyRing, report }: SessionsParts,
): RefreshAnswer {
  const { sid, sub, clientId, generation } = record;
  report({ type: 'refresh.answered', outcome, sid, sub, clientId, generation });
  const refreshToken =
    secret === null ? null : formatRefreshToken({ sid, generation, nonce: candidate.nextNonce, secret }, keyRing);
  return { kind: 'granted', session: record, refreshToken, jkt: record.jkt ?? presented.jkt };
}

/** Turns a {@link RowFault} into `unavailable` (503), because a held row says nothing about the token. */
async function withoutRowFault<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (cause) {
    if (!(cause instanceof RowFault)) throw cause;
    throw new HoldfastServerError('unavailable', 'the session is held by another transaction', { cause });
  }
}
