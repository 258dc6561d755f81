import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from './keys.ts';

/** A challenge that is waiting for its answer. */
export interface PasskeyChallenge {
  readonly challenge: Buffer;
  /** Seconds since the epoch. */
  readonly expiresAtSeconds: number;
}

export interface PasskeyChallenges {
  /**
   * Makes a challenge for one ceremony.
   *
   * @param binding what the ceremony belongs to: only with the same binding does the session open again
   * @returns the challenge, and what the client gives back with the answer (`auth_session`)
   */
  issue(binding: readonly string[]): PasskeyChallenge & { readonly session: string };
  /** @returns null when it is not ours, or belongs to something else; whether it is spent or expired shows when it is spent */
  open(session: string, binding: readonly string[]): PasskeyChallenge | null;
}

const CHALLENGE_BYTES = 32;
const TAG_BYTES = 32;
/** Key id 2, expiry 6, challenge. */
const HEAD_BYTES = 2 + 6 + CHALLENGE_BYTES;
/** Exactly 72 bytes, unpadded: one spelling for one session. */
const SESSION = /^[A-Za-z0-9_-]{96}$/;

/**
 * Challenges that carry their own proof, so that one which is never answered costs the database nothing: every visitor of a
 * sign-in page can have one for its autofill. Only an answer is remembered, see {@link PasskeyStore.spendChallenge}.
 *
 * @param nowMs this host's wall clock; the database judges the expiry
 * @see WebAuthn Level 3 §13.4.3
 */
export function createPasskeyChallenges(
  keyRing: KeyRing,
  lifetimeSeconds: number,
  nowMs: () => number,
): PasskeyChallenges {
  const tagOf = (key: Buffer, head: Buffer, binding: readonly string[]): Buffer =>
    createHmac('sha256', key).update(head).update(JSON.stringify(binding)).digest();
  return {
    issue: (binding) => {
      const { id, challengeKey } = keyRing.minting;
      const challenge = randomBytes(CHALLENGE_BYTES);
      const expiresAtSeconds = Math.floor(nowMs() / 1000) + lifetimeSeconds;
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt16BE(id, 0);
      head.writeUIntBE(expiresAtSeconds, 2, 6);
      challenge.copy(head, 8);
      const session = Buffer.concat([head, tagOf(challengeKey, head, binding)]).toString('base64url');
      return { challenge, expiresAtSeconds, session };
    },
    open: (session, binding) => {
      if (!SESSION.test(session)) return null;
      const bytes = Buffer.from(session, 'base64url');
      const head = bytes.subarray(0, HEAD_BYTES);
      const key = keyRing.find(head.readUInt16BE(0));
      // Of another node's key as well: the ceremony is begun anew, nothing is lost.
      if (key === 'unknown' || key === 'retired') return null;
      const tag = bytes.subarray(HEAD_BYTES, HEAD_BYTES + TAG_BYTES);
      if (!timingSafeEqual(tag, tagOf(key.challengeKey, head, binding))) return null;
      return { challenge: head.subarray(8), expiresAtSeconds: head.readUIntBE(2, 6) };
    },
  };
}
