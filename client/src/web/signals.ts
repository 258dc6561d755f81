import type { Signals } from '../core/ports.ts';

/**
 * True on a server that renders the app: neither a page nor a worker. It renders for all users, so it has no session.
 */
export const isServer = typeof document === 'undefined' && typeof indexedDB === 'undefined';

/** Tells the other tabs that the vault changed. The message is a constant, so no secret is ever broadcast. */
export type TabChannel = { readonly announce: () => void; readonly listen: (onAnnounced: () => void) => () => void };

/** Opens a `BroadcastChannel` called `name`. Without `BroadcastChannel`, tabs read the vault at their next refresh. */
export function createTabChannel(name: string): TabChannel {
  if (typeof BroadcastChannel === 'undefined') return { announce: () => {}, listen: () => () => {} };
  let sender: BroadcastChannel | null = null;
  return {
    announce: () => {
      const channel = sender ?? new BroadcastChannel(name);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is same-origin by nature
      channel.postMessage('changed');
      // This tab does not listen: close the channel, so that it keeps no page or process alive.
      if (channel !== sender) channel.close();
    },
    listen: (onAnnounced) => {
      // Send and listen with one channel object: a channel does not receive its own messages.
      const channel = (sender ??= new BroadcastChannel(name));
      channel.addEventListener('message', onAnnounced);
      return () => {
        channel.close();
        sender = null;
      };
    },
  };
}

/** The shortest interval between two `user-active` signals. */
const ACTIVITY_INTERVAL_MS = 30_000;

/**
 * Emits the signals of a page or worker: network, other tabs, return from the back/forward cache. A page also emits its
 * visibility, freezing and user activity. Every kind of worker receives the other tabs' messages. Emits nothing during
 * server rendering.
 */
export const webSignals =
  (channel: TabChannel): Signals =>
  (emit) => {
    if (isServer) return () => {};
    const controller = new AbortController();
    // Events of the document bubble up to the window. A worker has no document.
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
    // Without IndexedDB a sign-out is stored in web storage. A channel message can arrive before another tab sees the
    // write; the storage event cannot.
    on('storage', (event) => {
      if ((event as StorageEvent).key?.startsWith('holdfast-')) emit('store-changed');
    });
    const listen = (): (() => void) => channel.listen(() => emit('store-changed'));
    let stopListening = listen();
    // Browsers drop a page from the back/forward cache when it receives a message. The page reads the store on its
    // return.
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
