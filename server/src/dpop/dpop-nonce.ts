import { createHmac, timingSafeEqual } from 'node:crypto';

/** Stateless nonces for DPoP proofs: no node has to remember them. */
export type DpopNonces = {
  /** The nonce to send in `DPoP-Nonce`. */
  readonly current: () => string;
  /** True if a node of this server gave out this nonce recently. */
  readonly isFresh: (nonce: string) => boolean;
};

const NONCE_BYTES = 16;
const SHAPE = /^[A-Za-z0-9_-]{22}$/;

/**
 * Creates the nonces. A nonce is the MAC of a period of time: it cannot be predicted without the key, and every node
 * with the key computes the same one. The previous period is accepted, so that a nonce works for at least one period.
 * The next period is accepted too, because another node's clock may be ahead.
 *
 * @param keys the first one mints; the others are accepted, so that a roll-over of the master secret costs no retry
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
