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
