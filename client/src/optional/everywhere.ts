import { signOut, type AuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { requestToken } from '../runtime/effect-runner.ts';
import { isDefinite } from '../runtime/revocation.ts';
import type { Shell } from '../runtime/shell.ts';
import { within } from '../runtime/timeouts.ts';

/**
 * Ends the user's other sessions at the server, then this one, unless somebody else has signed in meanwhile. A server that
 * wants a recent authentication for it leads to a step-up first. Rejects, still signed in, if the server refuses or the step-up
 * is declined. Rejects at once with `signed-out` where the session has ended, also while the user is asked to authenticate again:
 * whose sessions are to end can be proved after a sign-in only.
 *
 * If the server cannot be asked (no network, no answer, 5xx, 429, a proxy's page) it resolves all the same: signed out here at
 * once, as by `signOut`, and the others end as soon as the server can be told, also after a relaunch, provided that this session
 * still lives then. That is a parameter of our server's revocation endpoint: another server ignores it and ends this session alone.
 */
export async function signOutEverywhere(auth: AuthService): Promise<void> {
  const shell = auth.internals();
  const { owner, phase } = shell.state;
  // The server has refused its refresh token: nothing here proves any more whose sessions are to end.
  if (phase.kind === 'reauth-required') throw new HoldfastError('signed-out', 'the session has ended: sign in first');
  const response = await endOthers(auth, shell);
  if (response && !response.ok)
    throw new HoldfastError('http-status', `the server answered ${response.status}`, { response });
  if (shell.state.owner === owner) return signOut(shell, response ? undefined : 'everywhere');
  if (!response) throw new HoldfastError('user-changed');
}

/** The server's answer; `null` if it cannot be asked. */
async function endOthers(auth: AuthService, shell: Shell): Promise<Response | null> {
  const { responseDeadlineMs } = shell.policy;
  try {
    // Where the last refresh has failed, nobody who wants to leave waits for the next one.
    await requestToken(shell, { deadlineMs: shell.state.backoff ? 0 : responseDeadlineMs });
    const response = await auth.fetch(shell.wire.sessionsEndpoint, {
      method: 'DELETE',
      resource: shell.wire.issuer,
      // Each try is bounded, the prompt between two of them is not.
      fetch: (input, init) => within(shell.platform.clock, responseDeadlineMs, shell.send(input, init)),
    });
    return isDefinite(response, await response.clone().text()) ? response : null;
  } catch (error) {
    // A session that is over has nothing to tell the server with.
    if (shell.state.phase.kind !== 'active') throw error;
    return null;
  }
}
