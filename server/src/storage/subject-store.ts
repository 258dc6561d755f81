import type { SessionRevoked } from '../kernel/events.ts';

/**
 * One row per `sub`, for users of the built-in table and of the host's own. Part of the storage port; {@link Store} is
 * its contract.
 */
export type SubjectStore = {
  /**
   * The sign-in epoch. It grows when all sign-ins under way become void: a credential is replaced or removed, the user
   * is disabled, or all sessions end. 0 before the first sign-in. A read writes no row.
   */
  readonly epochOf: (sub: string) => Promise<number>;
  /** The WebAuthn user handle, 32 random bytes. Makes the row if there is none. */
  readonly userHandleOf: (sub: string) => Promise<Buffer>;
};

/** The result of one slice. */
export type EndedSlice = {
  readonly ended: readonly SessionRevoked[];
  /** True if no session is left to end; the intent is deleted. */
  readonly isComplete: boolean;
};

/**
 * Ends many sessions in slices. Part of the storage port; {@link Store} is its contract.
 *
 * An intent names the sessions to end: those of a user up to a sequence, except a spared one. The transaction of the
 * change that causes it also writes it. Any node can continue it, and several nodes at once end no session twice.
 */
export type MassEndingStore = {
  /** Ends at most `limit` sessions of an intent. A deleted intent is complete. Waits for the disk. */
  readonly endSlice: (intent: string, limit: number) => Promise<EndedSlice>;
  /** Claims an intent that no node has worked on recently; null if there is none. */
  readonly claimDue: () => Promise<string | null>;
};
