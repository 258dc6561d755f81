import { createHash } from 'node:crypto';
import { HoldfastError } from '../kernel/errors.ts';
import { decide, type Outcome, type Refusal } from '../rotation/rotation.ts';
import type { SessionRecord } from '../storage/store.ts';
import type { SessionEndings, SessionsParts, SignOutAnswer, SignOutRequest } from './requests.ts';
import { parseKnown, toUse, type Use } from './session-use.ts';

/** Answers a client that signs its user out. */
export async function signOut(
  request: SignOutRequest,
  parts: SessionsParts,
  { revoke, signOutOf, revokeAllOfUser }: Pick<SessionEndings, 'revoke' | 'signOutOf' | 'revokeAllOfUser'>,
): Promise<SignOutAnswer> {
  const { refreshToken, address, client, isEverywhere, isDiscard = false } = request;
  let areOthersEnded = false;
  const endOwn = (sid: string): Promise<boolean> =>
    isDiscard ? revoke(sid, 'discarded', { address }) : signOutOf(sid, { address });
  const end: EndSession = async ({ sid, sub }, isOver) => {
    // The others first: should this fail in between, the token still counts at the next try. Only a live session speaks for them.
    areOthersEnded = isEverywhere && !isOver;
    if (areOthersEnded) await revokeAllOfUser(sub, 'user', { address, sparedSid: sid });
    await endOwn(sid);
  };
  const endProven = async (): Promise<SignOutAnswer> => {
    const parsed = refreshToken === null ? null : parseKnown(refreshToken, parts);
    if (parsed?.kind === 'genuine') {
      const use = toUse(parsed.token, { ...request, scope: null, isUserActive: false }, parts.policy);
      return judge(use, parts, end);
    }
    const member = await findOwnSession(request, parts);
    if (member?.clientId === client.clientId) await endOwn(member.sid);
    return { kind: 'signed_out' };
  };
  const answer = await endProven();
  return answer.kind === 'signed_out' && isEverywhere && !areOthersEnded ? { kind: 'not_everywhere' } : answer;
}

/** The session that a device names and proves by its secret; null when it does not. */
async function findOwnSession({ device = null }: SignOutRequest, { store }: SessionsParts) {
  if (device === null) return null;
  const isOwn = await store.isDeviceOf(device.sid, hashDeviceSecret(device.secret));
  return isOwn ? store.findMember(device.sid) : null;
}

/** The hash that the server keeps of a device secret. */
export function hashDeviceSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** @param isOver whether the session was over before */
type EndSession = (session: SessionRecord, isOver: boolean) => Promise<void>;

/** Judges a copy as at a refresh. A copy of a session that is over is judged as if it were alive. */
async function judge(
  { candidate, presented, policy: rotationPolicy }: Use,
  { store, policy, report }: SessionsParts,
  end: EndSession,
): Promise<SignOutAnswer> {
  for (let attempts = 0; attempts < policy.maxDecisionAttempts; attempts++) {
    const reading = (await store.read([candidate]))[0] ?? null;
    if (reading === null || !reading.isSecretGenuine) return { kind: 'signed_out' };
    const { record } = reading;
    const isOver = isDead(decide(record, presented, record.nowMs, rotationPolicy));
    const outcome = decide(isOver ? revive(record) : record, presented, record.nowMs, rotationPolicy);
    switch (outcome.kind) {
      case 'refuse':
        return isSessionRefusal(outcome.reason)
          ? { kind: 'signed_out' }
          : { kind: 'wrong_holder', reason: outcome.reason };
      case 'wait':
        return isOver ? { kind: 'signed_out' } : outcome;
      case 'end': {
        if (isOver) return { kind: 'signed_out' };
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
        await end(record, isOver);
        return { kind: 'signed_out' };
    }
  }
  throw new HoldfastError('unavailable', 'a session was too contended to decide');
}

function isDead(outcome: Outcome): boolean {
  return outcome.kind === 'refuse' && isSessionRefusal(outcome.reason) && outcome.error === 'invalid_grant';
}

/** Of a session that is over: its later, unused ones still end with a sign-out. */
function revive(record: SessionRecord): SessionRecord {
  return { ...record, revokedReason: null, idleExpiresAtMs: Infinity, expiresAtMs: Infinity };
}

const WRONG_HOLDER: ReadonlySet<string> = new Set(['wrong_client', 'wrong_key', 'proof_missing']);

function isSessionRefusal(
  reason: Refusal['reason'],
): reason is Exclude<Refusal['reason'], 'wrong_client' | 'wrong_key' | 'proof_missing'> {
  return !WRONG_HOLDER.has(reason);
}
