import type { ExpoModules } from '../expo/modules.ts';
import { createFakeKeychain, type KeychainItem, type PhoneState } from './fake-keychain.ts';

// A phone whose modules behave as documented, and whose user does what a test sets.

/** The phone, and the events that can happen to it. A test assigns `lock`, `storage` and `face` directly. */
export type FakePhone = PhoneState & {
  readonly modules: ExpoModules;
  /** The items of the keychain, by access group and name. */
  readonly items: Map<string, KeychainItem>;
  /** Files of the app, by name. */
  readonly files: Set<string>;
  /** Moves the app to the foreground or the background, or covers it with a prompt. */
  readonly setAppState: (state: PhoneState['appState']) => void;
  readonly setOnline: (isOnline: boolean) => void;
  /** Answers a waiting prompt with the present `face`. */
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

/** Creates an unlocked phone with the app in the foreground. */
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
