import type { Report, RevocationReason } from '../kernel/events.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { Client } from '../registrations/clients.ts';
import type { Refusal } from '../rotation/rotation.ts';
import type { SessionRecord, SessionStore } from '../storage/store.ts';
import type { EndingProgress, MassEndings } from './mass-endings.ts';

export type RefreshRequest = {
  readonly refreshToken: string;
  readonly client: Client;
  /** The scope asked for; null for the whole grant. */
  readonly scope: readonly string[] | null;
  readonly isUserActive: boolean;
  /** The user asked to extend the session, which implies `isUserActive`. Default: false. */
  readonly isExtension?: boolean;
  /**
   * Verifies the request's DPoP proof. Called only after the token's tag has been verified.
   *
   * @returns the thumbprint of its key; null if there is no proof
   * @throws any error, which goes to the caller
   */
  readonly verifyProof: () => string | null;
  readonly address: string;
  readonly userAgent: string;
  /** All refresh tokens in the request's cookies. If this session is over, the client can go on with one of them. */
  readonly copies?: readonly string[];
};

export type RefreshAnswer =
  | {
      readonly kind: 'granted';
      readonly session: SessionRecord;
      /** The copy to hand out; null if the client keeps its copy. */
      readonly refreshToken: string | null;
      /** The key to bind the access token to: the session's, otherwise the proof's; null for a bearer token. */
      readonly jkt: string | null;
    }
  | {
      readonly kind: 'refused';
      readonly error: Refusal['error'];
      readonly reason: RefusalReason;
      /** Null if the token is malformed or its key is retired. */
      readonly sid: string | null;
      /**
       * A live session of the same chain with a copy in the request: the client goes on with it. Null if there is none.
       */
      readonly successor: string | null;
    }
  | { readonly kind: 'wait'; readonly retryAfterMs: number; readonly sid: string };

/** `replaced`: the answer names a successor. */
export type RefusalReason = Refusal['reason'] | 'malformed' | 'retired_key' | 'replaced';

/** A sign-out by a client that presents the refresh token. */
export type SignOutRequest = Pick<RefreshRequest, 'client' | 'verifyProof' | 'address' | 'userAgent'> & {
  /** Null if the device has lost it; then `device` may prove the device instead. */
  readonly refreshToken: string | null;
  /** A session and its device secret (base64url). They are enough to sign out this device, but no other. */
  readonly device?: { readonly sid: string; readonly secret: string } | null;
  /** True to end the user's other sessions too. */
  readonly isEverywhere: boolean;
  /** True to end this session alone: it is of a sign-in that lost to another tab. Default: false. */
  readonly isDiscard?: boolean;
};

export type SignOutAnswer =
  /** The session has ended, now or earlier; or the token belongs to no session. */
  | { readonly kind: 'signed_out' }
  /**
   * A sign-out everywhere without proof of a live session. The sessions of the token or device have ended; the user's
   * other sessions go on.
   */
  | { readonly kind: 'not_everywhere' }
  | { readonly kind: 'wrong_holder'; readonly reason: 'wrong_client' | 'wrong_key' | 'proof_missing' }
  | { readonly kind: 'wait'; readonly retryAfterMs: number };

/** Ends sessions by their ids or by their user. */
export type SessionEndings = {
  /**
   * Signs out of the caller's own session, which its access token names: ends it and the sessions of its chain that a
   * sign-out ends ({@link SessionStore.signOut}).
   *
   * @returns true if a session has ended
   * @throws HoldfastServerError `unavailable`
   */
  readonly signOutOf: (sid: string, by?: RevokedBy) => Promise<boolean>;
  /** Ends one session and no other. @returns true if it has ended @throws HoldfastServerError `unavailable` */
  readonly revoke: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /**
   * Ends a session's whole device chain: for another device of the user, or for an administrator.
   *
   * @throws HoldfastServerError `unavailable`
   */
  readonly endChain: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** Ends all sessions of a user, except a spared one. @throws HoldfastServerError `unavailable` */
  revokeAllOfUser(
    sub: string,
    reason: RevocationReason,
    by?: Pick<RevokedBy, 'address'> & { readonly sparedSid?: string },
  ): Promise<EndingProgress>;
};

/** A genuine refresh token and the state of its session. */
export type InspectedCopy = {
  readonly copy: string;
  readonly sid: string;
  /** Null if the session's row is deleted. */
  readonly record: SessionRecord | null;
  readonly isAlive: boolean;
};

/** Condition and origin of a session's end. */
export type RevokedBy = {
  /** End the session only if it belongs to this user. */
  readonly sub?: string;
  /** Address of the request, if a request ends the session. */
  readonly address?: string;
};

export type SessionsParts = {
  readonly store: SessionStore;
  /** Ends the sessions of an intent. */
  readonly endMany: MassEndings['finish'];
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly report: Report;
  /** Called with an error that did not fail the answer, for the operator. A held row is no error. */
  readonly onUnendedPredecessors?: (error: unknown) => void;
  /** Called with the number of refreshes of each batch. */
  readonly onBatch?: (size: number) => void;
};
