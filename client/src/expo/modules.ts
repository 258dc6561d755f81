// As much of the Expo modules as is used here, so that tests can bring their own. What they promise is in each one's
// documentation; what is relied on beyond that is said where it is relied on.

/** @see https://docs.expo.dev/versions/latest/sdk/securestore/ */
export type SecureStoreOptions = {
  readonly keychainAccessible?: number;
  readonly requireAuthentication?: boolean;
  readonly authenticationPrompt?: string;
  readonly accessGroup?: string;
};

/** `expo-secure-store`. Every call throws or rejects when the keychain refuses: locked, cancelled, no entitlement. */
export type SecureStore = {
  readonly AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: number;
  readonly WHEN_UNLOCKED_THIS_DEVICE_ONLY: number;
  /** `null`: there is no such item, or the enrolled faces or fingers have changed since it was written. */
  readonly getItem: (key: string, options: SecureStoreOptions) => string | null;
  readonly getItemAsync: (key: string, options: SecureStoreOptions) => Promise<string | null>;
  /** Keeps the accessibility of an item that is there: only a new item gets the one asked for. */
  readonly setItem: (key: string, value: string, options: SecureStoreOptions) => void;
  readonly deleteItemAsync: (key: string, options: SecureStoreOptions) => Promise<void>;
};

/** `AppState` of `react-native`. */
export type AppState = {
  /** `active`, `inactive` (a prompt or the app switcher is in front) or `background`; others count as none of them. */
  readonly currentState: string | null;
  addEventListener(type: 'change', listener: (state: string) => void): { remove(): void };
};

type NetworkState = { readonly isInternetReachable?: boolean | undefined };

/** `expo-network`. */
export type Network = {
  readonly getNetworkStateAsync: () => Promise<NetworkState>;
  readonly addNetworkStateListener: (listener: (state: NetworkState) => void) => { remove(): void };
};

/** `expo-crypto`. */
export type Crypto = {
  readonly getRandomBytes: (byteCount: number) => Uint8Array;
  readonly digestStringAsync: (
    algorithm: 'SHA-256',
    text: string,
    options: { readonly encoding: 'base64' },
  ) => Promise<string>;
};

/** A file that goes with the app and comes back with its backup: `expo-file-system` in the document folder. */
export type MarkerFile = {
  /** Also before the first unlock: whether there is a file is no secret, what is in it would be. */
  readonly exists: () => boolean;
  /** Throws where nothing can be written. */
  readonly create: () => void;
};

/** What `expo()` is made of. `holdfast/expo` fills it with the real ones. */
export type ExpoModules = {
  readonly secureStore: SecureStore;
  readonly appState: AppState;
  readonly network: Network;
  readonly crypto: Crypto;
  readonly markerFile: (name: string) => MarkerFile;
};
