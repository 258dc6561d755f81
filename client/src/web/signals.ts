import type { Signals } from '../core/ports.ts';

/** Neither page nor worker: a server that renders the app, for whoever asks. Nobody's session is there. */
export const isServer = typeof document === 'undefined' && typeof indexedDB === 'undefined';

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

/**
 * The signals of a page or worker: the network, other tabs, return from the back/forward cache; and a page its visibility, freezing and
 * user. Workers of every kind hear the other tabs as well. On a server that renders pages there is nothing to notice.
 */
export const webSignals =
  (channel: TabChannel): Signals =>
  (emit) => {
    if (isServer) return () => {};
    const controller = new AbortController();
    // Events of the document bubble up to here; a worker has none.
    const on = (type: string, act: (event: Event) => void): void =>
      addEventListener(type, act, { signal: controller.signal, passive: true, capture: true });
    const onNetwork = (): void => emit(navigator.onLine ? 'online' : 'offline');
    on('online', onNetwork);
    on('offline', onNetwork);
    if (!navigator.onLine) onNetwork();
    const onVisible = (): void => emit(document.hidden ? 'background' : 'foreground');
    on('visibilitychange', onVisible);
    if ((globalThis.document as Partial<Document> | undefined)?.hidden) onVisible();
    on('resume', () => emit('resumed'));
    // Without a database a sign-out is in web storage, and a message can arrive before other tabs see it there. This event cannot.
    on('storage', (event) => {
      if ((event as StorageEvent).key?.startsWith('holdfast-')) emit('store-changed');
    });
    const listen = (): (() => void) => channel.listen(() => emit('store-changed'));
    let stopListening = listen();
    // A page that is kept to come back to would be thrown away for a message. It reads the store when it is back.
    on('pagehide', () => stopListening());
    on('pageshow', (event) => {
      if (!(event as PageTransitionEvent).persisted) return;
      stopListening = listen();
      emit('resumed');
    });
    let activeAtMs = -ACTIVITY_INTERVAL_MS;
    const onActivity = (): void => {
      if (performance.now() - activeAtMs < ACTIVITY_INTERVAL_MS) return;
      activeAtMs = performance.now();
      emit('user-active');
    };
    on('pointerdown', onActivity);
    on('keydown', onActivity);
    return () => {
      controller.abort();
      stopListening();
    };
  };
