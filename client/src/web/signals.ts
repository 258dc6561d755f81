import type { Signal, Signals } from '../ports.ts';

/** Tells the other tabs that the vault changed. The message is a constant: nothing secret is ever broadcast. */
export type TabChannel = { readonly announce: () => void; readonly listen: (onAnnounced: () => void) => () => void };

/** A `BroadcastChannel` by that name; where there is none, tabs learn from the vault at their next refresh. */
export function createTabChannel(name: string): TabChannel {
  if (typeof BroadcastChannel === 'undefined') return { announce: () => {}, listen: () => () => {} };
  let sender: BroadcastChannel | null = null;
  return {
    announce: () => {
      const channel = sender ?? new BroadcastChannel(name);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is same-origin by nature
      channel.postMessage('changed');
      // Nobody listens here any more, or yet: an open channel would be for nothing.
      if (channel !== sender) channel.close();
    },
    listen: (onAnnounced) => {
      // The channel that sends is the one that listens: it never hears itself.
      const channel = (sender ??= new BroadcastChannel(name));
      channel.addEventListener('message', onAnnounced);
      return () => {
        channel.close();
        sender = null;
      };
    },
  };
}

/** Reported at most this often: once is enough to say that the user is there. */
const ACTIVITY_INTERVAL_MS = 30_000;

/** What the page notices: visibility, return from the back/forward cache or from freezing, network, other tabs, the user. */
export const webSignals =
  (channel: TabChannel): Signals =>
  (emit) => {
    if (typeof document === 'undefined') return () => {};
    const controller = new AbortController();
    const { signal } = controller;
    const on = (target: EventTarget, type: string, name: Signal): void =>
      target.addEventListener(type, () => emit(name), { signal, passive: true });
    on(window, 'online', 'online');
    on(window, 'offline', 'offline');
    if (!navigator.onLine) emit('offline');
    if (document.visibilityState === 'hidden') emit('background');
    on(document, 'resume', 'resumed');
    const listen = (): (() => void) => channel.listen(() => emit('store-changed'));
    let stopListening = listen();
    // A page that is kept to come back to would be thrown away for a message. It reads the store when it is back.
    window.addEventListener('pagehide', () => stopListening(), { signal });
    const onReturn = (): void => {
      stopListening = listen();
      emit('resumed');
    };
    window.addEventListener('pageshow', (event) => event.persisted && onReturn(), { signal });
    document.addEventListener(
      'visibilitychange',
      () => emit(document.visibilityState === 'visible' ? 'foreground' : 'background'),
      { signal },
    );
    let activeAtMs = -ACTIVITY_INTERVAL_MS;
    const onActivity = (): void => {
      if (performance.now() - activeAtMs < ACTIVITY_INTERVAL_MS) return;
      activeAtMs = performance.now();
      emit('user-active');
    };
    for (const type of ['pointerdown', 'keydown'])
      window.addEventListener(type, onActivity, { signal, passive: true, capture: true });
    return () => {
      controller.abort();
      stopListening();
    };
  };
