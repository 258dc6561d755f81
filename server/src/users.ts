import { randomUUID } from 'node:crypto';
import { HoldfastError } from './errors.ts';
import type { Passwords } from './passwords.ts';
import type { Policy } from './policy.ts';
import type { UserRecord, UserStore } from './store.ts';

/** A user, without any credential. */
export interface User {
  /** Subject: a UUID, the `sub` of every token. */
  readonly sub: string;
  readonly username: string;
  readonly name: string;
}

export interface NewUser {
  /** 1 to 254 characters; compared without regard to case. */
  readonly username: string;
  readonly password: string;
  /** Display name. */
  readonly name: string;
}

export interface Users {
  /**
   * Creates a user.
   *
   * @throws HoldfastError `username_taken`, `invalid_username`, `invalid_password`, `unavailable`, `overloaded`
   */
  create(user: NewUser): Promise<User>;
  /** @throws HoldfastError `unavailable` */
  findById(sub: string): Promise<User | null>;
  /** @throws HoldfastError `unavailable` */
  findByUsername(username: string): Promise<User | null>;
}

export interface UsersParts {
  readonly store: UserStore;
  readonly passwords: Passwords;
  readonly policy: Pick<Policy, 'passwordMinimumLength' | 'passwordMaximumLength'>;
}

/** @returns the public face, and the check that sign-in needs */
export function createUsers(parts: UsersParts): {
  readonly users: Users;
  readonly authenticate: (username: string, password: string) => Promise<User | null>;
} {
  const { store, passwords } = parts;
  return {
    users: {
      create: (user) => createUser(user, parts),
      findById: async (sub) => (isUuid(sub) ? toUser(await store.findById(sub)) : null),
      findByUsername: async (username) => toUser(await store.findByUsernameKey(usernameKey(username))),
    },
    // The same steps, in the same time, for a user who exists and for one who does not.
    authenticate: async (username, password) => {
      const record = await store.findByUsernameKey(usernameKey(username));
      const isPassword = await passwords.verify(record?.passwordHash ?? null, password);
      return isPassword ? toUser(record) : null;
    },
  };
}

async function createUser({ username, password, name }: NewUser, parts: UsersParts): Promise<User> {
  const { store, passwords, policy } = parts;
  const { passwordMinimumLength: least, passwordMaximumLength: most } = policy;
  if (!USERNAME.test(username)) {
    throw new HoldfastError('invalid_username', 'a username is 1 to 254 characters, none of them a control character');
  }
  if (typeof name !== 'string' || CONTROL_CHARACTER.test(name))
    throw new TypeError('a name holds no control character');
  if (password.length < least || password.length > most) {
    throw new HoldfastError('invalid_password', `a password is ${least} to ${most} characters`);
  }
  const user: User = { sub: randomUUID(), username, name };
  const isNew = await store.insert({ ...user, passwordHash: await passwords.hash(password) }, usernameKey(username));
  if (!isNew) throw new HoldfastError('username_taken', 'a user of this name exists');
  return user;
}

const USERNAME = /^\P{Cc}{1,254}$/u;
const CONTROL_CHARACTER = /\p{Cc}/u;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function isUuid(value: string): boolean {
  return UUID.test(value);
}

/** What usernames are compared by: one spelling for what looks or reads the same. */
function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}

function toUser(record: UserRecord | null): User | null {
  return record === null ? null : { sub: record.sub, username: record.username, name: record.name };
}
