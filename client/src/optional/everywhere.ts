import { signOut, type AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { requestToken } from '../runtime/effect-runner.ts';
import { isDefinite } from '../runtime/revocation.ts';
import type { Shell } from '../runtime/shell.ts';
import { within } from '../runtime/timeouts.ts';

/**
 * Ends the user's other sessions at the server, then this one, unless another user has signed in meanwhile. If the
 * server requires a recent authentication, a step-up comes first. Rejects and keeps the session if the server refuses
 * or the user declines the step-up. Rejects at once with `signed-out` if the session has ended, also during a
 * reauthentication: only a valid session proves whose sessions to end.
 *
 * Resolves as well if the server is unreachable (no network, no answer, 5xx, 429, a proxy's page). Then it signs out
 * here at once, as `signOut` does. The other sessions end once the server can be reached, also after a relaunch, if
 * this session is still valid then. This uses a parameter of the Holdfast server's revocation endpoint. Other servers
 * ignore it and end only this session.
 */
export async function signOutEverywhere(auth: AuthService): Promise<void> {
  const shell = auth.internals();
  const { userEpoch, phase } = shell.state;
  // The server has refused the refresh token: it no longer proves whose sessions to end.
  if (phase.kind === 'reauthentication-required')
    throw new HoldfastError('signed-out', 'the session has ended: sign in first');
  const response = await endOthers(auth, shell);
  if (response && !response.ok)
    throw new HoldfastError('http-status', `the server answered ${response.status}`, { response });
  if (shell.state.userEpoch === userEpoch) return signOut(shell, response ? undefined : 'everywhere');
  if (!response) throw new HoldfastError('user-changed');
}

/** Ends the user's other sessions. Resolves with the server's response; `null` if the server is unreachable. */
async function endOthers(auth: AuthService, shell: Shell): Promise<Response | null> {
  const { responseDeadlineMs } = shell.policy;
  try {
    // Do not wait for a refresh if the last one failed: the user wants to sign out now.
    await requestToken(shell, { deadlineMs: shell.state.backoff ? 0 : responseDeadlineMs });
    const response = await auth.fetch(shell.wire.sessionsEndpoint, {
      method: 'DELETE',
      resource: shell.wire.issuer,
      // Bound each try, but not the step-up prompt between two tries.
      fetch: (input, init) => within(shell.platform.clock, responseDeadlineMs, shell.send(input, init)),
    });
    return isDefinite(response, await response.clone().text()) ? response : null;
  } catch (error) {
    // An ended session cannot revoke anything at the server.
    if (shell.state.phase.kind !== 'active') throw error;
    return null;
  }
}
