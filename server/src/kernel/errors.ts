/**
 * Codes of the errors that this package throws.
 *
 * - `unavailable`: the database did not answer, or its answer is in doubt. The change may or may not have happened; try
 *   again.
 * - `unknown_key`: a refresh token names a server key that this node does not have. Another node may have it, or this
 *   one after a roll-over.
 * - `overloaded`: more password checks are waiting than `passwordQueueLimit` allows. Try again.
 * - `closed`: the instance is draining or closed.
 * - `invalid_argument`: no session, user or event can have this value, such as a `sid` that is no UUID. The message
 *   names the argument.
 * - `username_taken`, `invalid_username`, `invalid_password`: {@link Users.create} refused its input.
 * - `secret_mismatch`: the signing keys in the database were encrypted under another master secret.
 * - `unknown_user`: a command named a user who does not exist.
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
 * The message is for the operator and never holds a token, a password or a key. Keep the cause private.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: HoldfastErrorCode;
  /** True if the same call, repeated unchanged, may succeed. */
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
