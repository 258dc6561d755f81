import type { AuthService } from './auth-service.ts';
import { requestToken, type TokenRequest } from './runtime/effect-runner.ts';
import type { Shell } from './runtime/shell.ts';

async function waitForNetwork(shell: Shell, request: TokenRequest): Promise<void> {
  await requestToken(shell, { ...request, isForNetwork: true });
}

/**
 * Resolves when the network is back, or after `pauseMs`, because the platform may be wrong; `null`: the platform
 * reports no outage. For retries: parked like a request that waits for a token, with the same deadline, the same queue
 * and the same errors.
 */
export function untilOnline(
  auth: AuthService,
  request: Pick<TokenRequest, 'signal' | 'deadlineMs' | 'userEpoch' | 'pauseMs'> = {},
): Promise<void> | null {
  const shell = auth.internals();
  return shell.state.isOffline ? waitForNetwork(shell, request) : null;
}
