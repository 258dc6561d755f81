import { HoldfastError } from '../core/errors.ts';
import type { ReauthenticationStage } from '../core/state.ts';
import { dispatch, until } from '../runtime/effect-runner.ts';
import { postRevocation } from '../runtime/revocation.ts';
import type { AutomaticStage, Shell } from '../runtime/shell.ts';
import { authenticate, type SignInMethod } from '../runtime/sign-in.ts';
import { whyFailed } from '../runtime/why-failed.ts';

/** Waits longer after each failure, or until `over` settles. */
function backOff({ platform, policy }: Shell, tries: number, over: Promise<void>): Promise<void> {
  const stepMs = policy.backoffBaseMs * 2 ** tries * (1 + platform.random());
  return new Promise((resolve) => {
    const cancel = platform.clock.wake(Math.min(policy.backoffCapMs, stepMs), resolve);
    void over.then(cancel).then(resolve);
  });
}

/**
 * Creates a stage that starts by itself when the session has ended or a resource asks for a newer authentication:
 * `createAuthService({ reauthentication: [automaticStage('passkey', passkey()), 'password'] })`. An unreachable
 * server is not a failure of the stage: the stage stays and is tried again with back-off.
 */
export function automaticStage(stage: ReauthenticationStage, method: SignInMethod): AutomaticStage {
  /** The services of pages or apps in the background. */
  const hidden = new WeakSet<Shell>();
  return {
    stage,
    onSignal: (shell, signal) => {
      if (signal === 'background') hidden.add(shell);
      else if (signal === 'foreground') hidden.delete(shell);
    },
    start: async (shell) => {
      const { userEpoch, reauthentication } = shell.state;
      const isOver = (): boolean => shell.isDisposed || shell.state.reauthentication !== reauthentication;
      const over = until(shell, isOver);
      const controller = new AbortController();
      // Close the prompt once the user has authenticated in another tab or given up.
      void over.then(() => controller.abort());
      for (let tries = 0; ; tries++) {
        // Wait until the page is in the foreground. A prompt in the background would fail, and that failure could sign
        // out a user who is being prompted in another tab.
        await until(shell, () => !hidden.has(shell) || isOver());
        if (isOver()) return;
        try {
          const held = await authenticate(shell, method, controller.signal);
          // The user has signed out meanwhile: end the late session at the server.
          if (shell.isDisposed || shell.state.userEpoch !== userEpoch)
            return void postRevocation(shell, held.stored, 'discard');
          return dispatch(shell, { type: 'signedIn', held });
        } catch (error) {
          if (isOver()) return;
          if (!(error instanceof HoldfastError && error.isRetryable))
            return dispatch(shell, { type: 'reauthenticationFailed', stage, why: whyFailed(error) });
          await backOff(shell, tries, over);
        }
      }
    },
  };
}
