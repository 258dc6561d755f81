import type { Platform } from '../core/ports.ts';
import { fetchTransport } from '../platform/fetch-transport.ts';
import { timerClock } from '../platform/timer-clock.ts';
import { warnOnce } from '../platform/warn-once.ts';
import { watchedSignals } from '../platform/watched-signals.ts';
import { createBiometricGate } from './biometric-gate.ts';
import { randomToken, sha256 } from './crypto.ts';
import { keychainDeviceSecret } from './device-secret.ts';
import { keychainName, openKeychain, type Protection } from './keychain.ts';
import type { ExpoModules } from './modules.ts';
import { processMutex } from './mutex.ts';
import { keychainOutbox } from './outbox.ts';
import { expoSignals } from './signals.ts';
import { keychainVault } from './vault.ts';

/** How the phone keeps the session. */
export type ExpoOptions = {
  /** Who can have the refresh token out of the keychain, and when: see `Protection`. Default `when-unlocked`. */
  readonly protection?: Protection;
  /** What the system shows beside the prompt for the face or finger. Default: "Unlock your session". */
  readonly biometricPrompt?: string;
  /** A keychain access group of this app's entitlements: the session is shared with its other apps and extensions. */
  readonly accessGroup?: string;
  /**
   * The keychain outlives the app. Default `false`: a session from an earlier installation is ended and not taken over; `true`
   * always with `accessGroup`, where it may be another app's.
   */
  readonly keepsAfterReinstall?: boolean;
  /** Names the stored session. Default: made of issuer and client. */
  readonly name?: string;
  /** Called when the keychain refuses for another reason than being locked, such as a missing entitlement. Default: `console.warn`. */
  readonly onWarning?: (message: string) => void;
};

/** The ports, and what only a phone has. */
export type ExpoPlatform = Platform & {
  /** Asks for the face or finger again after the user has declined; with `protection: 'biometric'` only. */
  readonly unlock: () => void;
};

/** The ports made of these modules. Apps take `expo` from `holdfast/expo`, which brings the real ones. */
export function createExpoPlatform(modules: ExpoModules, options: ExpoOptions = {}): ExpoPlatform {
  const { secureStore, appState, network, crypto, markerFile } = modules;
  const { protection = 'when-unlocked', biometricPrompt = 'Unlock your session', accessGroup } = options;
  // oxlint-disable-next-line no-console -- on a phone, where a developer looks
  const warn = warnOnce(options.onWarning ?? ((message) => console.warn(message)));
  const gate = createBiometricGate(appState);
  const emitters = new Set<() => void>();
  const platformFor = (app: string): ExpoPlatform => {
    const name = `holdfast.${keychainName(options.name ?? app)}`;
    const keychain = openKeychain(secureStore, name, { accessGroup, biometricPrompt }, warn);
    const outbox = keychainOutbox(keychain, protection);
    const vault = keychainVault({
      keychain,
      marker: markerFile(name),
      appState,
      gate,
      protection,
      keepsAfterReinstall: accessGroup !== undefined || (options.keepsAfterReinstall ?? false),
      isShared: accessGroup !== undefined,
      discard: (session) => outbox.add(session),
    });
    const { signals, look } = watchedSignals(expoSignals(appState, network), vault.version);
    return {
      clock: timerClock,
      transport: fetchTransport({ credentials: 'omit' }),
      vault,
      outbox,
      mutex: processMutex(name),
      signals: (emit) => {
        const lookAgain = (): void => emit('foreground');
        emitters.add(lookAgain);
        const stop = signals(emit);
        return () => {
          emitters.delete(lookAgain);
          stop();
        };
      },
      look,
      // Other processes look into the keychain before each token.
      announce: () => {},
      random: Math.random,
      randomToken: () => randomToken(crypto),
      deviceSecret: keychainDeviceSecret(keychain, protection),
      sha256: (text) => sha256(crypto, text),
      delivery: 'body',
      forApp: platformFor,
      unlock: () => {
        gate.reopen();
        for (const lookAgain of emitters) lookAgain();
      },
    };
  };
  return platformFor('default');
}
