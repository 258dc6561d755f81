import type { Signals } from '../core/ports.ts';
import type { AppState, Network } from './modules.ts';

/**
 * What the phone noticed: the app left or came back, the network went or came. To open the app, or to come back to it, is
 * something that the user does.
 *
 * `inactive` is neither: Face ID's own prompt makes the app inactive, and a signal after each would ask for the next one.
 */
export const expoSignals =
  (appState: AppState, network: Network): Signals =>
  (emit) => {
    // An app that the system started, in the background: nobody has opened it.
    let isAway = appState.currentState !== 'active';
    if (appState.currentState === 'background') emit('background');
    const onAppState = (state: string): void => {
      if (state === 'background') {
        isAway = true;
        emit('background');
      } else if (state === 'active' && isAway) {
        isAway = false;
        emit('user-active');
        emit('foreground');
      }
    };
    let isOffline = false;
    let isHeard = false;
    const onNetwork = (state: { readonly isInternetReachable?: boolean | undefined }): void => {
      const isOfflineNow = state.isInternetReachable === false;
      if (isOfflineNow === isOffline) return;
      isOffline = isOfflineNow;
      emit(isOffline ? 'offline' : 'online');
    };
    const listeners = [
      appState.addEventListener('change', onAppState),
      network.addNetworkStateListener((state) => {
        isHeard = true;
        onNetwork(state);
      }),
    ];
    let isStopped = false;
    // What was asked for first may be answered last.
    network.getNetworkStateAsync().then(
      (state) => isStopped || isHeard || onNetwork(state),
      () => {},
    );
    return () => {
      isStopped = true;
      for (const listener of listeners) listener.remove();
    };
  };
