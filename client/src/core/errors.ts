/**
 * The errors that a caller of this package can get, by code. Codes are stable; messages are for people. The guide
 * `docs/guides/errors.md` tells an app what to do about each.
 *
 * | code | meaning | retryable |
 * | --- | --- | --- |
 * | `signed-out` | there is no session | no |
 * | `user-changed` | another user signed in while the request was parked; it was not sent as that user | no |
 * | `deadline-exceeded` | the request was parked for longer than its deadline | yes |
 * | `queue-full` | too many requests are parked already | yes |
 * | `sign-in-rejected` | the credential was not accepted | no |
 * | `step-up-declined` | the API asked for a fresh authentication and the user declined | no |
 * | `server-unavailable` | the authorization server could not be reached or could not answer now | yes |
 * | `misconfigured` | the authorization server refuses this client or this configuration | no |
 * | `storage-unavailable` | the session could not be read or written | yes; no, if only a person can mend the store |
 * | `http-status` | the API answered with a status outside 2xx; `response` holds the answer | 408, 425, 429, 5xx |
 * | `protocol` | an answer that no OAuth server should give | no |
 * | `server-rendering` | called on a server that renders pages; only the browser has a session | no |
 * | `disposed` | the service was disposed of | no |
 */
export type HoldfastErrorCode =
  | 'signed-out'
  | 'user-changed'
  | 'deadline-exceeded'
  | 'queue-full'
  | 'sign-in-rejected'
  | 'step-up-declined'
  | 'server-unavailable'
  | 'misconfigured'
  | 'storage-unavailable'
  | 'http-status'
  | 'protocol'
  | 'server-rendering'
  | 'disposed';

const RETRYABLE: readonly HoldfastErrorCode[] = [
  'deadline-exceeded',
  'queue-full',
  'server-unavailable',
  'storage-unavailable',
];

/**
 * True for a status that says nothing definite: the same request may succeed later.
 * @see RFC 9110 §15.5.9, §15.6, RFC 6585 §4
 */
export const isTransientStatus = (status: number): boolean => status >= 500 || [408, 425, 429].includes(status);

/** The part of a `Response` that an error needs, so that engines without one can bring their own. */
export type ErrorResponse = { readonly status: number; json(): Promise<unknown>; text(): Promise<string> };

/** The one error class of this package. Never carries a token, a password or a key. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  /** The error code, for programs. */
  readonly code: HoldfastErrorCode;
  /** `true` if the same call may succeed later with nothing changed. Default: as in the table of codes. */
  readonly isRetryable: boolean;
  /** The API's answer, with code `http-status` only. */
  readonly response: ErrorResponse | null;

  /** `message`: details for people that the code does not give. Default: the code. */
  constructor(
    code: HoldfastErrorCode,
    message: string = code,
    options: { readonly cause?: unknown; readonly response?: ErrorResponse; readonly isRetryable?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.response = options.response ?? null;
    this.isRetryable =
      options.isRetryable ?? (RETRYABLE.includes(code) || isTransientStatus(this.response?.status ?? 0));
  }
}
