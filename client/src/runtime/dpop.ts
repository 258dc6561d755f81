import type { ProofRequest, ProofSigner } from '../core/ports.ts';

/** The input of one proof: the request, and the values that the server has asked for. */
export type Proof = Omit<ProofRequest, 'nowMs'> & {
  /** The nonce that the server asked for last; `null` if it asked for none. */
  readonly nonce: string | null;
  /** The time to put into it, ms since 1970: this device's, corrected by what the server's answers say. */
  readonly atMs: number;
};

/**
 * How far the clock of a resource is taken to be behind the authorization server's, if it refuses a proof and its `Date` cannot be
 * read.
 */
const BEHIND_MS = 10_000;

/**
 * A signer that remembers what servers say of proofs: the nonces that they want, by origin (RFC 9449 §8.2), and how far the
 * authorization server's clock is ahead of this device's, or that of a resource which has refused a proof.
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
    hear: ({ url, headers, nowMs }) => {
      const { 'dpop-nonce': nonce, date, resourceDate, isRetry } = headers;
      if (nonce) nonces.set(originOf(url), nonce);
      if (resourceDate !== undefined) {
        const resourceMs = Date.parse(resourceDate ?? '');
        // A retry that is refused shows that the resource is not behind.
        const guessMs = clockOffsetMs - (isRetry ? 0 : BEHIND_MS);
        resourceOffsetsMs.set(originOf(url), Number.isNaN(resourceMs) ? guessMs : resourceMs - nowMs);
      }
      const serverMs = Date.parse(date ?? '');
      if (Number.isNaN(serverMs)) return;
      // This device's clock may have been set since: resources are asked anew.
      resourceOffsetsMs.clear();
      clockOffsetMs = serverMs - nowMs;
    },
  };
}

/** The method that `fetch` sends: of these names it takes any case, and it changes no other (Fetch, "normalize a method"). */
function methodSent(method: string): string {
  return /^(delete|get|head|options|post|put)$/iu.test(method) ? method.toUpperCase() : method;
}
