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
   * Verifies the request's DPoP proof, once the token's tag is known to be genuine.
   *
   * @returns the thumbprint of its key; null when there is no proof. What it throws goes to the caller.
   */
  readonly verifyProof: () => string | null;
  readonly address: string;
  readonly userAgent: string;
  /** Every refresh token that the request brought, as its cookies do: the client goes on with one of them if this one is over. */
  readonly copies?: readonly string[];
};

export type RefreshAnswer =
  | {
      readonly kind: 'granted';
      readonly session: SessionRecord;
      /** The copy to hand out; null when the client keeps the one it has. */
      readonly refreshToken: string | null;
      /** The key to bind the access token to: the session's, otherwise the proof's; null for a bearer token. */
      readonly jkt: string | null;
    }
  | {
      readonly kind: 'refused';
      readonly error: Refusal['error'];
      readonly reason: RefusalReason;
      /** Null when the token was garbage. */
      readonly sid: string | null;
      /** A live session of the same chain, of which the request brought a copy: the client goes on with it. */
      readonly successor: string | null;
    }
  | { readonly kind: 'wait'; readonly retryAfterMs: number; readonly sid: string };

/** `replaced`: the answer names a successor. */
export type RefusalReason = Refusal['reason'] | 'malformed' | 'retired_key' | 'replaced';

/** A client that signs its user out by presenting the refresh token. */
export type SignOutRequest = Pick<RefreshRequest, 'client' | 'verifyProof' | 'address' | 'userAgent'> & {
  /** Null when the device has lost it; then `device` may stand for it. */
  readonly refreshToken: string | null;
  /** The session and its device's secret (base64url). They prove enough to end what the device has, and no more. */
  readonly device?: { readonly sid: string; readonly secret: string } | null;
  /** Whether the user's other sessions end with this one. */
  readonly isEverywhere: boolean;
  /** Ends this session alone: a sign-in that lost to another tab. Default: false. */
  readonly isDiscard?: boolean;
};

export type SignOutAnswer =
  /** The session has ended, now or before; or the token never meant anything. */
  | { readonly kind: 'signed_out' }
  /** Everywhere was asked for, and nothing proved a live session: what the token or the device has is over, the user's others go on. */
  | { readonly kind: 'not_everywhere' }
  | { readonly kind: 'wrong_holder'; readonly reason: 'wrong_client' | 'wrong_key' | 'proof_missing' }
  | { readonly kind: 'wait'; readonly retryAfterMs: number };

/** Ends sessions by their ids or by their user. */
export type SessionEndings = {
  /**
   * Ends the caller's own session, named by an access token, and what a sign-out ends with it.
   *
   * @returns whether anything has ended
   * @throws HoldfastError `unavailable`
   */
  readonly signOutOf: (sid: string, by?: RevokedBy) => Promise<boolean>;
  /** Ends one session and no other. @throws HoldfastError `unavailable` */
  readonly revoke: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** Ends a session's whole chain: another device of the user, or by an administrator. @throws HoldfastError `unavailable` */
  readonly endChain: (sid: string, reason: RevocationReason, by?: RevokedBy) => Promise<boolean>;
  /** @throws HoldfastError `unavailable` */
  revokeAllOfUser(
    sub: string,
    reason: RevocationReason,
    by?: Pick<RevokedBy, 'address'> & { readonly sparedSid?: string },
  ): Promise<EndingProgress>;
};

/** A genuine refresh token, and what became of its session. */
export type InspectedCopy = {
  readonly copy: string;
  readonly sid: string;
  /** Null when the session has no row any more. */
  readonly record: SessionRecord | null;
  readonly isAlive: boolean;
};

/** Who ends a session. */
export type RevokedBy = {
  /** The session ends only if it is this user's. */
  readonly sub?: string;
  /** Where the request came from, if a request it was. */
  readonly address?: string;
};

export type SessionsParts = {
  readonly store: SessionStore;
  /** Ends the sessions of an intent. */
  readonly endMany: MassEndings['finish'];
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly report: Report;
  /** Told how many refreshes each statement serves. */
  readonly onBatch?: (size: number) => void;
};
