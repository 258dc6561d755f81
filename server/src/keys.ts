import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { HoldfastError } from './errors.ts';
import type { SigningKeyStore, StoredSigningKey } from './store.ts';

/** What is derived from one master secret. */
export interface ServerKey {
  /**
   * Derived from the secret as well: two nodes that were given different secrets disagree about ids, so one answers the
   * other's tokens "not now" (503) and not "never" (`invalid_grant`).
   */
  readonly id: number;
  readonly tagKey: Buffer;
  readonly encryptionKey: Buffer;
  readonly dpopNonceKey: Buffer;
}

/** The server keys of a node: one mints, several verify, some were given up. */
export interface KeyRing {
  readonly minting: ServerKey;
  /** The minting key and the accepted ones. */
  readonly verifying: readonly [ServerKey, ...ServerKey[]];
  readonly find: (id: number) => ServerKey | 'unknown' | 'retired';
}

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
  // One label for each use: a key that serves two purposes would let one use be turned against the other.
  const derive = (label: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `holdfast/v1/${label}`, length));
  return {
    id: derive('key id', 2).readUInt16BE(0),
    tagKey: derive('refresh token tag', 32),
    encryptionKey: derive('signing key encryption', 32),
    dpopNonceKey: derive('DPoP nonce', 32),
  };
}

/** The keys that sign and verify access tokens. */
export interface SigningKeys {
  readonly current: () => { readonly kid: string; readonly privateKey: KeyObject };
  /** Looks an unknown key up in the database once in a while: another node may have published it. */
  readonly find: (kid: string) => Promise<KeyObject | null>;
  /** RFC 7517 key set with every published key. */
  readonly jwks: () => { readonly keys: readonly JsonWebKey[] };
}

/** A stranger can send any `kid`; the database is asked about unknown ones at most this often. */
const RELOAD_INTERVAL_MS = 5_000;

interface LoadedKeys {
  readonly signing: { readonly kid: string; readonly privateKey: KeyObject };
  readonly verifying: ReadonlyMap<string, KeyObject>;
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
}

/**
 * Loads the signing keys, creating the first one on an empty database.
 *
 * @param monotonicMs a clock that never steps, for pacing look-ups
 * @throws HoldfastError `secret_mismatch`, `unavailable`
 */
export async function loadSigningKeys(
  store: SigningKeyStore,
  ring: KeyRing,
  monotonicMs: () => number = () => performance.now(),
): Promise<SigningKeys> {
  await store.createFirst(() => createSigningKey(ring.minting));
  await reencrypt(store, ring);
  let loaded = decryptAll(await store.list(), ring);
  let loadedAtMs = monotonicMs();
  return {
    current: () => loaded.signing,
    jwks: () => loaded.jwks,
    find: async (kid) => {
      const known = loaded.verifying.get(kid);
      if (known !== undefined || monotonicMs() - loadedAtMs < RELOAD_INTERVAL_MS) return known ?? null;
      loadedAtMs = monotonicMs();
      loaded = decryptAll(await store.list(), ring);
      return loaded.verifying.get(kid) ?? null;
    },
  };
}

function decryptAll(stored: readonly StoredSigningKey[], ring: KeyRing): LoadedKeys {
  const last = stored.at(-1);
  if (last === undefined) throw new HoldfastError('unavailable', 'the database holds no signing key');
  return {
    signing: { kid: last.kid, privateKey: decryptPrivateKey(last, ring) },
    verifying: new Map(
      stored.map(({ kid, publicJwk }) => [kid, createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })]),
    ),
    jwks: { keys: stored.map(({ kid, algorithm, publicJwk }) => ({ ...publicJwk, kid, use: 'sig', alg: algorithm })) },
  };
}

const IV_BYTES = 12;
const GCM_TAG_BYTES = 16;

/** After a roll-over of the master secret, so that the old one can be dropped. */
async function reencrypt(store: SigningKeyStore, ring: KeyRing): Promise<void> {
  for (const stored of await store.list()) {
    if (stored.secretId === ring.minting.id) continue;
    const privateKey = decryptPrivateKey(stored, ring);
    await store.updateEncryption({ ...stored, ...encryptPrivateKey(stored.kid, privateKey, ring.minting) });
  }
}

/** A new ES256 key, encrypted for storage. */
function createSigningKey(key: ServerKey): StoredSigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(16).toString('base64url');
  return {
    kid,
    algorithm: 'ES256',
    publicJwk: { ...publicKey.export({ format: 'jwk' }) },
    ...encryptPrivateKey(kid, privateKey, key),
  };
}

function encryptPrivateKey(
  kid: string,
  privateKey: KeyObject,
  key: ServerKey,
): Pick<StoredSigningKey, 'encryptedPrivateKey' | 'secretId'> {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.encryptionKey, iv);
  // Bound to its kid: a row cannot be passed off as another's.
  cipher.setAAD(Buffer.from(kid));
  const ciphertext = Buffer.concat([
    cipher.update(privateKey.export({ type: 'pkcs8', format: 'der' })),
    cipher.final(),
  ]);
  return { encryptedPrivateKey: Buffer.concat([iv, cipher.getAuthTag(), ciphertext]), secretId: key.id };
}

function decryptPrivateKey({ kid, encryptedPrivateKey, secretId }: StoredSigningKey, ring: KeyRing): KeyObject {
  const key = ring.find(secretId);
  if (key === 'unknown' || key === 'retired') throw secretMismatch();
  const iv = encryptedPrivateKey.subarray(0, IV_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key.encryptionKey, iv, { authTagLength: GCM_TAG_BYTES });
  decipher.setAAD(Buffer.from(kid));
  decipher.setAuthTag(encryptedPrivateKey.subarray(IV_BYTES, IV_BYTES + GCM_TAG_BYTES));
  try {
    const der = Buffer.concat([
      decipher.update(encryptedPrivateKey.subarray(IV_BYTES + GCM_TAG_BYTES)),
      decipher.final(),
    ]);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw secretMismatch(cause);
  }
}

function secretMismatch(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'secret_mismatch',
    'the signing key in this database was encrypted under another master secret: give that one as options.secret, or add it to options.acceptedSecrets',
    { cause },
  );
}
