import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { HoldfastServerError } from '../kernel/errors.ts';
import { generateSigningKeyPair, type SigningAlgorithm } from '../kernel/jws.ts';
import type { KeyRing, ServerKey } from '../kernel/key-ring.ts';
import type { PublishedSigningKeys, SigningKeyStore, StoredSigningKey } from '../storage/store.ts';
import { planKeys, rolesAt, signingKeyAt, type KeyRole, type KeySchedulePolicy } from './signing-key-schedule.ts';

/** A private key that signs access tokens. */
export type SigningKey = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
};

/** The keys that sign and verify access tokens. */
export type SigningKeys = {
  /**
   * Returns the key that signs now. The next key takes over on time without another read of the database, once it was
   * read.
   *
   * @throws HoldfastServerError `unavailable`
   */
  readonly current: () => SigningKey;
  /**
   * Finds a public key. Reads the keys again for an unknown `kid`, at most every 5 s: another node may have published
   * it.
   */
  readonly find: (kid: string) => Promise<KeyObject | null>;
  /** The RFC 7517 key set of all published keys: the previous ones, the signing one and the next. */
  readonly jwks: () => { readonly keys: readonly JsonWebKey[] };
  /**
   * Reads the keys again and follows the schedule: publishes the next key if it is due, and removes expired ones.
   *
   * @throws HoldfastServerError `unavailable`, `secret_mismatch`; the loaded keys stay as they were
   */
  readonly maintain: () => Promise<void>;
  /** Milliseconds since the last read of the keys. */
  readonly ageMs: () => number;
};

/** A published key in the operator's list. */
export type SigningKeyStatus = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly role: KeyRole;
  readonly signsFromMs: number;
};

export type SigningKeysParts = {
  readonly store: SigningKeyStore;
  readonly keyRing: KeyRing;
  readonly policy: KeySchedulePolicy;
  /**
   * A monotonic clock in milliseconds. It paces look-ups and measures the time since the last reading of the database's
   * clock. Default: `performance.now`.
   */
  readonly monotonicMs?: () => number;
};

/** Read the database for an unknown `kid` at most this often, because a stranger can send any `kid`. */
const RELOAD_INTERVAL_MS = 5_000;

type LoadedKeys = {
  /** Keys that sign now or later, in signing order. */
  readonly signing: readonly (SigningKey & { readonly signsFromMs: number })[];
  readonly verifying: ReadonlyMap<string, KeyObject>;
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
  /** The database's clock at the reading, and our monotonic clock at the same time. */
  readonly databaseMs: number;
  readonly readAtMs: number;
};

/**
 * Loads the signing keys, and creates the first one in an empty database.
 *
 * @throws HoldfastServerError `secret-mismatch`, `unavailable`
 */
export async function loadSigningKeys(parts: SigningKeysParts): Promise<SigningKeys> {
  const { store, keyRing, policy, monotonicMs = () => performance.now() } = parts;
  await reencrypt(store, keyRing);
  const load = (published: PublishedSigningKeys): LoadedKeys => decryptAll(published, keyRing, monotonicMs());
  const maintained = async (): Promise<LoadedKeys> => load(await followSchedule(store, keyRing, policy));
  let loaded = await maintained();
  let lookedUpAtMs = monotonicMs();
  let lookUp: Promise<void> | null = null;
  return {
    current: () => {
      const key = signingKeyAt(loaded.signing, loaded.databaseMs + monotonicMs() - loaded.readAtMs);
      if (key === null) throw new HoldfastServerError('unavailable', 'no signing key is loaded');
      return key;
    },
    jwks: () => loaded.jwks,
    find: async (kid) => {
      const known = loaded.verifying.get(kid);
      if (known !== undefined) return known;
      if (lookUp === null) {
        if (monotonicMs() - lookedUpAtMs < RELOAD_INTERVAL_MS) return null;
        lookedUpAtMs = monotonicMs();
        lookUp = (async () => void (loaded = load(await store.list())))().finally(() => (lookUp = null));
      }
      // All tokens of a new key share one look-up: none of them is refused because another one came first.
      await lookUp;
      return loaded.verifying.get(kid) ?? null;
    },
    maintain: async () => {
      loaded = await maintained();
    },
    ageMs: () => monotonicMs() - loaded.readAtMs,
  };
}

/** Reads the keys. If the schedule requires a change, plans it again under the lock and makes it. */
async function followSchedule(
  store: SigningKeyStore,
  ring: KeyRing,
  policy: KeySchedulePolicy,
): Promise<PublishedSigningKeys> {
  const published = await store.list();
  const { publishToSignFromMs, remove } = planKeys(published.keys, published.nowMs, policy);
  if (publishToSignFromMs === null && remove.length === 0) return published;
  return store.change(({ keys, nowMs }) => {
    const plan = planKeys(keys, nowMs, policy);
    const signsFromMs = plan.publishToSignFromMs;
    return {
      add: signsFromMs === null ? [] : [createSigningKey(policy.signingAlgorithm, signsFromMs, ring.minting)],
      remove: plan.remove,
    };
  });
}

/**
 * Publishes the next key now instead of by schedule. It signs after the usual lead. If a next key is already published,
 * nothing changes.
 *
 * With `isCompromised` a new key signs at once and every other key is removed. A node or resource server refuses the
 * access tokens of the removed keys as soon as it reads the keys again, and their clients refresh. No session ends.
 *
 * @throws HoldfastServerError `unavailable`
 */
export async function rotateSigningKeys(
  { store, keyRing, policy }: SigningKeysParts,
  { isCompromised = false }: { readonly isCompromised?: boolean } = {},
): Promise<readonly SigningKeyStatus[]> {
  const create = (signsFromMs: number): StoredSigningKey =>
    createSigningKey(policy.signingAlgorithm, signsFromMs, keyRing.minting);
  const published = await store.change(({ keys, nowMs }) => {
    if (isCompromised) return { add: [create(nowMs)], remove: keys.map(({ kid }) => kid) };
    const hasNext = keys.some(({ signsFromMs }) => signsFromMs > nowMs);
    return { add: hasNext ? [] : [create(nowMs + policy.signingKeyLeadSeconds * 1_000)], remove: [] };
  });
  return statusOf(published);
}

/** Lists the published keys and their roles, in signing order. */
export function statusOf({ keys, nowMs }: PublishedSigningKeys): readonly SigningKeyStatus[] {
  const roles = rolesAt(keys, nowMs);
  return keys.map(({ kid, algorithm, signsFromMs }) => ({
    kid,
    algorithm,
    signsFromMs,
    role: roles.get(kid) ?? 'previous',
  }));
}

/** Checks that every stored private key can be decrypted with the key ring. */
export function areReadable({ keys }: PublishedSigningKeys, ring: KeyRing): boolean {
  try {
    for (const key of keys) decryptPrivateKey(key, ring);
    return true;
  } catch (error) {
    if (error instanceof HoldfastServerError && error.code === 'secret-mismatch') return false;
    throw error;
  }
}

function decryptAll({ keys, nowMs }: PublishedSigningKeys, ring: KeyRing, readAtMs: number): LoadedKeys {
  const roles = rolesAt(keys, nowMs);
  return {
    signing: keys
      .filter(({ kid }) => roles.get(kid) !== 'previous')
      .map((key) => ({ ...key, privateKey: decryptPrivateKey(key, ring) })),
    verifying: new Map(
      keys.map(({ kid, publicJwk }) => [kid, createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })]),
    ),
    jwks: { keys: keys.map(({ kid, algorithm, publicJwk }) => ({ ...publicJwk, kid, use: 'sig', alg: algorithm })) },
    databaseMs: nowMs,
    readAtMs,
  };
}

const IV_BYTES = 12;
const GCM_TAG_BYTES = 16;

/** Encrypts the private keys again after a roll-over of the master secret, so that the old secret can be removed. */
async function reencrypt(store: SigningKeyStore, ring: KeyRing): Promise<void> {
  for (const stored of (await store.list()).keys) {
    if (stored.secretId === ring.minting.id) continue;
    const privateKey = decryptPrivateKey(stored, ring);
    await store.updateEncryption({ ...stored, ...encryptPrivateKey(stored.kid, privateKey, ring.minting) });
  }
}

/** Creates a key pair, with its private key encrypted for storage. */
function createSigningKey(algorithm: SigningAlgorithm, signsFromMs: number, key: ServerKey): StoredSigningKey {
  const { privateKey, publicKey } = generateSigningKeyPair(algorithm);
  const kid = randomBytes(16).toString('base64url');
  return {
    kid,
    algorithm,
    signsFromMs,
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
  // The kid is authenticated too, so that one row's ciphertext does not decrypt in another row.
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

function secretMismatch(cause?: unknown): HoldfastServerError {
  return new HoldfastServerError(
    'secret-mismatch',
    'the signing key in this database was encrypted under another master secret: give that one as options.secret, or add it to options.acceptedSecrets',
    { cause },
  );
}
