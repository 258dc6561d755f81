// The results of a token endpoint, without their wire format, which `wire.ts` reads.

import type { HttpResponse } from './ports.ts';

/** A successful token answer in our units. */
export type Tokens = {
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly lifetimeMs: number;
  /** `null`: the server handed out none, the stored one stays (RFC 6749 §5.1, §6). */
  readonly refreshToken: string | null;
  readonly scope: string | null;
  readonly sid: string | null;
  readonly sub: string | null;
  /** The session's device chain and its place in it; absent or `null` with servers that have no chains. */
  readonly deviceId?: string | null;
  readonly deviceSequence?: number | null;
  /** How long the session lasts from now unless it is renewed, in ms; `null` if the server did not say. */
  readonly sessionLifetimeMs: number | null;
  /** The session ends then whatever its user does. Default `false`. */
  readonly isEndFixed?: boolean;
};

/** Why a session is over, as the server put it. */
export type RejectionReason = 'expired' | 'revoked' | 'reuse-detected';

/**
 * Why an answer counts as no answer. `nonce-required`: the proof lacked the server's nonce, which the answer carries;
 * ask again with it (RFC 9449 §8). `misconfigured`: the server refuses this client, its request, or a dead refresh
 * token under another error code.
 */
export type TransientCause =
  | 'network'
  | 'timeout'
  | 'server-error'
  | 'rate-limited'
  | 'not-json'
  | 'nonce-required'
  | 'misconfigured';

/** An answer that says nothing of the session or the credential. */
export type TransientFailure = {
  readonly kind: 'transient';
  readonly cause: TransientCause;
  /** The wait that the server asked for, in ms; `null`: it asked for none. */
  readonly retryAfterMs: number | null;
  /**
   * The server's `error` and `error_description`, if it refuses the refresh in words that do not end a session. If such
   * refusals last, the session is in doubt. Apps show these words, so they hold nothing as long as a token.
   */
  readonly words?: string | null;
};

/** A token endpoint's answer, classified. Only `rejected` can end a session. */
export type TokenResult =
  | { readonly kind: 'tokens'; readonly tokens: Tokens }
  /** `successor`: the session that took this one's place on this device. The client goes on with the successor. */
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly successor?: string | null }
  | TransientFailure;

/** Classifies an answer of the token endpoint. Never throws. */
export type TokenResponseReader = (answer: HttpResponse) => TokenResult;
