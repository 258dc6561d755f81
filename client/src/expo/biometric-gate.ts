import { HoldfastError } from '../core/errors.ts';
import type { AppState } from './modules.ts';

/**
 * Lets one prompt through at a time. Whoever declined is not asked again until the app was left and came back, or the user
 * asks for it: a refresh that is tried again must not become a prompt that does not go away.
 */
export type BiometricGate = {
  /** Asks for the item, or joins who asks already. Rejects at once while the gate is closed or nobody could answer. */
  readonly ask: (item: string, prompt: () => Promise<string | null>) => Promise<string | null>;
  /** The user wants to be asked again. */
  readonly reopen: () => void;
};

export function createBiometricGate(appState: AppState): BiometricGate {
  let asking: { readonly item: string; readonly answer: Promise<string | null> } | null = null;
  let leaving: { remove(): void } | null = null;
  const reopen = (): void => {
    leaving?.remove();
    leaving = null;
  };
  const close = (): void => {
    leaving ??= appState.addEventListener('change', (state) => state === 'background' && reopen());
  };
  const begin = async (prompt: () => Promise<string | null>): Promise<string | null> => {
    try {
      return await prompt();
    } catch (error) {
      close();
      throw error;
    } finally {
      asking = null;
    }
  };
  return {
    ask: (item, prompt) => {
      if (asking?.item === item) return asking.answer;
      if (asking || leaving || appState.currentState === 'background')
        return Promise.reject(new HoldfastError('storage-unavailable', 'the session waits for Face ID or Touch ID'));
      const answer = begin(prompt);
      asking = { item, answer };
      return answer;
    },
    reopen,
  };
}
