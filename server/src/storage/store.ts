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
 * **Commits that wait for the disk.** `rotate`, `heal` and `slide` commit asynchronously: a crash may lose the last of
 * them, and the protocol repeats or heals them. Every other write has reached the disk (and, with synchronous replicas,
 * is visible there) before its promise resolves. A lost redelivery could end an honest session. A lost revocation would
 * bring a session back to life.
 *
 * **Compare-and-swap.** Every write that follows from a decision names the row version of that decision, `(generation,
 * redeliveries)`. It happens only if the row still has that version and is not revoked. Otherwise it resolves to null, and
 * the caller reads and decides again. `rotate` has its whole decision in its condition instead. Revocations by users
 * and administrators are unconditional.
 *
 * **Locks.** Every transaction of a user, except a use of one session, locks the subject's row first, then sessions in
 * the order of their ids.
 *
 * **Device chains.** Sessions of one user, client and device form a chain. The subject's counter orders them
 * (`deviceSequence`), no clock does. A session counts as used once `lastUsedAtMs` is set.
 *
 * **Events.** The transaction that creates or ends a session also records the event for the audit log and the webhooks,
 * so neither is stored without the other. Other events are appended soon afterwards.
 *
 * **Seeds** never leave the database: it makes them, checks secrets against them, and computes the secrets of new
 * copies.
 *
 * **Failure.** If a method rejects with `HoldfastError` `unavailable`, its write may or may not have happened.
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
   * Rotates all candidates whose rows satisfy rows 1 to 4 of the decision, in one statement. Pass at most one candidate
   * per session, in the order of their ids, so that two nodes lock rows in one order.
   *
   * @returns for each candidate the row after its rotation and the secret of the new copy, or null if its row did not
   *   match
   * @throws HoldfastServerError `unavailable`; {@link RowFault} if a single row failed and each candidate may be tried alone
   */
  rotate(candidates: readonly RotationCandidate[]): Promise<readonly (IssuedGeneration | null)[]>;

  /**
   * Reads the rows of copies, from the primary.
   *
   * @throws HoldfastServerError `unavailable`
   */
  read(copies: readonly CopyToVerify[]): Promise<readonly (Reading | null)[]>;

  /** Row 7: takes `generation` as the newest. `rotatedBy` becomes null, `redeliveries` 0. */
  heal(observed: RowVersion, generation: number, activity: Activity): Promise<SessionRecord | null>;
  /** Row 5: hands out a copy of the newest generation again. Waits for the disk. */
  redeliver(observed: RowVersion, nonce: Buffer, activity: Activity): Promise<IssuedGeneration | null>;
  /** Writes the use alone: last use, address, user agent, and the inactivity timeout if the user is active. */
  slide(observed: RowVersion, activity: Activity): Promise<SessionRecord | null>;
  /** Rows 6 and 7b: ends the session. Waits for the disk. */
  end(observed: RowVersion, cause: EndingCause): Promise<SessionRevoked | null>;

  /**
   * The second step of a session's first use: ends the smaller sequences of its chain, reason `replaced`, and clears
   * `hasPredecessors`. Does nothing if the session has ended. Waits for the disk. Waits only briefly for a row that
   * another transaction holds, because a refresh waits for this method.
   *
   * @throws RowFault if a row is held; HoldfastError `unavailable`
   */
  endPredecessors(session: ChainMember, address: string): Promise<readonly SessionRevoked[]>;
  /** Ends one live session at any generation; only a session of `sub` if given. Waits for the disk. */
  revoke(sid: string, cause: EndingCause, sub?: string): Promise<SessionRevoked | null>;
  /**
   * Signs out of a session, live or ended. Ends it, every larger one of its chain that was never used, and every
   * sequence below the largest that it ends. Voids the chain's exchanges whose codes were issued before. Waits for the
   * disk.
   */
  signOut(sid: string, cause: EndingCause, sub?: string): Promise<readonly SessionRevoked[]>;
  /** Ends every live session of a session's chain, and voids exchanges like {@link SessionStore.signOut}. */
  endChain(sid: string, cause: EndingCause, sub?: string): Promise<readonly SessionRevoked[]>;
  /**
   * Voids a user's sign-ins under way, so that none of them makes a session afterwards, and writes the intent to end
   * live sessions. Waits for the disk.
   *
   * @returns the id of the intent for {@link MassEndingStore.endSlice}; null if there is no session to end
   */
  revokeAllOfUser(sub: string, ending: Ending): Promise<string | null>;
  /** Lists a page of a user's device chains, the last used first. */
  readonly listOfUser: (sub: string, page: DevicePage) => Promise<DeviceList>;
  /** Sets the label of a live session's device. @returns false if the user has no such session */
  readonly label: (sid: string, sub: string, deviceLabel: string | null) => Promise<boolean>;
  /** Finds a session's place in its chain, live or ended; null if there is no row. The place never changes. */
  readonly findMember: (sid: string) => Promise<(ChainMember & Pick<SessionRecord, 'clientId'>) | null>;
  /** True if a session of the same chain was exchanged with this device secret. */
  readonly isDeviceOf: (sid: string, secretHash: Buffer) => Promise<boolean>;
  /** Returns those of the sessions that are live: neither ended nor expired. */
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
  /** The session that its exchange named and proved; null if there is none. */
  readonly replaces: string | null;
  /** Id of its chain, a UUID. */
  readonly deviceId: string;
  /** Its place among the user's sessions: a larger sequence is a later sign-in. */
  readonly deviceSequence: number;
  /** True if smaller sequences of its chain may still be live. */
  readonly hasPredecessors: boolean;
  /** The database's clock at this reading. */
  readonly nowMs: number;
} & SessionState;

/** A session and its place in its chain. */
export type ChainMember = Pick<SessionRecord, 'sid' | 'sub' | 'deviceId' | 'deviceSequence'>;

/** One page of the device list. */
export type DevicePage = {
  /** The caller's session. */
  readonly currentSid: string | null;
  /** Last device of the previous page; null for the first page. */
  readonly after: DeviceCursor | null;
  /** Most devices on the page. */
  readonly limit: number;
};

/** The last device of a page. */
export type DeviceCursor = Pick<ListedSession, 'lastUsedAtMs' | 'sid'>;

export type DeviceList = {
  readonly sessions: readonly ListedSession[];
  /** The cursor of the next page; null if this is the last page. */
  readonly next: DeviceCursor | null;
};

/** A device in its user's list: the last used session of its chain. */
export type ListedSession = {
  readonly sid: string;
  readonly deviceId: string;
  /** True if the caller's session is in the chain. */
  readonly isCurrent: boolean;
  readonly clientId: string;
  /** The user's name for the device; null if it has none. */
  readonly deviceLabel: string | null;
  /** As of the last rotation. */
  readonly userAgent: string;
  readonly address: string;
  readonly createdAtMs: number;
  /** Last use of its refresh token, exact to one rotation interval; its creation before the first use. */
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

export type IssuedGeneration = {
  readonly record: SessionRecord;
  /** The secret of the copy to hand out. */
  readonly secret: Buffer;
};

export type Reading = {
  readonly record: SessionRecord;
  /** True if the copy's secret follows from the session's seed, its generation and its nonce. */
  readonly isSecretGenuine: boolean;
};

export type RowVersion = {
  readonly sid: string;
  readonly generation: number;
  readonly redeliveries: number;
};

export type CopyToVerify = {
  readonly sid: string;
  readonly generation: number;
  readonly nonce: Buffer;
  readonly secret: Buffer;
};

/** Fields that a use of a session writes to its row, in addition to the rotation. */
export type Activity = {
  readonly isUserActive: boolean;
  /** The user's activity moves the inactivity timeout to this long from now. */
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

/** The exchange's values for the new session. The store makes its `sid`, in the user's bucket. */
export type NewSession = {
  /** Thumbprint of the key that the session is bound to for its whole life; null for a bearer session. */
  readonly jkt: string | null;
  readonly lifetimes: SessionLifetimes;
  /** Nonce of the first copy. */
  readonly nonce: Buffer;
  readonly address: string;
  readonly userAgent: string;
  readonly device: DeviceEvidence;
};

/** Evidence of the device that an exchange comes from. */
export type DeviceEvidence = {
  /** SHA-256 of the device secret; null if the exchange has none. */
  readonly secretHash: Buffer | null;
  /** The session that the new one replaces; null if none is named. */
  readonly replaces: string | null;
  /**
   * Sessions, live or ended, of which the exchange has a genuine copy. Copies of another user or client prove nothing.
   */
  readonly copiesOf: readonly string[];
};

/** The outcome of an exchange. */
export type ExchangeResult =
  | {
      readonly kind: 'exchanged';
      readonly delivery: IssuedGeneration;
      /** Sessions that it ended: `replaced` by the first use of the named session, or over a `limit`. */
      readonly ended: readonly SessionRevoked[];
    }
  /**
   * `code`: used, expired, or of an old sign-in epoch. `signed_out`: the chain was signed out after the code was
   * issued.
   */
  | { readonly kind: 'refused'; readonly reason: 'code' | 'signed_out' }
  /** The user, or the browser, has no room: all sessions to make room have a stronger authentication. */
  | { readonly kind: 'too_many_sessions' }
  /** The account signs in too often. */
  | { readonly kind: 'delayed'; readonly sub: string; readonly retryAfterMs: number };

export type NewAuthorizationCode = {
  readonly codeHash: Buffer;
  readonly clientId: string;
  readonly sub: string;
  readonly scope: readonly string[];
  readonly codeChallenge: string;
  /** Thumbprint of the only key that may exchange the code; null if any may. */
  readonly jkt: string | null;
  readonly amr: readonly string[];
  readonly acr: string;
  /** The user's sign-in epoch at the authentication; the code makes no session in another epoch. */
  readonly signInEpoch: number;
};

export type AuthorizationCodeRecord = {
  readonly clientId: string;
  readonly codeChallenge: string;
  /** Thumbprint of the only key that may exchange the code; null if any may. */
  readonly jkt: string | null;
  readonly isExpired: boolean;
  /** The session that the code was exchanged for; null while it is unused. */
  readonly sid: string | null;
};

export type AuthorizationCodeStore = {
  insert(code: NewAuthorizationCode): Promise<void>;
  find(codeHash: Buffer): Promise<AuthorizationCodeRecord | null>;
  /**
   * Consumes a live code and creates its session, both or neither. The session joins the chain that the evidence
   * proves, or begins a new one. Waits for the disk.
   *
   * An exchange that names a live session and has that session's own copy counts as its first use.
   */
  exchange(codeHash: Buffer, session: NewSession): Promise<ExchangeResult>;
};

/** A signing key in the database. */
export type StoredSigningKey = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  /** The public key as a JWK without `kid`, `use` and `alg`. */
  readonly publicJwk: Readonly<Record<string, unknown>>;
  /** The private key (PKCS #8), encrypted under a key derived from the master secret that `secretId` names. */
  readonly encryptedPrivateKey: Buffer;
  readonly secretId: number;
  /** Start of its use for signing, which ends when a later key begins. */
  readonly signsFromMs: number;
};

export type PublishedSigningKeys = {
  /** In signing order. */
  readonly keys: readonly StoredSigningKey[];
  /** The database's clock at this reading. */
  readonly nowMs: number;
};

/** A change to the published keys. */
export type SigningKeyChange = {
  readonly add: readonly StoredSigningKey[];
  /** `kid`s of the keys to remove. */
  readonly remove: readonly string[];
};

export type SigningKeyStore = {
  list(): Promise<PublishedSigningKeys>;
  /** Plans and makes a change under a lock, so that one node plans at a time. @returns the keys after the change */
  change(plan: (published: PublishedSigningKeys) => SigningKeyChange): Promise<PublishedSigningKeys>;
  /** Replaces the ciphertext of a private key by one under another master secret. */
  updateEncryption(key: StoredSigningKey): Promise<void>;
};

/**
 * A row kept a statement from committing: another transaction holds it, or the statement was the victim of a deadlock
 * or a serialization failure.
 */
export class RowFault extends Error {
  override readonly name = 'RowFault';
}
