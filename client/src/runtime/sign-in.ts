import { HoldfastError } from '../core/errors.ts';
import type { Instant } from '../core/instant.ts';
import { holdTokens } from '../core/refresh-flight.ts';
import type { Held } from '../core/state.ts';
import { nothingStored } from '../core/stored-session.ts';
import type { TransientFailure, Tokens } from '../core/token-result.ts';
import { challengeRequest, codeRequest, readChallengeAnswer, type ChallengeResult } from '../core/wire.ts';
import { exchange } from './authorization-server.ts';
import { deliverBeforeSignIn, readDeviceSecret } from './revocation.ts';
import type { Shell } from './shell.ts';

/** A user name and a password, as the user typed them. Never stored, never logged. */
export type PasswordCredential = { readonly username: string; readonly password: string };

/**
 * A way of signing in that takes several steps, such as a passkey. Sends fields to the challenge endpoint by `ask`
 * until an answer brings the code. May reject with anything; a `HoldfastError` reaches the caller as it is. `signal`:
 * ends a stage of the reauthentication that is not needed any more, because another tab was faster or the user gave up.
 * @see draft-ietf-oauth-first-party-apps
 */
export type SignInMethod = (
  ask: (fields: Readonly<Record<string, string>>) => Promise<ChallengeResult>,
  signal?: AbortSignal,
) => Promise<ChallengeResult>;

function refusalError(answer: { readonly kind: 'rejected' } | TransientFailure): HoldfastError {
  if (answer.kind === 'rejected') return new HoldfastError('sign-in-rejected');
  return new HoldfastError(
    answer.cause === 'misconfigured' ? 'misconfigured' : 'server-unavailable',
    answer.words ?? undefined,
  );
}

/** Makes a new session of tokens from a first exchange. */
export const beginSession = (tokens: Tokens, sentAt: Instant, scope: string | null): Held =>
  holdTokens(tokens, nothingStored(scope, sentAt.wallMs), sentAt);

/**
 * Signs in: obtains an authorization code from the challenge endpoint and exchanges it with PKCE. Rejects with a
 * `HoldfastError`, or as the `SignInMethod` does.
 * @see draft-ietf-oauth-first-party-apps, RFC 7636
 */
export async function authenticate(
  shell: Shell,
  credential: PasswordCredential | SignInMethod,
  signal?: AbortSignal,
): Promise<Held> {
  const { platform, wire } = shell;
  const { reauthentication } = shell.state;
  await deliverBeforeSignIn(shell);
  const codeVerifier = platform.randomToken();
  const codeChallenge = await platform.sha256(codeVerifier);
  const deviceSecret = await readDeviceSecret(shell);
  // The authentication that a resource requires (RFC 9470 §4).
  const wanted = {
    acr_values: reauthentication?.stepUp?.acrValues ?? null,
    max_age: reauthentication?.stepUp?.maxAgeSeconds?.toString() ?? null,
  };
  const ask = async (fields: Readonly<Record<string, string>>): Promise<ChallengeResult> =>
    readChallengeAnswer(await exchange(shell, challengeRequest(wire, { ...wanted, ...fields }, codeChallenge)));
  const challenge =
    typeof credential === 'function'
      ? await credential(ask, signal)
      : await ask({ username: credential.username, password: credential.password });
  if (challenge.kind !== 'code') throw refusalError(challenge);
  const sentAt = platform.clock.now();
  // Read the session at this moment: a prompt may have been open for hours, and another tab has signed in.
  const { phase } = shell.state;
  const replaced = 'stored' in phase ? phase.stored : null;
  const request = codeRequest(wire, challenge.code, codeVerifier, deviceSecret, replaced);
  const answer = shell.readTokenResponse(await exchange(shell, request));
  if (answer.kind !== 'tokens') throw refusalError(answer);
  // The session was to be bound to a key and is not: reject it, so that no app relies on the binding (RFC 9449 §5).
  if (platform.signProof && answer.tokens.tokenType !== 'DPoP')
    throw new HoldfastError('misconfigured', 'no DPoP token');
  return beginSession(answer.tokens, sentAt, wire.scope);
}
