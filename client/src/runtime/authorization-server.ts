import { HoldfastError } from '../core/errors.ts';
import type { ProofResponseHeaders, HttpResponse, HttpRequest } from '../core/ports.ts';
import { readTokenResponse } from '../core/wire.ts';
import type { Shell } from './shell.ts';
import { within } from './timeouts.ts';

type Parts = Pick<Shell, 'platform' | 'policy'>;

/** Passes a response's nonce and times to the signer of proofs. A resource has a clock of its own. */
export const recordResponseHeaders = ({ platform }: Parts, url: string, headers: ProofResponseHeaders): void =>
  platform.signProof?.onResponse({ url, headers, nowMs: platform.clock.now().wallMs });

/** Signs a DPoP proof for one request; `null`: the session is not bound to a key. @see RFC 9449 §4.2 */
export const signProof = async (
  { platform }: Parts,
  method: string,
  url: string,
  accessToken: string | null,
): Promise<string | null> =>
  platform.signProof?.sign({ method, url, accessToken, nowMs: platform.clock.now().wallMs }) ?? null;

/** Adds the proof to the request. */
export const withProof = (request: HttpRequest, proof: string | null): HttpRequest =>
  proof ? { ...request, headers: { ...request.headers, dpop: proof } } : request;

/**
 * Makes one exchange with the authorization server outside a refresh, within the client's response deadline, and a
 * second one if the first proof lacked a nonce. Rejects with a retryable error if there was no answer.
 */
export async function exchange(parts: Parts, request: HttpRequest): Promise<HttpResponse> {
  const answer = await exchangeOnce(parts, request);
  const read = readTokenResponse(answer);
  return read.kind === 'transient' && read.cause === 'nonce-required' ? exchangeOnce(parts, request) : answer;
}

async function exchangeOnce(parts: Parts, request: HttpRequest): Promise<HttpResponse> {
  const { clock, transport } = parts.platform;
  const controller = new AbortController();
  const send = async (): Promise<HttpResponse> =>
    transport(withProof(request, await signProof(parts, request.method, request.url, null)), controller.signal);
  try {
    const answer = await within(clock, parts.policy.responseDeadlineMs, send());
    recordResponseHeaders(parts, request.url, answer.headers);
    return answer;
  } catch (cause) {
    throw new HoldfastError('server-unavailable', undefined, { cause });
  } finally {
    controller.abort();
  }
}
