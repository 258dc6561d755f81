import type { ExpoModules } from '../expo/modules.ts';
import { createFakeKeychain, type KeychainItem, type PhoneState } from './fake-keychain.ts';

// A phone whose modules keep what their documentation promises, and whose owner does what a test says.

/** The phone, and what can happen to it. `lock`, `storage` and `face` are set as they are. */
export type FakePhone = PhoneState & {
  readonly modules: ExpoModules;
  /** Values as they lie in the keychain, by access group and name. */
  readonly items: Map<string, KeychainItem>;
  /** Files of the app, by name. */
  readonly files: Set<string>;
  /** Brings the app to the foreground or to the background, or covers it. */
  readonly setAppState: (state: PhoneState['appState']) => void;
  readonly setOnline: (isOnline: boolean) => void;
  /** The person who was asked for the face does what `face` says now. */
  readonly answerPrompt: () => void;
};

type NetworkState = { readonly isInternetReachable: boolean };

const fakeCrypto: ExpoModules['crypto'] = {
  getRandomBytes: (byteCount) => crypto.getRandomValues(new Uint8Array(byteCount)),
  digestStringAsync: async (algorithm, text) => {
    const digest = await crypto.subtle.digest(algorithm, new TextEncoder().encode(text));
    return btoa(String.fromCharCode(...new Uint8Array(digest)));
  },
};

/** A phone that is unlocked and on which the app is open. */
export function createFakePhone(): FakePhone {
  const items = new Map<string, KeychainItem>();
  const files = new Set<string>();
  const appListeners = new Set<(state: string) => void>();
  const networkListeners = new Set<(state: NetworkState) => void>();
  const waiting: (() => void)[] = [];
  let isOnline = true;
  const state: PhoneState = {
    lock: 'unlocked',
    storage: 'fine',
    face: 'recognised',
    enrolment: 1,
    appState: 'active',
    prompts: 0,
  };
  const listen = <Listener>(listeners: Set<Listener>, listener: Listener): { remove(): void } => {
    listeners.add(listener);
    return { remove: () => void listeners.delete(listener) };
  };
  const untilAnswered = (): Promise<void> =>
    state.face === 'waits' ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve();
  return Object.assign(state, {
    items,
    files,
    modules: {
      secureStore: createFakeKeychain(state, items, untilAnswered),
      appState: {
        get currentState() {
          return state.appState;
        },
        addEventListener: (_type: 'change', listener: (state: string) => void) => listen(appListeners, listener),
      },
      network: {
        getNetworkStateAsync: () => Promise.resolve({ isInternetReachable: isOnline }),
        addNetworkStateListener: (listener: (state: NetworkState) => void) => listen(networkListeners, listener),
      },
      crypto: fakeCrypto,
      markerFile: (name: string) => ({
        exists: () => files.has(name),
        create: () => {
          if (state.lock === 'before-first-unlock' || state.lock === 'prewarmed') throw new Error('permission denied');
          files.add(name);
        },
      }),
    },
    setAppState: (appState: PhoneState['appState']) => {
      if (appState === state.appState) return;
      state.appState = appState;
      for (const listener of Array.from(appListeners)) listener(appState);
    },
    setOnline: (isOnlineNow: boolean) => {
      isOnline = isOnlineNow;
      for (const listener of Array.from(networkListeners)) listener({ isInternetReachable: isOnline });
    },
    answerPrompt: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  });
}
