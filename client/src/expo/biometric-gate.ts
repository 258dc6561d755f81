import { HoldfastError } from '../core/errors.ts';
import type { AppState } from './modules.ts';

/**
 * Lets one biometric prompt through at a time. After a failed or declined prompt the gate stays closed until the app
 * was in the background, or until `reopen`: a refresh that is retried must not show one prompt after the other.
 */
export type BiometricGate = {
  /**
   * Prompts for the item, or joins a prompt for it that is already open. Rejects at once while the gate is closed,
   * while another prompt is open, or in the background.
   */
  readonly ask: (item: string, prompt: () => Promise<string | null>) => Promise<string | null>;
  /** Opens the gate, because the user wants to be prompted again. */
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
