import * as BackgroundTask from 'expo-background-task';
import * as TaskManager from 'expo-task-manager';
import type { AuthService, Platform, SignInMethod } from 'holdfast';
import { expo, explainPasskeyError, passkey, registerPasskey, runBackgroundRefresh } from 'holdfast/expo';
import * as passkeys from 'react-native-passkeys';
import { serverUrl } from './server.ts';

// The phone's own parts: the keychain, Face ID, work in the background. Its counterpart for browsers is `phone.web.ts`.

export { explainPasskeyError };

/** As the server knows this app. */
export const clientId = 'native';

/**
 * The refresh token can be read from the first unlock on, so that the session is renewed while the phone lies locked in a pocket.
 * An app that does without takes `expo()`, and its refresh token is out of reach whenever the phone is locked.
 */
export const createPlatform = (): Platform => expo({ protection: 'after-first-unlock' });

export const isPasskeySupported = (): boolean => passkeys.isSupported();

/** Face ID or Touch ID, with a key that answers the server's challenge. */
export const signInByPasskey = (): SignInMethod => passkey(passkeys);

/** Makes a passkey and registers it with the server. */
export async function addPasskey(auth: AuthService, name: string): Promise<void> {
  await registerPasskey(passkeys, auth, { issuer: serverUrl, name });
}

const backgroundTask = 'holdfast-refresh';

/** Renews the session while the app is away: must be called before anything is rendered. */
export function refreshInBackground(auth: AuthService): void {
  TaskManager.defineTask(backgroundTask, async () => {
    const expiration = new AbortController();
    const listener = BackgroundTask.addExpirationListener(() => expiration.abort());
    const outcome = await runBackgroundRefresh(auth, { signal: expiration.signal });
    listener.remove();
    return outcome === 'unavailable'
      ? BackgroundTask.BackgroundTaskResult.Failed
      : BackgroundTask.BackgroundTaskResult.Success;
  });
  // The simulator has no such thing.
  BackgroundTask.registerTaskAsync(backgroundTask, { minimumInterval: 15 }).catch(() => {});
}
