import { HoldfastError } from './errors.ts';
import type { StoredSession } from './ports.ts';
import { holdTokens } from './refresh-flight.ts';
import type { Held } from './session-state.ts';
import { exchange, type Shell } from './shell.ts';
import { challengeRequest, codeRequest, readChallengeAnswer, readTokenAnswer } from './wire.ts';

/** A user name and a password, as the user typed them. Never stored, never logged. */
export type PasswordCredential = { readonly username: string; readonly password: string };

type Refusal = { readonly kind: 'rejected' | 'transient' | 'misconfigured' };

function refusalError({ kind }: Refusal): HoldfastError {
  switch (kind) {
    case 'rejected':
      return new HoldfastError('sign-in-rejected', 'the credential was not accepted');
    case 'transient':
      return new HoldfastError('server-unavailable', 'the authorization server cannot answer now');
    case 'misconfigured':
      return new HoldfastError('misconfigured', 'the authorization server refuses this client');
  }
}

/**
 * Signs in with a credential: an authorization code from the challenge endpoint, exchanged with PKCE.
 * `replaces` is the session that this one takes over from, if any. Rejects with a `HoldfastError`.
 * @see draft-ietf-oauth-first-party-apps, RFC 7636
 */
export async function authenticate(
  shell: Pick<Shell, 'platform' | 'policy' | 'config'>,
  credential: PasswordCredential,
  replaces: string | null,
): Promise<Held> {
  const { platform, config } = shell;
  const codeVerifier = platform.randomToken();
  const codeChallenge = await platform.sha256(codeVerifier);
  const { username, password } = credential;
  const challenge = readChallengeAnswer(
    await exchange(shell, challengeRequest(config.wire, { username, password }, codeChallenge, replaces)),
  );
  if (challenge.kind !== 'code') throw refusalError(challenge);
  const sentAt = platform.clock.now();
  const answer = readTokenAnswer(await exchange(shell, codeRequest(config.wire, challenge.code, codeVerifier)));
  if (answer.kind !== 'tokens') throw refusalError(answer);
  const nothing: StoredSession = {
    sid: null,
    sub: null,
    refreshToken: null,
    scope: config.wire.scope,
    startedAtMs: sentAt.wallMs,
    expiresAtMs: null,
    access: null,
  };
  return holdTokens(answer.tokens, nothing, sentAt);
}
