import type { AuthService, Platform, SignInMethod } from 'holdfast';
import { explainPasskeyError, isPasskeySupported, passkey, registerPasskey, web } from 'holdfast/web';
import { serverUrl } from './server.ts';

// The same app in a browser. Its counterpart on the phone is `phone.ts`.

export { explainPasskeyError, isPasskeySupported };

/** As the server knows this page. */
export const clientId = 'web';

/** The refresh token is in a cookie that no script can read. */
export const createPlatform = (): Platform => web();

/** By the browser's dialog. */
export const signInByPasskey = (): SignInMethod => passkey();

/** Makes a passkey and registers it with the server. */
export async function addPasskey(auth: AuthService, name: string): Promise<void> {
  await registerPasskey(auth, { issuer: serverUrl, name });
}

/** A page that is not looked at does not run. */
export function refreshInBackground(_auth: AuthService): void {}
