/** Access tokens that the demo refuses before their time, so that a genuine 401 can be had at the press of a button. */
export type ExpiredTokens = {
  /** @param exp when the token expires by itself, in seconds since the epoch: it is forgotten then */
  readonly add: (jti: string, exp: number) => void;
  readonly has: (jti: string) => boolean;
};

/** Starts with none. They are kept in memory: another process, and this one after a restart, accepts them again. */
export function createExpiredTokens(): ExpiredTokens {
  const expByJti = new Map<string, number>();
  return {
    has: (jti) => expByJti.has(jti),
    add(jti, exp) {
      const nowSeconds = Date.now() / 1_000;
      for (const [oldJti, oldExp] of expByJti) {
        // A minute more, for verifiers that tolerate a clock that is off.
        if (oldExp + 60 < nowSeconds) expByJti.delete(oldJti);
      }
      expByJti.set(jti, exp);
    },
  };
}
