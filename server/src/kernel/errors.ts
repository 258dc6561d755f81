/**
 * Everything that can go wrong for a caller of this package, by code.
 *
 * - `unavailable`: the database did not answer, or its answer is in doubt. Nothing is known to have changed; try again.
 * - `unknown_key`: a refresh token names a server key that this node does not have; another node, or a later roll-over, may.
 * - `overloaded`: more password checks are waiting than `passwordQueueLimit` allows. Try again.
 * - `closed`: the instance is draining or closed.
 * - `invalid_argument`: a value that no session, user or event can have, such as a `sid` that is no UUID; the message names it.
 * - `username_taken`, `invalid_username`, `invalid_password`: {@link Users.create} refused its input.
 * - `secret_mismatch`: the signing keys in the database were encrypted under another master secret.
 * - `unknown_user`: a command named a user who is not there.
 * - `invalid_configuration`: a configuration file or variable is wrong; the message names every field.
 * - `schema_too_new`: the database was migrated by a newer release than this one.
 * - `postgres_in_use`: another live process owns the embedded PostgreSQL's data directory.
 * - `postgres_failed`: the embedded PostgreSQL could not be set up or started.
 */
export type HoldfastErrorCode =
  | 'unavailable'
  | 'unknown_key'
  | 'overloaded'
  | 'closed'
  | 'invalid_argument'
  | 'username_taken'
  | 'invalid_username'
  | 'invalid_password'
  | 'secret_mismatch'
  | 'unknown_user'
  | 'invalid_configuration'
  | 'schema_too_new'
  | 'postgres_in_use'
  | 'postgres_failed';

const RETRYABLE: ReadonlySet<HoldfastErrorCode> = new Set(['unavailable', 'unknown_key', 'overloaded', 'closed']);

/**
 * The one error class of this package. Misuse (a wrong option, a wrong type) is a `TypeError` instead.
 *
 * The message is fit for an operator and never holds a token, a password or a key; the cause stays private.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: HoldfastErrorCode;
  /** Whether the same call may succeed when repeated unchanged. */
  readonly isRetryable: boolean;

  constructor(code: HoldfastErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.isRetryable = RETRYABLE.has(code);
  }
}

/** True if the database could not be asked, or its answer is in doubt: the next call may succeed. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'unavailable';
}
