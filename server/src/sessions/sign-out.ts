import { createHash } from 'node:crypto';
import { HoldfastServerError } from '../kernel/errors.ts';
import { decide, type Outcome, type Refusal } from '../rotation/rotation.ts';
import type { SessionRecord } from '../storage/store.ts';
import type { SessionEndings, SessionsParts, SignOutAnswer, SignOutRequest } from './requests.ts';
import { parseKnown, toUse, type Use } from './session-use.ts';

/** Signs a client's user out. */
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
    // End the others first: if a later step fails, the token is still live for the next try. Only a live session may
    // end them.
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

/** Finds the session that a device names and proves by its device secret; null if it proves none. */
async function findOwnSession({ device = null }: SignOutRequest, { store }: SessionsParts) {
  if (device === null) return null;
  const isOwn = await store.isDeviceOf(device.sid, hashDeviceSecret(device.secret));
  return isOwn ? store.findMember(device.sid) : null;
}

/** Computes the hash of a device secret that the server stores. */
export function hashDeviceSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Ends a session. @param isOver true if the session was over before */
type EndSession = (session: SessionRecord, isOver: boolean) => Promise<void>;

/** Judges a copy as at a refresh. Judges a copy of a session that is over as if the session were live. */
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
      case 'revoke': {
        if (isOver) return { kind: 'signed_out' };
        const ended = await store.end(record, { reason: 'reuse', address: candidate.address });
        if (ended === null) continue;
        report(ended);
        return { kind: 'signed_out' };
      }
      case 'rotate':
      case 'redeliver':
      case 'accessTokenOnly':
      case 'heal':
      case 'unavailable':
        await end(record, isOver);
        return { kind: 'signed_out' };
    }
  }
  throw new HoldfastServerError('unavailable', 'a session was too contended to decide');
}

function isDead(outcome: Outcome): boolean {
  return outcome.kind === 'refuse' && isSessionRefusal(outcome.reason) && outcome.error === 'invalid_grant';
}

/** Makes a record look live, so that a sign-out with an ended session's copy still ends its later, unused ones. */
function revive(record: SessionRecord): SessionRecord {
  return { ...record, revokedReason: null, idleExpiresAtMs: Infinity, expiresAtMs: Infinity };
}

const WRONG_HOLDER: ReadonlySet<string> = new Set(['wrong_client', 'wrong_key', 'proof_missing']);

function isSessionRefusal(
  reason: Refusal['reason'],
): reason is Exclude<Refusal['reason'], 'wrong_client' | 'wrong_key' | 'proof_missing'> {
  return !WRONG_HOLDER.has(reason);
}
