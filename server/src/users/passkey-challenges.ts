import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../kernel/key-ring.ts';

/** A challenge that awaits its response. */
export type PasskeyChallenge = {
  readonly challenge: Buffer;
  /** Seconds since the epoch. */
  readonly expiresAtSeconds: number;
};

export type PasskeyChallenges = {
  /**
   * Makes a challenge for one ceremony.
   *
   * @param binding the ceremony's context; `open` accepts the session only with the same binding
   * @returns the challenge, and the `auth_session` that the client sends with its response
   */
  issue(binding: readonly string[]): PasskeyChallenge & { readonly session: string };
  /** @returns null if the session is not ours, has expired, or has another binding */
  open(session: string, binding: readonly string[]): PasskeyChallenge | null;
  /**
   * Claims a challenge for one response, valid or not.
   *
   * @returns false if this node has already seen a response to the challenge
   */
  claim(challenge: Buffer): boolean;
  /** Releases a claimed challenge after a failure on our side. */
  release(challenge: Buffer): void;
};

const CHALLENGE_BYTES = 32;
const TAG_BYTES = 32;
/** Key id 2, expiry 6, challenge. */
const HEAD_BYTES = 2 + 6 + CHALLENGE_BYTES;
/** Exactly 72 bytes, unpadded: one spelling for one session. */
const SESSION = /^[A-Za-z0-9_-]{96}$/;

/** Answered challenges in one set. A node keeps two sets; a challenge takes about 100 bytes. */
const MEMORY = 50_000;

/**
 * Creates stateless challenges: an HMAC authenticates each one, so unanswered challenges cost the database nothing. A
 * sign-in page requests one for autofill on every visit. Any response spends its challenge in this node's memory. Only
 * a valid response spends it in the database, for all nodes ({@link PasskeyStore.spendChallenge}), because attackers
 * can send invalid responses without limit.
 *
 * @param nowMs this host's wall clock; the database also checks the expiry of a valid response's challenge
 * @see WebAuthn Level 3 §13.4.3
 */
export function createPasskeyChallenges(
  keyRing: KeyRing,
  lifetimeSeconds: number,
  nowMs: () => number,
): PasskeyChallenges {
  const tagOf = (key: Buffer, head: Buffer, binding: readonly string[]): Buffer =>
    createHmac('sha256', key).update(head).update(JSON.stringify(binding)).digest();
  // The two sets rotate, so the node remembers a response for one to two lifetimes. A full set rotates early.
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
      // Also reached for another node's key. The client starts the ceremony again and loses nothing.
      if (key === 'unknown' || key === 'retired') return null;
      const tag = bytes.subarray(HEAD_BYTES, HEAD_BYTES + TAG_BYTES);
      if (!timingSafeEqual(tag, tagOf(key.challengeKey, head, binding))) return null;
      const expiresAtSeconds = head.readUIntBE(2, 6);
      return expiresAtSeconds * 1_000 > nowMs() ? { challenge: head.subarray(8), expiresAtSeconds } : null;
    },
  };
}
