import { act, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';
import type { AuthService } from '../index.ts';
import { AuthProvider } from '../react/index.ts';

/** A mounted page. */
export type MountedPage = {
  readonly container: HTMLElement;
  readonly text: () => string;
  readonly unmount: () => Promise<void>;
};

/** Renders `element` in an `AuthProvider` of `auth`; `null`: without one. Changes of React must happen within `act`. */
export function mount(auth: AuthService | null, element: ReactElement): MountedPage {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  const container = document.body.appendChild(document.createElement('div'));
  const root = createRoot(container);
  act(() => root.render(auth ? <AuthProvider auth={auth}>{element}</AuthProvider> : element));
  return {
    container,
    text: () => container.textContent,
    unmount: async () => {
      await act(async () => root.unmount());
      container.remove();
    },
  };
}
