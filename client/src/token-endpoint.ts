import { HoldfastError } from './errors.ts';
import type { HttpAnswer, HttpRequest } from './ports.ts';
import type { Shell } from './shell.ts';
import { readTokenAnswer } from './wire.ts';
import { within } from './within.ts';

type Parts = Pick<Shell, 'platform' | 'policy' | 'nonces' | 'clockOffsetMs'>;

const originOf = (url: string): string => new URL(url).origin;

/** Remembers the nonce that a server wants in the next proof. @see RFC 9449 §8.2 */
export function rememberNonce({ nonces }: Parts, url: string, nonce: string | null | undefined): void {
  if (nonce) nonces.set(originOf(url), nonce);
}

/** What an answer of the authorization server tells besides: the nonce for the next proof, and what time it is. */
export function hear(parts: Parts, url: string, headers: HttpAnswer['headers']): void {
  rememberNonce(parts, url, headers['dpop-nonce']);
  const serverMs = Date.parse(headers['date'] ?? '');
  if (Number.isFinite(serverMs)) parts.clockOffsetMs = serverMs - parts.platform.clock.now().wallMs;
}

/** A DPoP proof for one request; `null` when the session is not bound to a key. @see RFC 9449 §4.2 */
export async function signProof(
  { platform, nonces, clockOffsetMs }: Parts,
  method: string,
  url: string,
  accessToken: string | null,
): Promise<string | null> {
  if (!platform.signProof) return null;
  const nonce = nonces.get(originOf(url)) ?? null;
  return platform.signProof({ method, url, nonce, accessToken, atMs: platform.clock.now().wallMs + clockOffsetMs });
}

/** The request with its proof. */
export const withProof = (request: HttpRequest, proof: string | null): HttpRequest =>
  proof === null ? request : { ...request, headers: { ...request.headers, dpop: proof } };

/**
 * One exchange with the authorization server outside a refresh, with the client's response deadline, and a second try
 * when the first proof lacked a nonce. Rejects with a retryable error when there was no answer.
 */
export async function exchange(parts: Parts, request: HttpRequest): Promise<HttpAnswer> {
  const answer = await exchangeOnce(parts, request);
  const read = readTokenAnswer(answer);
  return read.kind === 'transient' && read.cause === 'nonce-required' ? exchangeOnce(parts, request) : answer;
}

async function exchangeOnce(parts: Parts, request: HttpRequest): Promise<HttpAnswer> {
  const { clock, transport } = parts.platform;
  const controller = new AbortController();
  const send = async (): Promise<HttpAnswer> =>
    transport(withProof(request, await signProof(parts, request.method, request.url, null)), controller.signal);
  try {
    const answer = await within(clock, parts.policy.responseDeadlineMs, send());
    hear(parts, request.url, answer.headers);
    return answer;
  } catch (cause) {
    throw new HoldfastError('server-unavailable', undefined, { cause });
  } finally {
    controller.abort();
  }
}
