import { createHmac, timingSafeEqual } from 'node:crypto';

/** Nonces for DPoP proofs that no node has to remember. */
export type DpopNonces = {
  /** The nonce to send in `DPoP-Nonce`. */
  readonly current: () => string;
  /** Whether a node of this server gave this nonce out, and not long ago. */
  readonly isFresh: (nonce: string) => boolean;
};

const NONCE_BYTES = 16;
const SHAPE = /^[A-Za-z0-9_-]{22}$/;

/**
 * A nonce is the MAC of a period of time: without the key nobody can say what the next one will be, and every node that has
 * the key knows it. The period before the current one counts, so that an answer's nonce serves at least one period; so does
 * the one after, because another node's clock may be ahead.
 *
 * @param keys the first one mints; the others are accepted, so that a roll-over of the master secret costs nobody a retry
 * @param now this host's wall clock, in milliseconds since the epoch
 * @see RFC 9449 §8
 */
export function createDpopNonces(
  keys: readonly [Buffer, ...Buffer[]],
  periodSeconds: number,
  now: () => number,
): DpopNonces {
  const [minting] = keys;
  let known: { readonly period: number; readonly current: string; readonly accepted: readonly Buffer[] } | null = null;
  const atPresent = (): NonNullable<typeof known> => {
    const period = Math.floor(now() / 1_000 / periodSeconds);
    if (known?.period === period) return known;
    known = {
      period,
      current: macOf(period, minting).toString('base64url'),
      accepted: [period, period - 1, period + 1].flatMap((accepted) => keys.map((key) => macOf(accepted, key))),
    };
    return known;
  };
  return {
    current: () => atPresent().current,
    isFresh: (nonce) => {
      if (!SHAPE.test(nonce)) return false;
      const presented = Buffer.from(nonce, 'base64url');
      return atPresent().accepted.some((accepted) => timingSafeEqual(accepted, presented));
    },
  };
}

function macOf(period: number, key: Buffer): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(period));
  return createHmac('sha256', key).update(bytes).digest().subarray(0, NONCE_BYTES);
}
