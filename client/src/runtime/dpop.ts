import type { ProofRequest, ProofSigner } from '../core/ports.ts';

/** The input of one proof: the request, and the values that the server requires. */
export type Proof = Omit<ProofRequest, 'nowMs'> & {
  /** The nonce that the server required last; `null`: it required none. */
  readonly nonce: string | null;
  /** The time to put into the proof, ms since 1970: this device's time, corrected by the server's answers. */
  readonly atMs: number;
};

/**
 * Assumed lag of a resource's clock behind the authorization server's, in ms, if the resource refuses a proof and its
 * `Date` cannot be read.
 */
const BEHIND_MS = 10_000;

/**
 * Makes a signer that remembers what servers require of proofs: their nonces, by origin (RFC 9449 §8.2), and how far
 * the authorization server's clock is ahead of this device's. For a resource that has refused a proof, it remembers the
 * clock of that resource.
 *
 * @param sign signs one proof. @see RFC 9449 §4.2
 */
export function proofSigner(sign: (proof: Proof) => Promise<string>): ProofSigner {
  const nonces = new Map<string, string>();
  const resourceOffsetsMs = new Map<string, number>();
  let clockOffsetMs = 0;
  const originOf = (url: string): string => new URL(url).origin;
  return {
    sign: ({ nowMs, ...request }) =>
      sign({
        ...request,
        method: methodSent(request.method),
        nonce: nonces.get(originOf(request.url)) ?? null,
        atMs: nowMs + (resourceOffsetsMs.get(request.accessToken ? originOf(request.url) : '') ?? clockOffsetMs),
      }),
    onResponse: ({ url, headers, nowMs }) => {
      const { 'dpop-nonce': nonce, date, resourceDate, isRetry } = headers;
      if (nonce) nonces.set(originOf(url), nonce);
      if (resourceDate !== undefined) {
        const resourceMs = Date.parse(resourceDate ?? '');
        // A retry that is refused shows that the resource's clock is not behind.
        const guessMs = clockOffsetMs - (isRetry ? 0 : BEHIND_MS);
        resourceOffsetsMs.set(originOf(url), Number.isNaN(resourceMs) ? guessMs : resourceMs - nowMs);
      }
      const serverMs = Date.parse(date ?? '');
      if (Number.isNaN(serverMs)) return;
      // This device's clock may have been set since: forget the clocks of resources.
      resourceOffsetsMs.clear();
      clockOffsetMs = serverMs - nowMs;
    },
  };
}

/** The method that `fetch` sends: it upper-cases these names and changes no other (Fetch, "normalize a method"). */
function methodSent(method: string): string {
  return /^(delete|get|head|options|post|put)$/iu.test(method) ? method.toUpperCase() : method;
}
