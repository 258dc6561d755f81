import { hkdfSync } from 'node:crypto';

/** Id and keys derived from one master secret. */
export type ServerKey = {
  /**
   * Derived from the secret too. Two nodes with different secrets have different ids, so each answers the other's
   * tokens 503 (not now) instead of `invalid_grant` (never).
   */
  readonly id: number;
  readonly tagKey: Buffer;
  readonly encryptionKey: Buffer;
  readonly dpopNonceKey: Buffer;
  /** Authenticates the challenges of passkey ceremonies. */
  readonly challengeKey: Buffer;
  /** Hashes the names of the attempt counters, so that the database does not show whose attempts they count. */
  readonly attemptKey: Buffer;
};

/** The server keys of a node: one mints, several verify, and some are retired. */
export type KeyRing = {
  readonly minting: ServerKey;
  /** The minting key and the accepted ones. */
  readonly verifying: readonly [ServerKey, ...ServerKey[]];
  readonly find: (id: number) => ServerKey | 'unknown' | 'retired';
};

const MINIMUM_SECRET_BYTES = 32;

/**
 * Derives the key ring.
 *
 * @throws TypeError when a secret is too short or two of them collide
 */
export function createKeyRing(
  current: string,
  accepted: readonly string[] = [],
  retired: readonly string[] = [],
): KeyRing {
  const minting = deriveServerKey(current, 'options.secret');
  const keys = new Map<number, ServerKey | 'retired'>([[minting.id, minting]]);
  const add = (key: ServerKey, entry: ServerKey | 'retired', option: string): void => {
    if (keys.has(key.id)) throw new TypeError(`${option} holds a secret that is given twice, or whose key id is taken`);
    keys.set(key.id, entry);
  };
  const others = accepted.map((secret) => deriveServerKey(secret, 'options.acceptedSecrets'));
  for (const key of others) add(key, key, 'options.acceptedSecrets');
  for (const secret of retired) {
    add(deriveServerKey(secret, 'options.retiredSecrets'), 'retired', 'options.retiredSecrets');
  }
  return { minting, verifying: [minting, ...others], find: (id) => keys.get(id) ?? 'unknown' };
}

function deriveServerKey(secret: string, option: string): ServerKey {
  if (typeof secret !== 'string' || Buffer.byteLength(secret) < MINIMUM_SECRET_BYTES) {
    throw new TypeError(`${option}: a master secret is at least ${MINIMUM_SECRET_BYTES} bytes, from a random source`);
  }
  // One label per use: if one key had two purposes, an attacker could turn one use against the other.
  const derive = (label: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `holdfast/v1/${label}`, length));
  return {
    id: derive('key id', 2).readUInt16BE(0),
    tagKey: derive('refresh token tag', 32),
    encryptionKey: derive('signing key encryption', 32),
    dpopNonceKey: derive('DPoP nonce', 32),
    challengeKey: derive('passkey challenge', 32),
    attemptKey: derive('password attempts', 32),
  };
}
