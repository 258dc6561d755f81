/** One look at the sessions that ended. */
export type RevocationReading = {
  /** The database's clock before and after it looked, in microseconds: what was committed before the first is in. */
  readonly startedMicros: number;
  readonly seenMicros: number;
  readonly sessions: readonly { readonly sid: string; readonly revokedAtMs: number }[];
};

/**
 * Reads the sessions that ended.
 *
 * @param afterMicros only later than this time of the database's clock; null: in the last `windowSeconds`. Never further back.
 */
export type ReadRevoked = (afterMicros: number | null, windowSeconds: number) => Promise<RevocationReading>;
