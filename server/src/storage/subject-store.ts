import type { SessionRevoked } from '../kernel/events.ts';

/**
 * One row per `sub`, whether its user is in the built-in table or the host's own. Part of the storage port; its contract is
 * {@link Store}'s.
 */
export type SubjectStore = {
  /**
   * The sign-in epoch. It moves when every sign-in under way is void: a credential was replaced or removed, the user was
   * disabled, all sessions were ended. 0 before the first sign-in; reading it writes no row.
   */
  readonly epochOf: (sub: string) => Promise<number>;
  /** The WebAuthn user handle, 32 random bytes; makes the row when there is none. */
  readonly userHandleOf: (sub: string) => Promise<Buffer>;
};

/** A step of ending many sessions. */
export type EndedSlice = {
  readonly ended: readonly SessionRevoked[];
  /** No session is left to end, and the intent is gone. */
  readonly isComplete: boolean;
};

/**
 * Ends many sessions in slices. Part of the storage port; its contract is {@link Store}'s.
 *
 * An intent says which sessions end: those of a user up to a sequence, except a spared one. It is written with the change that
 * causes it. Any node can go on with it, and several at once end no session twice.
 */
export type MassEndingStore = {
  /** Ends at most `limit` sessions of an intent. An intent that is gone is complete. Waits for the disk. */
  readonly endSlice: (intent: string, limit: number) => Promise<EndedSlice>;
  /** Takes an intent that no node has worked at lately; null when there is none. */
  readonly claimDue: () => Promise<string | null>;
};
