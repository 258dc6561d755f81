import type { ReauthenticationStage } from '../core/state.ts';
import { dispatch, until } from '../runtime/effect-runner.ts';
import { postRevocation } from '../runtime/revocation.ts';
import type { AutomaticStage, Shell } from '../runtime/shell.ts';
import { authenticate, type SignInMethod } from '../runtime/sign-in.ts';
import { whyFailed } from '../runtime/why-failed.ts';

/**
 * A stage that starts by itself when the session has ended or a resource asks for a newer authentication:
 * `createAuthService({ reauthentication: [automaticStage('biometric', passkey()), 'password'] })`.
 */
export function automaticStage(stage: ReauthenticationStage, method: SignInMethod): AutomaticStage {
  /** The services whose page or app is in the background. */
  const hidden = new WeakSet<Shell>();
  return {
    stage,
    hear: (shell, signal) => {
      if (signal === 'background') hidden.add(shell);
      else if (signal === 'foreground') hidden.delete(shell);
    },
    start: async (shell) => {
      const { owner, chain } = shell.state;
      const isOver = (): boolean => shell.state.chain !== chain;
      // A page in the background cannot ask anybody: its prompt would fail, and sign out those who are being asked elsewhere.
      await until(shell, () => !hidden.has(shell) || isOver());
      if (isOver() || shell.isDisposed) return;
      const controller = new AbortController();
      // Answered in another tab, or given up: nobody needs the prompt any more.
      void until(shell, isOver).then(() => controller.abort());
      try {
        const held = await authenticate(shell, method, controller.signal);
        // The user has signed out meanwhile: what comes late ends at once.
        if (shell.isDisposed || shell.state.owner !== owner) return void postRevocation(shell, held.stored, 'discard');
        dispatch(shell, { type: 'signedIn', held });
      } catch (error) {
        if (!isOver()) dispatch(shell, { type: 'reauthenticationFailed', stage, why: whyFailed(error) });
      }
    },
  };
}
