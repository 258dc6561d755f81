import type { EventStore, WebhookStore } from './event-store.ts';
import type { SessionRevoked } from './events.ts';
import type { SigningAlgorithm } from './jws.ts';
import type { SessionLifetimes } from './policy.ts';
import type { SessionState } from './rotation.ts';
import type { AttemptStore, Ending, EndingCause, PasskeyStore, UserStore } from './user-store.ts';

/**
 * The storage port, and its contract.
 *
 * **Time** is the database's `now()`, in whole milliseconds; no method takes a host's clock.
 *
 * **What waits for the disk.** `rotate`, `heal` and `slide` commit asynchronously: a crash may forget the last of them, and
 * the protocol repeats or heals what was forgotten. Everything else has reached the disk (and, with synchronous replicas,
 * is visible there) before its promise resolves. A forgotten replay could end an honest session, a forgotten revocation
 * would bring a session back to life.
 *
 * **Compare-and-swap.** Every write that follows from a decision names the row version it was decided on, `(generation,
 * replays)`, and happens only if that is still the live row's; otherwise it resolves to null or false and the caller reads
 * and decides again. `rotate` has its whole decision in its condition instead. Revocations by a person are unconditional.
 *
 * **Events.** The creation and the end of a session are recorded, for the audit log and the webhooks, in the transaction
 * that creates or ends it: neither is there without the other. What changes no session is appended soon after it happened.
 *
 * **Seeds** never leave the database: it makes them, checks secrets against them, and computes the secrets of new copies.
 *
 * **Failure.** A method that rejects with `HoldfastError` `unavailable` may or may not have happened.
 */
export interface Store {
  readonly sessions: SessionStore;
  readonly codes: AuthorizationCodeStore;
  readonly users: UserStore;
  readonly passkeys: PasskeyStore;
  readonly attempts: AttemptStore;
  readonly signingKeys: SigningKeyStore;
  readonly events: EventStore;
  readonly webhooks: WebhookStore;
}

export interface SessionStore {
  /**
   * Rotates all candidates whose rows satisfy the whole of the decision's row 4, in one statement. At most one candidate
   * per session, in the order of their ids, so that two nodes lock rows in one order.
   *
   * @returns for each candidate the row after its rotation and the secret of the new copy, or null when its row did not match
   * @throws HoldfastError `unavailable`; {@link RowFault} when a single row is to blame and the others may be tried alone
   */
  rotate(candidates: readonly RotationCandidate[]): Promise<readonly (Delivery | null)[]>;

  /**
   * Reads the rows of copies, from the primary.
   *
   * @throws HoldfastError `unavailable`
   */
  read(copies: readonly CopyToVerify[]): Promise<readonly (Reading | null)[]>;

  /** Row 7: accepts `generation` as the newest. `rotatedBy` becomes unknown, `replays` 0. */
  heal(observed: RowVersion, generation: number, activity: Activity): Promise<SessionRecord | null>;
  /** Row 5: hands out a copy of the newest generation again. Waits for the disk. */
  replay(observed: RowVersion, nonce: Buffer, activity: Activity): Promise<Delivery | null>;
  /** Moves the inactivity timeout and nothing else. */
  slide(observed: RowVersion, activity: Activity): Promise<SessionRecord | null>;
  /** Rows 6 and 7b: ends the session. Waits for the disk. */
  end(observed: RowVersion, cause: EndingCause): Promise<SessionRevoked | null>;

  /** Ends a live session, whatever its generation; only of this user when `sub` is given. Waits for the disk. */
  revoke(sid: string, cause: EndingCause, sub?: string): Promise<SessionRevoked | null>;
  /**
   * Ends live sessions of a user, and voids sign-ins under way, so that none of them makes a session afterwards. Waits for
   * the disk.
   */
  revokeAllOfUser(sub: string, ending: Ending): Promise<readonly SessionRevoked[]>;
  /** Live sessions of a user, the one used last first; one that is being replaced is left out. */
  readonly listOfUser: (sub: string, timeouts: InactivityTimeouts) => Promise<readonly ListedSession[]>;
  /** Gives a live session's device a label. @returns false when there is no such session of this user */
  readonly label: (sid: string, sub: string, deviceLabel: string | null) => Promise<boolean>;
  /** The user of a session, alive or not; null when there is none. */
  readonly findOwner: (sid: string) => Promise<string | null>;
  /** Which of these sessions are alive: neither ended nor expired. */
  readonly findLive: (sids: readonly string[]) => Promise<readonly LiveSession[]>;
}

/** A session row without its seed. */
export interface SessionRecord extends SessionState {
  readonly sid: string;
  readonly sub: string;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
  readonly acr: string;
  readonly authTimeSeconds: number;
  /** The session that this one takes over from. */
  readonly replaces: string | null;
  /** The database's clock at this reading. */
  readonly nowMs: number;
}

/** Inactivity timeouts in seconds by client: with them a row tells when its session was last used. */
export type InactivityTimeouts = ReadonlyMap<string, number>;

/** A session as its user sees it. */
export interface ListedSession {
  readonly sid: string;
  readonly clientId: string;
  /** What the user calls the device; null while it has no name. */
  readonly deviceLabel: string | null;
  /** As of the last rotation. */
  readonly userAgent: string;
  readonly address: string;
  readonly createdAtMs: number;
  /** When its refresh token was last used, as far as rows tell: exact to an interval of rotation. */
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
  readonly authTimeSeconds: number;
  readonly amr: readonly string[];
  readonly acr: string;
}

export interface LiveSession {
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
}

export interface Delivery {
  readonly record: SessionRecord;
  /** The secret of the copy to hand out. */
  readonly secret: Buffer;
}

export interface Reading {
  readonly record: SessionRecord;
  /** Whether the copy's secret is the one that the session's seed gives for its generation and nonce. */
  readonly isSecretGenuine: boolean;
}

export interface RowVersion {
  readonly sid: string;
  readonly generation: number;
  readonly replays: number;
}

export interface CopyToVerify {
  readonly sid: string;
  readonly generation: number;
  readonly nonce: Buffer;
  readonly secret: Buffer;
}

/** What a use of a session leaves in its row beside the rotation. */
export interface Activity {
  readonly isUserActive: boolean;
  /** How far the user's activity moves the inactivity timeout. */
  readonly inactivityTimeoutSeconds: number;
  readonly address: string;
  readonly userAgent: string;
}

export interface RotationCandidate extends CopyToVerify, Activity {
  readonly clientId: string;
  /** The scope asked for, space-delimited; null for the whole grant. */
  readonly scope: string | null;
  /** Nonce of the copy to hand out. */
  readonly nextNonce: Buffer;
}

export interface NewSession {
  readonly sid: string;
  /** The key that the session is bound to for good; null for a bearer session. */
  readonly jkt: string | null;
  readonly lifetimes: SessionLifetimes;
  /** Nonce of the first copy. */
  readonly nonce: Buffer;
  readonly address: string;
  readonly userAgent: string;
}

export interface NewAuthorizationCode {
  readonly codeHash: Buffer;
  readonly clientId: string;
  readonly sub: string;
  readonly scope: readonly string[];
  readonly codeChallenge: string;
  /** The only key that may exchange the code; null when any may. */
  readonly jkt: string | null;
  readonly amr: readonly string[];
  readonly acr: string;
  readonly replaces: string | null;
  /** The user's at the authentication; the code makes no session in another one. */
  readonly signInEpoch: number;
}

export interface AuthorizationCodeRecord {
  readonly clientId: string;
  readonly codeChallenge: string;
  /** The only key that may exchange it; null when any may. */
  readonly jkt: string | null;
  readonly isExpired: boolean;
  /** The session that the code was exchanged for; null while it is unused. */
  readonly sid: string | null;
}

export interface AuthorizationCodeStore {
  insert(code: NewAuthorizationCode): Promise<void>;
  find(codeHash: Buffer): Promise<AuthorizationCodeRecord | null>;
  /** Consumes a live code and creates its session: both or neither. @returns null when the code is used or expired */
  exchange(codeHash: Buffer, session: NewSession): Promise<Delivery | null>;
}

/** A signing key as it lies in the database. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  /** The public key as a JWK without `kid`, `use` and `alg`. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
  /** The private key (PKCS #8), encrypted under a key derived from the master secret that `secretId` names. */
  readonly encryptedPrivateKey: Buffer;
  readonly secretId: number;
  /** From then on it signs, until a later one does. */
  readonly signsFromMs: number;
}

export interface PublishedSigningKeys {
  /** In the order in which they sign. */
  readonly keys: readonly StoredSigningKey[];
  /** The database's clock at this reading. */
  readonly nowMs: number;
}

/** What is to be different about the published keys. */
export interface SigningKeyChange {
  readonly add: readonly StoredSigningKey[];
  /** Their `kid`s. */
  readonly remove: readonly string[];
}

export interface SigningKeyStore {
  list(): Promise<PublishedSigningKeys>;
  /** Plans a change on what is there and makes it, under a lock: of several nodes one plans at a time. @returns the keys after it */
  change(plan: (published: PublishedSigningKeys) => SigningKeyChange): Promise<PublishedSigningKeys>;
  /** Stores the same private key as encrypted under another master secret. */
  updateEncryption(key: StoredSigningKey): Promise<void>;
}

/** One row kept a statement from committing: held by another transaction, or a deadlock or serialization victim. */
export class RowFault extends Error {
  override readonly name = 'RowFault';
}
