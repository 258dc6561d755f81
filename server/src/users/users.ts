import { randomUUID } from 'node:crypto';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { CredentialChanged, Report } from '../kernel/events.ts';
import { checkLimit, checkText } from '../kernel/host-arguments.ts';
import type { Policy } from '../kernel/policy.ts';
import type { EndingProgress, MassEndings } from '../sessions/mass-endings.ts';
import type { Ending, User, UserChange, UserRecord, UserStore } from '../storage/user-store.ts';
import type { PasswordLimits } from './password-limits.ts';
import type { Passwords } from './passwords.ts';

/** A user as an administrator lists them. */
export type ListedUser = {
  readonly isDisabled: boolean;
} & User;

/** A user to create. The policy must allow the password. */
export type NewUser = {
  /** 1 to 254 characters; compared without regard to case. */
  readonly username: string;
  readonly password: string;
  /** Display name. */
  readonly name: string;
};

/** Administers the users that sign in with a password or a passkey. */
export type Users = {
  /**
   * Creates a user.
   *
   * @throws HoldfastServerError `username-taken`, `invalid_username`, `invalid_password`, `invalid_argument` (the name), `unavailable`,
   *   `overloaded`
   */
  create(user: NewUser): Promise<User>;
  /** @throws HoldfastServerError `unavailable` */
  findById(sub: string): Promise<User | null>;
  /** @throws HoldfastServerError `unavailable` */
  findByUsername(username: string): Promise<User | null>;
  /**
   * Lists users in the order of their usernames.
   *
   * @param page `after`: the username that the page before ended with; `limit`: at most so many, default 100
   * @throws HoldfastServerError `invalid-argument`, `unavailable`
   */
  readonly list: (page?: { readonly after?: string; readonly limit?: number }) => Promise<readonly ListedUser[]>;
  /**
   * Sets a user's password, as an administrator. Voids sign-ins under way.
   *
   * @param options `endSessions`, default true: end every session of the user
   * @returns how many sessions have ended, and whether all of them have; null if there is no such user
   * @throws HoldfastServerError `invalid-password`, `unavailable`, `overloaded`
   */
  setPassword(
    sub: string,
    password: string,
    options?: { readonly endSessions?: boolean },
  ): Promise<EndingProgress | null>;
  /**
   * Blocks every sign-in of a user and ends every session. Idempotent.
   *
   * @returns how many sessions have ended, and whether all of them have; null if there is no such user
   * @throws HoldfastServerError `unavailable`
   */
  disable(sub: string): Promise<EndingProgress | null>;
  /** Lets a disabled user sign in again. Ended sessions stay ended. @returns false if there is no such user */
  enable(sub: string): Promise<boolean>;
  /**
   * Deletes a user with every credential and ends every session. The audit log keeps its entries.
   *
   * @returns how many sessions have ended, and whether all of them have; null if there is no such user
   * @throws HoldfastServerError `unavailable`
   */
  delete(sub: string): Promise<EndingProgress | null>;
};

/** The result of checking a username and a password. */
export type PasswordVerdict =
  | { readonly kind: 'authenticated'; readonly user: User; readonly signInEpoch: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'delayed'; readonly retryAfterMs: number };

/** Operations of users on their own passwords. */
export type PasswordSignIn = {
  /**
   * Checks a username and a password. Takes the same steps and the same time for unknown and disabled users.
   *
   * @throws HoldfastServerError `unavailable`, `overloaded`
   */
  readonly authenticate: (username: string, password: string, address: string) => Promise<PasswordVerdict>;
  /**
   * Changes or sets the user's own password. Voids sign-ins under way.
   *
   * @throws HoldfastServerError `invalid-password`, `unavailable`, `overloaded`
   */
  readonly change: (own: OwnPassword, password: string) => Promise<FinishedChange>;
  /** Removes the user's own password if a passkey remains. @throws HoldfastServerError `unavailable` */
  readonly remove: (own: OwnPassword) => Promise<FinishedChange>;
};

/** A change to a user, and the progress of ending the user's sessions. */
export type FinishedChange =
  | { readonly kind: 'changed'; readonly progress: EndingProgress }
  | Exclude<UserChange, { readonly kind: 'changed' }>;

/** The session that changes its own user's password. */
export type OwnPassword = {
  readonly sub: string;
  readonly sid: string;
  /** The address that the request comes from. */
  readonly address: string;
  /** True to end the user's sessions other than `sid`. */
  readonly endsOtherSessions: boolean;
};

export type UsersParts = {
  readonly store: UserStore;
  readonly passwords: Passwords;
  readonly passwordLimits: PasswordLimits;
  readonly policy: Pick<Policy, 'passwordMinimumLength' | 'passwordMaximumLength'>;
  readonly report: Report;
  readonly isKnownPassword: (password: string) => boolean | Promise<boolean>;
  /** Ends the sessions of an intent. */
  readonly endMany: MassEndings['finish'];
};

/** @returns the public users API, and the password operations for the endpoints */
export function createUsers(parts: UsersParts): { readonly users: Users; readonly passwordSignIn: PasswordSignIn } {
  const { store, passwords, report, endMany } = parts;
  const finish = async (change: UserChange): Promise<FinishedChange> =>
    change.kind === 'changed' ? { kind: 'changed', progress: await endMany(change.ending) } : change;
  const changePassword = async (sub: string, password: string | null, sid: string | null, ending: Ending) => {
    if (password !== null) await checkPassword(password, (await store.findById(sub))?.username ?? null, parts);
    const hash = password === null ? null : await passwords.hash(password);
    const change = await store.setPassword(sub, hash, ending);
    const kind: CredentialChanged['change'] = password === null ? 'password_removed' : 'password_changed';
    if (change.kind === 'changed') report({ type: 'credential.changed', sub, sid, change: kind });
    return finish(change);
  };
  const changeOwn = (
    { sub, sid, address, endsOtherSessions }: OwnPassword,
    password: string | null,
  ): Promise<FinishedChange> =>
    changePassword(sub, password, sid, {
      sessions: endsOtherSessions ? { allBut: sid } : 'none',
      reason: 'password_changed',
      address,
    });
  const setDisabled = async (sub: string, isDisabled: boolean): Promise<EndingProgress | null> => {
    if (!isUuid(sub)) return null;
    const sessions = isDisabled ? 'all' : 'none';
    const change = await store.setDisabled(sub, isDisabled, { sessions, reason: 'user_disabled', address: null });
    if (change.kind === 'changed') report({ type: 'user.changed', sub, change: isDisabled ? 'disabled' : 'enabled' });
    return progressOf(await finish(change));
  };
  return {
    users: {
      create: (user) => createUser(user, parts),
      findById: async (sub) => (isUuid(sub) ? toUserOrNull(await store.findById(sub)) : null),
      findByUsername: async (username) =>
        USERNAME.test(username) ? toUserOrNull(await store.findByUsernameKey(usernameKey(username))) : null,
      list: async ({ after = '', limit = 100 } = {}) => {
        if (after !== '') checkText('after', after, USERNAME_LENGTH);
        checkLimit(limit);
        const records = await store.list(usernameKey(after), limit);
        return records.map((record) => ({ ...toUser(record), isDisabled: record.isDisabled }));
      },
      setPassword: async (sub, password, { endSessions = true } = {}) => {
        if (!isUuid(sub)) return null;
        const sessions = endSessions ? 'all' : 'none';
        const ending: Ending = { sessions, reason: 'password_changed', address: null };
        return progressOf(await changePassword(sub, password, null, ending));
      },
      disable: (sub) => setDisabled(sub, true),
      enable: async (sub) => (await setDisabled(sub, false)) !== null,
      delete: async (sub) => {
        if (!isUuid(sub)) return null;
        const ending: Ending = { sessions: 'all', reason: 'user_deleted', address: null };
        const change = await store.delete(sub, ending);
        if (change.kind === 'changed') report({ type: 'user.changed', sub, change: 'deleted' });
        return progressOf(await finish(change));
      },
    },
    passwordSignIn: {
      authenticate: (username, password, address) => authenticate(username, password, address, parts),
      change: changeOwn,
      remove: (own) => changeOwn(own, null),
    },
  };
}

function progressOf(change: FinishedChange): EndingProgress | null {
  return change.kind === 'changed' ? change.progress : null;
}

async function authenticate(
  username: string,
  password: string,
  address: string,
  { store, passwords, passwordLimits }: UsersParts,
): Promise<PasswordVerdict> {
  const key = usernameKey(username);
  const attempt = await passwordLimits(key, address);
  if (attempt.kind === 'delayed') return attempt;
  const record = await store.findByUsernameKey(key);
  const isPassword = await passwords.verify(record?.passwordHash ?? null, password);
  if (!isPassword || record === null || record.isDisabled) return { kind: 'refused' };
  await attempt.forgive();
  return { kind: 'authenticated', user: toUser(record), signInEpoch: record.signInEpoch };
}

/** @see NIST SP 800-63B-4 §3.1.1.2: check length and known passwords, require no kinds of characters */
async function checkPassword(
  password: string,
  username: string | null,
  { policy, isKnownPassword }: UsersParts,
): Promise<void> {
  const { passwordMinimumLength: least, passwordMaximumLength: most } = policy;
  if (password.length < least || password.length > most) {
    throw new HoldfastServerError('invalid-password', `a password is ${least} to ${most} characters`);
  }
  const isUsername = username !== null && usernameKey(password) === usernameKey(username);
  if (isUsername || (await isKnownPassword(password))) {
    throw new HoldfastServerError('invalid-password', 'a password that others would try first cannot be chosen');
  }
}

async function createUser({ username, password, name }: NewUser, parts: UsersParts): Promise<User> {
  const { store, passwords, report } = parts;
  if (typeof username !== 'string' || !USERNAME.test(username)) {
    throw new HoldfastServerError(
      'invalid-username',
      'a username is 1 to 254 characters, none of them a control character',
    );
  }
  if (name !== '') checkText('name', name, NAME_LENGTH);
  await checkPassword(password, username, parts);
  const user: User = { sub: randomUUID(), username, name };
  const isNew = await store.insert({ ...user, passwordHash: await passwords.hash(password) }, usernameKey(username));
  if (!isNew) throw new HoldfastServerError('username-taken', 'a user of this name exists');
  report({ type: 'user.changed', sub: user.sub, change: 'created' });
  return user;
}

/** No control characters and no lone surrogates. A lone surrogate would be stored as another character. */
const USERNAME = /^[^\p{Cc}\p{Cs}]{1,254}$/u;
/** In UTF-16 units; a character takes two at most. */
const USERNAME_LENGTH = 2 * 254;
/** Longest display name, in UTF-16 units. */
const NAME_LENGTH = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function isUuid(value: string): boolean {
  return UUID.test(value);
}

/** Normalizes a username for comparison: names that look or read the same get one key. */
function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}

/** Reduces a record to the public user. */
export function toUser({ sub, username, name }: UserRecord): User {
  return { sub, username, name };
}

function toUserOrNull(record: UserRecord | null): User | null {
  return record === null ? null : toUser(record);
}
