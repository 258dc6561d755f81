import type { SessionRevoked } from '../kernel/events.ts';
import type { SigningAlgorithm } from '../kernel/jws.ts';
import type { SessionLifetimes } from '../kernel/policy.ts';
import type { SessionState } from '../rotation/rotation.ts';
import type { EventStore, WebhookStore } from './event-store.ts';
import type { MassEndingStore, SubjectStore } from './subject-store.ts';
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
 * **Locks.** Every transaction about a user, except a use of one session, locks the subject's row first, then sessions in the
 * order of their ids.
 *
 * **Device chains.** Sessions of one user, client and device form a chain. The subject's counter orders them (`deviceSequence`);
 * no clock does. A session counts as used once `lastUsedAtMs` is set.
 *
 * **Events.** The creation and the end of a session are recorded, for the audit log and the webhooks, in the transaction
 * that creates or ends it: neither is there without the other. What changes no session is appended soon after it happened.
 *
 * **Seeds** never leave the database: it makes them, checks secrets against them, and computes the secrets of new copies.
 *
 * **Failure.** A method that rejects with `HoldfastError` `unavailable` may or may not have happened.
 */
export type Store = {
  readonly subjects: SubjectStore;
  readonly sessions: SessionStore;
  readonly codes: AuthorizationCodeStore;
  readonly endings: MassEndingStore;
  readonly users: UserStore;
  readonly passkeys: PasskeyStore;
  readonly attempts: AttemptStore;
  readonly signingKeys: SigningKeyStore;
  readonly events: EventStore;
  readonly webhooks: WebhookStore;
};

export type SessionStore = {
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

  /**
   * The second step of a session's first use: ends the smaller sequences of its chain, reason `replaced`, and clears
   * `hasPredecessors`. Does nothing when the session has ended. Waits for the disk, and only briefly for a row that another
   * transaction holds: a refresh waits for it.
   *
   * @throws RowFault when a row is held; HoldfastError `unavailable`
   */
  endPredecessors(session: ChainMember, address: string): Promise<readonly SessionRevoked[]>;
  /** Ends that one live session, whatever its generation; only of this user when `sub` is given. Waits for the disk. */
  revoke(sid: string, cause: EndingCause, sub?: string): Promise<SessionRevoked | null>;
  /**
   * A sign-out of a session, alive or not: ends it, every larger one of its chain that was never used, and every sequence
   * below the largest that it ends. Voids the exchanges of the chain whose codes were issued before. Waits for the disk.
   */
  signOut(sid: string, cause: EndingCause, sub?: string): Promise<readonly SessionRevoked[]>;
  /** Ends every live session of a session's chain, and voids exchanges as {@link SessionStore.signOut} does. */
  endChain(sid: string, cause: EndingCause, sub?: string): Promise<readonly SessionRevoked[]>;
  /**
   * Voids sign-ins under way, so that none of them makes a session afterwards, and writes the intent to end live sessions of
   * a user. Waits for the disk.
   *
   * @returns the id of the intent for {@link MassEndingStore.endSlice}; null when there is nothing to end
   */
  revokeAllOfUser(sub: string, ending: Ending): Promise<string | null>;
  /** A page of a user's device chains, the one used last first. */
  readonly listOfUser: (sub: string, page: DevicePage) => Promise<DeviceList>;
  /** Gives a live session's device a label. @returns false when there is no such session of this user */
  readonly label: (sid: string, sub: string, deviceLabel: string | null) => Promise<boolean>;
  /** A session's place in its chain, alive or not; null when there is none. It never changes. */
  readonly findMember: (sid: string) => Promise<(ChainMember & Pick<SessionRecord, 'clientId'>) | null>;
  /** True if a device secret belongs to a session's chain: one of its exchanges brought it. */
  readonly isDeviceOf: (sid: string, secretHash: Buffer) => Promise<boolean>;
  /** Which of these sessions are alive: neither ended nor expired. */
  readonly findLive: (sids: readonly string[]) => Promise<readonly LiveSession[]>;
};

/** A session row without its seed. */
export type SessionRecord = {
  readonly sid: string;
  readonly sub: string;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
  readonly acr: string;
  readonly authTimeSeconds: number;
  /** The session that its exchange named. */
  readonly replaces: string | null;
  /** Names its chain, a UUID. */
  readonly deviceId: string;
  /** Its place among the user's sessions: the larger, the later it was made. */
  readonly deviceSequence: number;
  /** Smaller sequences of its chain may still live. */
  readonly hasPredecessors: boolean;
  /** The database's clock at this reading. */
  readonly nowMs: number;
} & SessionState;

/** A session and its place in its chain. */
export type ChainMember = Pick<SessionRecord, 'sid' | 'sub' | 'deviceId' | 'deviceSequence'>;

/** Which devices to list. */
export type DevicePage = {
  /** The caller's session. */
  readonly currentSid: string | null;
  /** Where the page before ended; null for the first page. */
  readonly after: DeviceCursor | null;
  /** At most so many. */
  readonly limit: number;
};

/** The last device of a page. */
export type DeviceCursor = Pick<ListedSession, 'lastUsedAtMs' | 'sid'>;

export type DeviceList = {
  readonly sessions: readonly ListedSession[];
  /** Where the next page begins; null when there is none. */
  readonly next: DeviceCursor | null;
};

/** A device as its user sees it: the session of its chain that was used last. */
export type ListedSession = {
  readonly sid: string;
  readonly deviceId: string;
  /** The caller's session is in the chain. */
  readonly isCurrent: boolean;
  readonly clientId: string;
  /** What the user calls the device; null while it has no name. */
  readonly deviceLabel: string | null;
  /** As of the last rotation. */
  readonly userAgent: string;
  readonly address: string;
  readonly createdAtMs: number;
  /** When its refresh token was last used, exact to an interval of rotation; at first when it was made. */
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
  readonly authTimeSeconds: number;
  readonly amr: readonly string[];
  readonly acr: string;
};

export type LiveSession = {
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly deviceId: string;
  readonly deviceSequence: number;
};

export type Delivery = {
  readonly record: SessionRecord;
  /** The secret of the copy to hand out. */
  readonly secret: Buffer;
};

export type Reading = {
  readonly record: SessionRecord;
  /** Whether the copy's secret is the one that the session's seed gives for its generation and nonce. */
  readonly isSecretGenuine: boolean;
};

export type RowVersion = {
  readonly sid: string;
  readonly generation: number;
  readonly replays: number;
};

export type CopyToVerify = {
  readonly sid: string;
  readonly generation: number;
  readonly nonce: Buffer;
  readonly secret: Buffer;
};

/** What a use of a session leaves in its row beside the rotation. */
export type Activity = {
  readonly isUserActive: boolean;
  /** How far the user's activity moves the inactivity timeout. */
  readonly inactivityTimeoutSeconds: number;
  readonly address: string;
  readonly userAgent: string;
};

export type RotationCandidate = {
  readonly clientId: string;
  /** The scope asked for, space-delimited; null for the whole grant. */
  readonly scope: string | null;
  /** Nonce of the copy to hand out. */
  readonly nextNonce: Buffer;
} & CopyToVerify &
  Activity;

/** The new session's values that an exchange brings. The store makes its `sid`, in the user's bucket. */
export type NewSession = {
  /** The key that the session is bound to for good; null for a bearer session. */
  readonly jkt: string | null;
  readonly lifetimes: SessionLifetimes;
  /** Nonce of the first copy. */
  readonly nonce: Buffer;
  readonly address: string;
  readonly userAgent: string;
  readonly device: DeviceEvidence;
};

/** The device that an exchange comes from. */
export type DeviceEvidence = {
  /** SHA-256 of the device secret; null when the exchange brings none. */
  readonly secretHash: Buffer | null;
  /** The session that the new one replaces; null when none is named. */
  readonly replaces: string | null;
  /** Sessions, alive or not, of which the exchange brings a genuine copy. Those of another user or client prove nothing. */
  readonly copiesOf: readonly string[];
};

/** The outcome of an exchange. */
export type ExchangeResult =
  | {
      readonly kind: 'exchanged';
      readonly delivery: Delivery;
      /** Sessions that ended with it: `replaced` by the first use of the named one, or beyond a `limit`. */
      readonly ended: readonly SessionRevoked[];
    }
  /** `code`: used, expired, or of an epoch that is over. `signed_out`: a sign-out of the chain came between. */
  | { readonly kind: 'refused'; readonly reason: 'code' | 'signed_out' }
  /** The user has as many device chains as allowed, and all of them were made with a stronger authentication. */
  | { readonly kind: 'too_many_sessions' }
  /** The account signs in too often. */
  | { readonly kind: 'delayed'; readonly sub: string; readonly retryAfterMs: number };

export type NewAuthorizationCode = {
  readonly codeHash: Buffer;
  readonly clientId: string;
  readonly sub: string;
  readonly scope: readonly string[];
  readonly codeChallenge: string;
  /** The only key that may exchange the code; null when any may. */
  readonly jkt: string | null;
  readonly amr: readonly string[];
  readonly acr: string;
  /** The user's at the authentication; the code makes no session in another one. */
  readonly signInEpoch: number;
};

export type AuthorizationCodeRecord = {
  readonly clientId: string;
  readonly codeChallenge: string;
  /** The only key that may exchange it; null when any may. */
  readonly jkt: string | null;
  readonly isExpired: boolean;
  /** The session that the code was exchanged for; null while it is unused. */
  readonly sid: string | null;
};

export type AuthorizationCodeStore = {
  insert(code: NewAuthorizationCode): Promise<void>;
  find(codeHash: Buffer): Promise<AuthorizationCodeRecord | null>;
  /**
   * Consumes a live code and creates its session, both or neither, in the chain that the evidence proves, else in a new one.
   *
   * An exchange that names a live session and brings that session's own copy is that session's first use. Waits for the disk.
   */
  exchange(codeHash: Buffer, session: NewSession): Promise<ExchangeResult>;
};

/** A signing key as it lies in the database. */
export type StoredSigningKey = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  /** The public key as a JWK without `kid`, `use` and `alg`. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
  /** The private key (PKCS #8), encrypted under a key derived from the master secret that `secretId` names. */
  readonly encryptedPrivateKey: Buffer;
  readonly secretId: number;
  /** From then on it signs, until a later one does. */
  readonly signsFromMs: number;
};

export type PublishedSigningKeys = {
  /** In the order in which they sign. */
  readonly keys: readonly StoredSigningKey[];
  /** The database's clock at this reading. */
  readonly nowMs: number;
};

/** What is to be different about the published keys. */
export type SigningKeyChange = {
  readonly add: readonly StoredSigningKey[];
  /** Their `kid`s. */
  readonly remove: readonly string[];
};

export type SigningKeyStore = {
  list(): Promise<PublishedSigningKeys>;
  /** Plans a change on what is there and makes it, under a lock: of several nodes one plans at a time. @returns the keys after it */
  change(plan: (published: PublishedSigningKeys) => SigningKeyChange): Promise<PublishedSigningKeys>;
  /** Stores the same private key as encrypted under another master secret. */
  updateEncryption(key: StoredSigningKey): Promise<void>;
};

/** One row kept a statement from committing: held by another transaction, or a deadlock or serialization victim. */
export class RowFault extends Error {
  override readonly name = 'RowFault';
}
