import type { Signals } from '../core/ports.ts';
import type { AppState, Network } from './modules.ts';

/**
 * Emits the signals of a phone: the app goes to the background or comes back, the network goes or comes back. An opened
 * app counts as user activity.
 *
 * `inactive` emits nothing: Face ID's own prompt makes the app inactive, and a signal after it would cause another
 * prompt.
 */
export const expoSignals =
  (appState: AppState, network: Network): Signals =>
  (emit) => {
    // The system may have started the app in the background. Then the first `active` means that the user opened it.
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
    // Ignore this first reading if the listener was faster: it may be older.
    network.getNetworkStateAsync().then(
      (state) => isStopped || isHeard || onNetwork(state),
      () => {},
    );
    return () => {
      isStopped = true;
      for (const listener of listeners) listener.remove();
    };
  };
