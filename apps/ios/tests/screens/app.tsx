/* oxlint-disable typescript/consistent-type-imports -- what is loaded anew for each start is only known by its type */
import { runInThisContext } from 'node:vm';
import type { AuthService } from 'holdfast';
import { currentPhone, usePhone, type Phone } from './phone.ts';

/** React Native's network is native code: here the app speaks to the server by Node's. */
const networkNames = [
  'fetch',
  'Headers',
  'Request',
  'Response',
  'FormData',
  'Blob',
  'URL',
  'URLSearchParams',
  'AbortController',
  'AbortSignal',
];

function useNetworkOfNode(): void {
  for (const name of networkNames) {
    const value: unknown = runInThisContext(name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const send = globalThis.fetch;
  // As Expo's own: words and forms become bytes, whose type is what the headers say, or nothing.
  globalThis.fetch = (input, init) => {
    const body = init?.body ?? null;
    const isText = typeof body === 'string' || body instanceof URLSearchParams;
    return send(input, isText ? { ...init, body: new TextEncoder().encode(String(body)) } : init);
  };
}

type TestingLibrary = typeof import('@testing-library/react-native');

/** The app as it runs on a phone, and the hands and eyes of who uses it. */
export type RunningApp = Pick<TestingLibrary, 'screen' | 'waitFor'> & {
  readonly auth: AuthService;
  /** Presses what is called so. */
  readonly press: (name: string | RegExp) => Promise<void>;
  readonly type: (label: string, text: string) => Promise<void>;
  /** Waits until a text is there. */
  readonly see: (text: string | RegExp) => Promise<void>;
  readonly sees: (text: string | RegExp) => boolean;
  /** The process ends, as when the user swipes the app away: nothing is told. */
  readonly end: () => void;
};

let running: RunningApp | null = null;

/**
 * Starts the app on a phone: everything is loaded anew, and finds only what the phone has kept. `network`: what becomes of its
 * requests; `null`: they reach the server.
 */
export function startApp(phone: Phone, network: typeof fetch | null = null): RunningApp {
  usePhone(phone);
  jest.resetModules();
  const { AppState } = require('react-native') as typeof import('react-native');
  Object.defineProperty(AppState, 'currentState', { configurable: true, get: () => currentPhone().appState });
  AppState.addEventListener = ((type: 'change', listener: (state: string) => void) =>
    currentPhone().modules.appState.addEventListener(type, listener)) as typeof AppState.addEventListener;
  const library = require('@testing-library/react-native/pure') as TestingLibrary;
  const { App } = require('../../src/app.tsx') as typeof import('../../src/app.tsx');
  const { auth } = require('../../src/session/session.ts') as typeof import('../../src/session/session.ts');
  useNetworkOfNode();
  if (network !== null) globalThis.fetch = network;
  // The server's answers come when they come, not inside of a test's `act`.
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
  library.configure({ asyncUtilTimeout: 8_000 });
  library.render(<App />);
  const { screen, fireEvent, waitFor } = library;
  running = {
    screen,
    waitFor,
    auth,
    press: async (name) => {
      const button = await waitFor(() => {
        const found = screen.getByRole(/^(?:Notes|Session|Security)$/u.test(String(name)) ? 'tab' : 'button', { name });
        if (found.props['accessibilityState']?.disabled === true) throw new Error(`${name} cannot be pressed`);
        return found;
      });
      fireEvent.press(button);
    },
    type: async (label, text) => {
      fireEvent.changeText(await screen.findByLabelText(label), text);
    },
    see: async (text) => void (await screen.findByText(text)),
    sees: (text) => screen.queryByText(text) !== null,
    end: () => {
      screen.unmount();
      auth.dispose();
      running = null;
    },
  };
  return running;
}

afterEach(() => running?.end());

let passedMs = 0;
for (const clock of [Date, performance]) {
  const now = clock.now.bind(clock);
  clock.now = () => now() + passedMs;
}

/** Lets time pass for the app: its clocks jump, as they do for an app that was suspended. */
export function passTime(ms: number): void {
  passedMs += ms;
}

afterEach(() => {
  passedMs = 0;
  jest.restoreAllMocks();
});

export const demoUser = { username: 'demo@holdfast.example', password: 'correct horse battery staple' };

/** Starts the app and signs in by password. */
export async function startSignedIn(phone: Phone): Promise<RunningApp> {
  const app = startApp(phone);
  await app.type('User name', demoUser.username);
  await app.type('Password', demoUser.password);
  await app.press('Sign in');
  await app.see('Signed in as Demo User');
  return app;
}
