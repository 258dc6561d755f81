/**
 * Codes of the errors that this package throws.
 *
 * - `unavailable`: the database did not answer, or its answer is in doubt. The change may or may not have happened; try
 *   again.
 * - `unknown-key`: a refresh token names a server key that this node does not have. Another node may have it, or this
 *   one after a roll-over.
 * - `overloaded`: more password checks are waiting than `passwordQueueLimit` allows. Try again.
 * - `closed`: the instance is draining or closed.
 * - `invalid-argument`: no session, user or event can have this value, such as a `sid` that is no UUID. The message
 *   names the argument.
 * - `username-taken`, `invalid-username`, `invalid-password`: {@link Users.create} refused its input.
 * - `secret-mismatch`: the signing keys in the database were encrypted under another master secret.
 * - `unknown-user`: a command named a user who does not exist.
 * - `invalid-configuration`: a configuration file or variable is wrong; the message names every field.
 * - `schema-too-new`: the database was migrated by a newer release than this one.
 * - `postgres-in-use`: another live process owns the embedded PostgreSQL's data directory.
 * - `postgres-failed`: the embedded PostgreSQL could not be set up or started.
 */
export type HoldfastServerErrorCode =
  | 'unavailable'
  | 'unknown-key'
  | 'overloaded'
  | 'closed'
  | 'invalid-argument'
  | 'username-taken'
  | 'invalid-username'
  | 'invalid-password'
  | 'secret-mismatch'
  | 'unknown-user'
  | 'invalid-configuration'
  | 'schema-too-new'
  | 'postgres-in-use'
  | 'postgres-failed';

const RETRYABLE: ReadonlySet<HoldfastServerErrorCode> = new Set(['unavailable', 'unknown-key', 'overloaded', 'closed']);

/**
 * The one error class of this package. Misuse (a wrong option, a wrong type) is a `TypeError` instead.
 *
 * The message is for the operator and never holds a token, a password or a key. Keep the cause private.
 */
export class HoldfastServerError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: HoldfastServerErrorCode;
  /** True if the same call, repeated unchanged, may succeed. */
  readonly isRetryable: boolean;

  constructor(code: HoldfastServerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.isRetryable = RETRYABLE.has(code);
  }
}

/** True if the database could not be asked, or its answer is in doubt: the next call may succeed. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof HoldfastServerError && error.code === 'unavailable';
}
