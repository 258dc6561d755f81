import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../kernel/key-ring.ts';

/** A challenge that is waiting for its answer. */
export type PasskeyChallenge = {
  readonly challenge: Buffer;
  /** Seconds since the epoch. */
  readonly expiresAtSeconds: number;
};

export type PasskeyChallenges = {
  /**
   * Makes a challenge for one ceremony.
   *
   * @param binding what the ceremony belongs to: only with the same binding does the session open again
   * @returns the challenge, and what the client gives back with the answer (`auth_session`)
   */
  issue(binding: readonly string[]): PasskeyChallenge & { readonly session: string };
  /** @returns null when it is not ours, has expired, or belongs to something else */
  open(session: string, binding: readonly string[]): PasskeyChallenge | null;
  /**
   * Takes a challenge for one answer, right or wrong.
   *
   * @returns false when this node has seen an answer to it
   */
  claim(challenge: Buffer): boolean;
  /** Gives a challenge back whose answer could not be judged. */
  release(challenge: Buffer): void;
};

const CHALLENGE_BYTES = 32;
const TAG_BYTES = 32;
/** Key id 2, expiry 6, challenge. */
const HEAD_BYTES = 2 + 6 + CHALLENGE_BYTES;
/** Exactly 72 bytes, unpadded: one spelling for one session. */
const SESSION = /^[A-Za-z0-9_-]{96}$/;

/** Answered challenges that a node remembers, twice so many at most: some 100 bytes each. */
const MEMORY = 50_000;

/**
 * Challenges that carry their own proof, so that one which is never answered costs the database nothing: every visitor of a
 * sign-in page can have one for its autofill. An answer of any kind spends its challenge in this node's memory, and only a right
 * one in the database, for all nodes ({@link PasskeyStore.spendChallenge}): strangers can give wrong ones without end.
 *
 * @param nowMs this host's wall clock; of a right answer the database judges the expiry as well
 * @see WebAuthn Level 3 §13.4.3
 */
export function createPasskeyChallenges(
  keyRing: KeyRing,
  lifetimeSeconds: number,
  nowMs: () => number,
): PasskeyChallenges {
  const tagOf = (key: Buffer, head: Buffer, binding: readonly string[]): Buffer =>
    createHmac('sha256', key).update(head).update(JSON.stringify(binding)).digest();
  // Two sets take turns, so an answer is remembered for one to two lifetimes; a set that is full gives way early.
  let recent = new Set<string>();
  let previous = new Set<string>();
  let turnedAtMs = nowMs();
  return {
    claim: (challenge) => {
      const key = challenge.toString('base64url');
      if (recent.size >= MEMORY || nowMs() - turnedAtMs >= lifetimeSeconds * 1_000) {
        previous = recent;
        recent = new Set();
        turnedAtMs = nowMs();
      }
      if (recent.has(key) || previous.has(key)) return false;
      recent.add(key);
      return true;
    },
    release: (challenge) => {
      const key = challenge.toString('base64url');
      recent.delete(key);
      previous.delete(key);
    },
    issue: (binding) => {
      const { id, challengeKey } = keyRing.minting;
      const challenge = randomBytes(CHALLENGE_BYTES);
      const expiresAtSeconds = Math.floor(nowMs() / 1_000) + lifetimeSeconds;
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
      const expiresAtSeconds = head.readUIntBE(2, 6);
      return expiresAtSeconds * 1_000 > nowMs() ? { challenge: head.subarray(8), expiresAtSeconds } : null;
    },
  };
}
