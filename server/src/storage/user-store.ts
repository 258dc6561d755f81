import type { SessionRevoked } from '../kernel/events.ts';

/** A user, without any credential. */
export type User = {
  /** Subject: a UUID, the `sub` of every token. */
  readonly sub: string;
  readonly username: string;
  readonly name: string;
};

/** A user in the store. */
export type UserRecord = User & {
  /** Null if the user has no password and signs in with passkeys only. */
  readonly passwordHash: string | null;
  readonly isDisabled: boolean;
  /** Grows when all sign-ins under way become void: see `SubjectStore.epochOf`. */
  readonly signInEpoch: number;
};

export type NewUserRecord = Pick<UserRecord, 'sub' | 'username' | 'name' | 'passwordHash'>;

/** Reason for the end of a session, and the address of the request that ends it; null if no request does. */
export type EndingCause = Pick<SessionRevoked, 'reason' | 'address'>;

/** The sessions that end with a change, and the cause to record. */
export type Ending = {
  readonly sessions: 'all' | 'none' | { readonly allBut: string };
} & EndingCause;

/**
 * Outcome of a change to a user.
 *
 * `unknown`: there is no such user. `last_credential`: the change would leave no way to sign in, so it was not made.
 */
export type UserChange =
  /** `ending`: the intent to end sessions; null if there is no session to end. */
  { readonly kind: 'changed'; readonly ending: string | null } | { readonly kind: 'unknown' | 'last_credential' };

/**
 * Users. Part of the storage port; {@link Store} is its contract.
 *
 * A change, its new sign-in epoch and its intent to end sessions are one transaction. So a sign-in under way either
 * makes a session that ends with the others, or makes none. Sessions end afterwards, in slices (`MassEndingStore`).
 */
export type UserStore = {
  /** Adds a user. @returns false if the username is taken */
  insert(user: NewUserRecord, usernameKey: string): Promise<boolean>;
  findById(sub: string): Promise<UserRecord | null>;
  findByUsernameKey(usernameKey: string): Promise<UserRecord | null>;
  /** Lists users in the order of their username keys, beginning after `afterKey`. */
  readonly list: (afterKey: string, limit: number) => Promise<readonly UserRecord[]>;
  /** Replaces the password, or removes it (null) if the user has a passkey. */
  setPassword(sub: string, passwordHash: string | null, ending: Ending): Promise<UserChange>;
  /** Disables or enables a user. */
  setDisabled(sub: string, isDisabled: boolean, ending: Ending): Promise<UserChange>;
  /** Deletes a user and its passkeys. */
  delete(sub: string, ending: Ending): Promise<UserChange>;
};

/** A passkey in the store. @see WebAuthn Level 3 §4, credential record */
export type PasskeyRecord = {
  readonly credentialId: Buffer;
  readonly sub: string;
  /** The user handle that the authenticator stores with it: random, not the `sub`. @see WebAuthn Level 3 §14.6.1 */
  readonly userHandle: Buffer;
  readonly rpId: string;
  /** COSE_Key. */
  readonly publicKey: Buffer;
  readonly signCount: number;
  readonly transports: readonly string[];
  readonly aaguid: string;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
  /** The user's name for the passkey. */
  readonly name: string;
  readonly createdAtMs: number;
  /** Null until the first use. */
  readonly lastUsedAtMs: number | null;
};

export type NewPasskeyRecord = Omit<PasskeyRecord, 'createdAtMs' | 'lastUsedAtMs'>;

/** Passkeys, and the challenges already spent. Part of the storage port; {@link Store} is its contract. */
export type PasskeyStore = {
  /**
   * Adds a passkey.
   *
   * @returns null if any user has registered the credential already, or the user is deleted, disabled or has `limit`
   *   passkeys
   */
  insert(passkey: NewPasskeyRecord, limit: number): Promise<PasskeyRecord | null>;
  /** Finds a passkey and its user. */
  find(credentialId: Buffer): Promise<{ readonly passkey: PasskeyRecord; readonly user: UserRecord } | null>;
  /** Lists a user's passkeys, oldest first. */
  list(sub: string): Promise<readonly PasskeyRecord[]>;
  /**
   * Records a use. The counter never decreases.
   *
   * @returns false if the passkey is deleted
   */
  noteUse(credentialId: Buffer, use: Pick<PasskeyRecord, 'signCount' | 'isBackedUp'>): Promise<boolean>;
  /** Renames a passkey. @returns null if the user has no such passkey */
  rename(sub: string, credentialId: Buffer, name: string): Promise<PasskeyRecord | null>;
  /** Deletes a passkey unless it is the user's last credential, and voids sign-ins under way. Ends no session. */
  delete(sub: string, credentialId: Buffer): Promise<UserChange>;
  /**
   * Spends a challenge. Among all callers on all nodes only the first gets true, and only before the challenge expires.
   *
   * @param expiresAtSeconds seconds since the epoch, compared with the database's clock only
   */
  spendChallenge(challenge: Buffer, expiresAtSeconds: number): Promise<boolean>;
};

/** A leaky bucket of attempts. */
export type AttemptBucket = {
  /** Id of the bucket: a keyed hash, never the text that the user typed. */
  readonly key: Buffer;
  /** Attempts that cost no delay. */
  readonly allowance: number;
  /** One attempt is forgotten per this interval. */
  readonly leakSeconds: number;
};

/** Delays after the allowance: the first delay doubles with each attempt, up to the maximum. */
export type AttemptDelays = {
  readonly firstDelaySeconds: number;
  readonly maximumDelaySeconds: number;
};

/** Counters of password attempts. Part of the storage port; {@link Store} is its contract. */
export type AttemptStore = {
  /**
   * Counts an attempt in every bucket, or in none if one of them is blocked.
   *
   * @returns how long the attempt is refused, in milliseconds; 0 if it is allowed
   */
  take(buckets: readonly AttemptBucket[], delays: AttemptDelays): Promise<number>;
  /** True if the account signed in from the network recently. */
  isFamiliar(networkKey: Buffer): Promise<boolean>;
  /** Takes attempts back after the right password, because each attempt is counted before the password is checked. */
  forgive(success: RightPassword): Promise<void>;
};

export type RightPassword = {
  /** Buckets from which to subtract the attempt. */
  readonly returned: readonly Buffer[];
  /** Buckets to empty. */
  readonly emptied: readonly Buffer[];
  /** The network to record as familiar; null if there is none. */
  readonly network: FamiliarNetwork | null;
};

/** A network from which an account signs in. */
export type FamiliarNetwork = {
  /** Keyed hash of the account and the network. */
  readonly networkKey: Buffer;
  /** Keyed hash of the account. */
  readonly accountKey: Buffer;
  readonly familiarSeconds: number;
  /** Most networks kept per account: the newest. */
  readonly limit: number;
};
