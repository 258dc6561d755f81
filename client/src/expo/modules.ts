// The used parts of the Expo modules as types, so that tests can pass their own. Each module's documentation states its
// promises. Code that relies on more says so in place.

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
  /** Gives only a new item the requested accessibility: an existing item keeps its own. */
  readonly setItem: (key: string, value: string, options: SecureStoreOptions) => void;
  readonly deleteItemAsync: (key: string, options: SecureStoreOptions) => Promise<void>;
};

/** `AppState` of `react-native`. */
export type AppState = {
  /**
   * `active`, `inactive` (a prompt or the app switcher is in front) or `background`. Other values count as none of
   * them.
   */
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

/** A file that is deleted with the app and restored with its backup: `expo-file-system` in the document folder. */
export type MarkerFile = {
  /** Works before the first unlock too: the system protects the content of a file, not its existence. */
  readonly exists: () => boolean;
  /** Throws if the file cannot be written. */
  readonly create: () => void;
};

/** The modules that `createExpoPlatform` needs. `holdfast/expo` passes the real ones. */
export type ExpoModules = {
  readonly secureStore: SecureStore;
  readonly appState: AppState;
  readonly network: Network;
  readonly crypto: Crypto;
  readonly markerFile: (name: string) => MarkerFile;
};
