import { useSyncExternalStore } from 'react';

/** The part of the page that is shown. */
export type View = 'notes' | 'security';

/** Paths of the page: other ones than the API's, which is on the same origin. */
export const viewPaths: Readonly<Record<View, string>> = { notes: '/', security: '/security' };

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
  };
}

const readView = (): View => (location.pathname === viewPaths.security ? 'security' : 'notes');

/** The view that the address names; renders again when it changes. */
export function useView(): View {
  return useSyncExternalStore(subscribe, readView);
}

/** Goes to a view, as a link would, and begins at its heading. */
export function showView(view: View): void {
  if (readView() === view) return;
  history.pushState(null, '', viewPaths[view]);
  for (const listener of listeners) listener();
  requestAnimationFrame(() => {
    window.scrollTo(0, 0);
    document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
  });
}
