import { randomBytes, timingSafeEqual } from 'node:crypto';
import { formatId } from '../kernel/ids.ts';
import type { KeyRing, ServerKey } from '../kernel/key-ring.ts';
import { createMac } from '../kernel/mac.ts';
import { LAST_GENERATION } from '../rotation/rotation.ts';

/**
 * A refresh token: opaque to clients; the server authenticates it without the database.
 *
 * `hfrt_` and the base64url of 66 bytes: key id 2, sid 16, generation 4, nonce 12, secret 16, tag 16, integers
 * big-endian. The tag is keyed by a server key and covers everything before it, so garbage is refused without the
 * database. The secret comes from the session's seed, so neither a leaked database nor a leaked server key alone can
 * mint a token.
 */
export type RefreshToken = {
  readonly keyId: number;
  readonly sid: string;
  readonly generation: number;
  readonly nonce: Buffer;
  readonly secret: Buffer;
};

/** Result of parsing a presented string. */
export type ParsedRefreshToken =
  | { readonly kind: 'genuine'; readonly token: RefreshToken }
  /** Not a refresh token of this server, or damaged. */
  | { readonly kind: 'malformed' }
  /** Under a key that this node does not have; it may have it once the roll-over reaches it. */
  | { readonly kind: 'unknown_key' }
  /** Under a retired key. */
  | { readonly kind: 'retired_key' };

/** Fixed prefix, so that secret scanners find a leaked token. */
export const REFRESH_TOKEN_PREFIX = 'hfrt_';
export const NONCE_BYTES = 12;
export const SECRET_BYTES = 16;

const TAG_BYTES = 16;
const SID_AT = 2;
const GENERATION_AT = SID_AT + 16;
const NONCE_AT = GENERATION_AT + 4;
const SECRET_AT = NONCE_AT + NONCE_BYTES;
const TAG_AT = SECRET_AT + SECRET_BYTES;
const TOKEN_BYTES = TAG_AT + TAG_BYTES;
/** 66 bytes are exactly 88 characters without slack bits, so every token has one spelling. */
const SHAPE = /^hfrt_[A-Za-z0-9_-]{88}$/;

/** Returns a random nonce. Every copy handed out gets its own, so that copies of one generation differ. */
export function newNonce(): Buffer {
  if (nonceAt === nonces.byteLength) {
    nonces = randomBytes(NONCE_BYTES * NONCES_AT_ONCE);
    nonceAt = 0;
  }
  nonceAt += NONCE_BYTES;
  return nonces.subarray(nonceAt - NONCE_BYTES, nonceAt);
}

/** Nonces per call for random bytes, because one call costs the same for one nonce as for many. */
const NONCES_AT_ONCE = 64;
let nonces = Buffer.alloc(0);
let nonceAt = 0;

/** Mints a copy under the ring's current key. */
export function formatRefreshToken(copy: Omit<RefreshToken, 'keyId'>, ring: KeyRing): string {
  const { minting } = ring;
  const bytes = Buffer.allocUnsafe(TOKEN_BYTES);
  bytes.writeUInt16BE(minting.id, 0);
  bytes.write(copy.sid.replaceAll('-', ''), SID_AT, 'hex');
  bytes.writeUInt32BE(copy.generation, GENERATION_AT);
  copy.nonce.copy(bytes, NONCE_AT);
  copy.secret.copy(bytes, SECRET_AT);
  computeTag(bytes.subarray(0, TAG_AT), minting).copy(bytes, TAG_AT);
  return REFRESH_TOKEN_PREFIX + bytes.toString('base64url');
}

/** Checks format and tag. Does no I/O, and compares tags in constant time. */
export function parseRefreshToken(presented: string, ring: KeyRing): ParsedRefreshToken {
  if (!SHAPE.test(presented)) return { kind: 'malformed' };
  const bytes = Buffer.from(presented.slice(REFRESH_TOKEN_PREFIX.length), 'base64url');
  const keyId = bytes.readUInt16BE(0);
  const key = ring.find(keyId);
  if (key === 'unknown') return { kind: 'unknown_key' };
  if (key === 'retired') return { kind: 'retired_key' };
  const isGenuine = timingSafeEqual(computeTag(bytes.subarray(0, TAG_AT), key), bytes.subarray(TAG_AT));
  const generation = bytes.readUInt32BE(GENERATION_AT);
  if (!isGenuine || generation > LAST_GENERATION) return { kind: 'malformed' };
  return {
    kind: 'genuine',
    token: {
      keyId,
      sid: formatId(bytes.subarray(SID_AT, GENERATION_AT)),
      generation,
      nonce: bytes.subarray(NONCE_AT, SECRET_AT),
      secret: bytes.subarray(SECRET_AT, TAG_AT),
    },
  };
}

const macs = new WeakMap<ServerKey, (covered: Buffer) => Buffer>();

function computeTag(covered: Buffer, key: ServerKey): Buffer {
  let mac = macs.get(key);
  if (mac === undefined) {
    mac = createMac(key.tagKey, REFRESH_TOKEN_PREFIX, TAG_AT);
    macs.set(key, mac);
  }
  return mac(covered).subarray(0, TAG_BYTES);
}
