import { begin, type AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { refuseUnusable } from '../runtime/effect-runner.ts';
import { beginSession } from '../runtime/sign-in.ts';

/**
 * Takes over a session that another OAuth library began. Rejects with `protocol` if the response has no access token.
 *
 * @param tokenResponse the JSON of the token endpoint's successful response (RFC 6749 §5.1)
 */
export async function adopt(auth: AuthService, tokenResponse: Readonly<Record<string, unknown>>): Promise<void> {
  const shell = auth.internals();
  refuseUnusable(shell);
  const answer = shell.readTokenResponse({ status: 200, headers: {}, body: JSON.stringify(tokenResponse) });
  if (answer.kind !== 'tokens') throw new HoldfastError('protocol', 'no access_token');
  await begin(shell, beginSession(answer.tokens, shell.platform.clock.now(), shell.config.scope));
}
