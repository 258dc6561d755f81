/** One reading of the sessions that ended. */
export type RevocationReading = {
  /**
   * The database's clock before and after the reading, in microseconds. The reading has everything that was committed
   * before `startedMicros`.
   */
  readonly startedMicros: number;
  readonly seenMicros: number;
  readonly sessions: readonly { readonly sid: string; readonly revokedAtMs: number }[];
};

/**
 * Reads the sessions that ended.
 *
 * @param afterMicros reads only sessions that ended after this time of the database's clock; null: those of the last
 *   `windowSeconds`. Reads none older than `windowSeconds` in either case.
 */
export type ReadRevoked = (afterMicros: number | null, windowSeconds: number) => Promise<RevocationReading>;
