import type { ProofRequest, ProofSigner } from './ports.ts';

/** The input of one proof: the request, and the values that the server has asked for. */
export type Proof = Omit<ProofRequest, 'nowMs'> & {
  /** The nonce that the server asked for last; `null` if it asked for none. */
  readonly nonce: string | null;
  /** The time to put into it, ms since 1970: this device's, corrected by what the authorization server's answers say. */
  readonly atMs: number;
};

/**
 * A signer that remembers what servers say of proofs: the nonces that they want, by origin (RFC 9449 §8.2), and how far the
 * authorization server's clock is ahead of this device's.
 *
 * @param sign signs one proof. @see RFC 9449 §4.2
 */
export function proofSigner(sign: (proof: Proof) => Promise<string>): ProofSigner {
  const nonces = new Map<string, string>();
  let clockOffsetMs = 0;
  const originOf = (url: string): string => new URL(url).origin;
  return {
    sign: ({ nowMs, ...request }) =>
      sign({
        ...request,
        method: methodSent(request.method),
        nonce: nonces.get(originOf(request.url)) ?? null,
        atMs: nowMs + clockOffsetMs,
      }),
    hear: ({ url, headers, nowMs }) => {
      const nonce = headers['dpop-nonce'];
      if (nonce) nonces.set(originOf(url), nonce);
      const serverMs = Date.parse(headers.date ?? '');
      if (Number.isFinite(serverMs)) clockOffsetMs = serverMs - nowMs;
    },
  };
}

/** The method that `fetch` sends: of these names it takes any case, and it changes no other (Fetch, "normalize a method"). */
function methodSent(method: string): string {
  return /^(delete|get|head|options|post|put)$/iu.test(method) ? method.toUpperCase() : method;
}
