import type { SessionRevoked } from '../kernel/events.ts';

/** A user, without any credential. */
export type User = {
  /** Subject: a UUID, the `sub` of every token. */
  readonly sub: string;
  readonly username: string;
  readonly name: string;
};

/** A user as the store keeps it. */
export type UserRecord = User & {
  /** Null: the user signs in with passkeys alone. */
  readonly passwordHash: string | null;
  readonly isDisabled: boolean;
  /** Moves when every sign-in under way is void: a credential was replaced or removed, or all sessions were ended. */
  readonly signInEpoch: number;
};

export type NewUserRecord = Pick<UserRecord, 'sub' | 'username' | 'name' | 'passwordHash'>;

/** Why a session ends, and where the request came from that ends it; null when there is no request. */
export type EndingCause = Pick<SessionRevoked, 'reason' | 'address'>;

/** Which sessions end together with a change, and how that is explained. */
export type Ending = {
  readonly sessions: 'all' | 'none' | { readonly allBut: string };
} & EndingCause;

/**
 * What became of a change to a user.
 *
 * `last_credential`: the change would have left no way to sign in, so nothing happened.
 */
export type UserChange =
  /** `ending`: the intent to end sessions; null when there is nothing to end. */
  { readonly kind: 'changed'; readonly ending: string | null } | { readonly kind: 'unknown' | 'last_credential' };

/**
 * Users. Part of the storage port; its contract is {@link Store}'s.
 *
 * A change, the end of the epoch and the intent to end sessions are one transaction: a session that was being made meanwhile
 * either ends with the others or is not made. Sessions end afterwards, in slices (`MassEndingStore`).
 */
export type UserStore = {
  /** @returns false when the username is taken */
  insert(user: NewUserRecord, usernameKey: string): Promise<boolean>;
  findById(sub: string): Promise<UserRecord | null>;
  findByUsernameKey(usernameKey: string): Promise<UserRecord | null>;
  /** Users in the order of their username keys, from the first one behind `afterKey` on. */
  readonly list: (afterKey: string, limit: number) => Promise<readonly UserRecord[]>;
  /** Replaces the password, or removes it (null) while a passkey is left. */
  setPassword(sub: string, passwordHash: string | null, ending: Ending): Promise<UserChange>;
  /** Disables a user, or enables it again. */
  setDisabled(sub: string, isDisabled: boolean, ending: Ending): Promise<UserChange>;
  /** Forgets a user and its passkeys. */
  delete(sub: string, ending: Ending): Promise<UserChange>;
};

/** A passkey as the store keeps it. @see WebAuthn Level 3 §4, credential record */
export type PasskeyRecord = {
  readonly credentialId: Buffer;
  readonly sub: string;
  /** The user handle that the authenticator keeps with it: random, and no `sub`. @see WebAuthn Level 3 §14.6.1 */
  readonly userHandle: Buffer;
  readonly rpId: string;
  /** COSE_Key. */
  readonly publicKey: Buffer;
  readonly signCount: number;
  readonly transports: readonly string[];
  readonly aaguid: string;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
  /** What the user calls it. */
  readonly name: string;
  readonly createdAtMs: number;
  /** Null while it was never used. */
  readonly lastUsedAtMs: number | null;
};

export type NewPasskeyRecord = Omit<PasskeyRecord, 'createdAtMs' | 'lastUsedAtMs'>;

/** Passkeys, and the challenges that they have answered. Part of the storage port; its contract is {@link Store}'s. */
export type PasskeyStore = {
  /** @returns null when the credential is registered already, to whomever, or the user is gone, disabled or has `limit` of them */
  insert(passkey: NewPasskeyRecord, limit: number): Promise<PasskeyRecord | null>;
  /** The passkey and its user. */
  find(credentialId: Buffer): Promise<{ readonly passkey: PasskeyRecord; readonly user: UserRecord } | null>;
  /** Oldest first. */
  list(sub: string): Promise<readonly PasskeyRecord[]>;
  /**
   * Notes a use. The counter only ever grows.
   *
   * @returns false when the passkey is gone
   */
  noteUse(credentialId: Buffer, use: Pick<PasskeyRecord, 'signCount' | 'isBackedUp'>): Promise<boolean>;
  /** @returns null when the user has no such passkey */
  rename(sub: string, credentialId: Buffer, name: string): Promise<PasskeyRecord | null>;
  /** Removes a passkey unless it is the last way to sign in, and voids sign-ins under way. Ends no session. */
  delete(sub: string, credentialId: Buffer): Promise<UserChange>;
  /**
   * Spends a challenge: of any number of callers, on any number of nodes, one is told true, and only before it expires.
   *
   * @param expiresAtSeconds seconds since the epoch; judged by the database's clock alone
   */
  spendChallenge(challenge: Buffer, expiresAtSeconds: number): Promise<boolean>;
};

/** A leaky bucket of attempts. */
export type AttemptBucket = {
  /** Names the bucket; a keyed hash, never what was typed. */
  readonly key: Buffer;
  /** Attempts that cost no delay. */
  readonly allowance: number;
  /** One attempt is forgotten each time so much has passed. */
  readonly leakSeconds: number;
};

/** Growing delays after the allowance: the first, doubled each time, never more than the last. */
export type AttemptDelays = {
  readonly firstDelaySeconds: number;
  readonly maximumDelaySeconds: number;
};

/** Counted attempts at passwords. Part of the storage port; its contract is {@link Store}'s. */
export type AttemptStore = {
  /**
   * Counts an attempt in every bucket, or in none when one of them is blocked.
   *
   * @returns for how long the attempt is refused, in milliseconds; 0 when it may go on
   */
  take(buckets: readonly AttemptBucket[], delays: AttemptDelays): Promise<number>;
  /** Whether an account signed in from a network lately. */
  isFamiliar(networkKey: Buffer): Promise<boolean>;
  /** After the right password, which was counted as an attempt before it was known to be right. */
  forgive(success: RightPassword): Promise<void>;
};

export type RightPassword = {
  /** Buckets to take the attempt back from. */
  readonly returned: readonly Buffer[];
  /** Buckets to empty. */
  readonly emptied: readonly Buffer[];
  /** The network that is familiar from now on; null when there is none. */
  readonly network: FamiliarNetwork | null;
};

/** A network from which an account signs in. */
export type FamiliarNetwork = {
  /** Names the account and the network; a keyed hash. */
  readonly networkKey: Buffer;
  /** Names the account; a keyed hash. */
  readonly accountKey: Buffer;
  readonly familiarSeconds: number;
  /** So many networks of the account are kept, the newest. */
  readonly limit: number;
};
