import * as Crypto from 'expo-crypto';
import { File, Paths } from 'expo-file-system';
import * as Network from 'expo-network';
import * as SecureStore from 'expo-secure-store';
import { AppState } from 'react-native';
import { createExpoPlatform, type ExpoOptions, type ExpoPlatform } from './platform.ts';

export { runBackgroundRefresh } from './background.ts';
export type { BackgroundRefresh } from './background.ts';
export type { Protection } from './keychain.ts';
export { explainPasskeyError, passkey, registerPasskey } from './passkey.ts';
export type { Passkeys } from './passkey.ts';
export type { PasskeyFailure, PasskeyRegistrationOptions, RegisteredPasskey } from '../platform/passkey-ceremony.ts';
export type { ExpoOptions, ExpoPlatform } from './platform.ts';

/**
 * Creates the ports for Expo and React Native on iOS: the keychain, AppState, `expo-network` and `expo-crypto`. A
 * locked device keeps its session: the client reads it again when the app is opened.
 *
 * @example
 * const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: expo() })
 */
export function expo(options: ExpoOptions = {}): ExpoPlatform {
  return createExpoPlatform(
    {
      secureStore: SecureStore,
      appState: AppState,
      network: Network,
      crypto: {
        getRandomBytes: Crypto.getRandomBytes,
        digestStringAsync: (_algorithm, text) =>
          Crypto.digestStringAsync(Crypto.CryptoDigestAlgorithm.SHA256, text, {
            encoding: Crypto.CryptoEncoding.BASE64,
          }),
      },
      markerFile: (name) => {
        const file = new File(Paths.document, `${name}.installed`);
        return { exists: () => file.exists, create: () => file.create({ intermediates: true }) };
      },
    },
    options,
  );
}
