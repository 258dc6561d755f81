import type { Platform } from '../core/ports.ts';
import { fetchTransport } from '../platform/fetch-transport.ts';
import { timerClock } from '../platform/timer-clock.ts';
import { warnOnce } from '../platform/warn-once.ts';
import { lookingAfterReads, watchedSignals } from '../platform/watched-signals.ts';
import { createBiometricGate } from './biometric-gate.ts';
import { randomToken, sha256 } from './crypto.ts';
import { keychainDeviceSecret } from './device-secret.ts';
import { keychainName, openKeychain, type Protection } from './keychain.ts';
import type { ExpoModules } from './modules.ts';
import { keychainOutbox } from './outbox.ts';
import { processRefreshLock } from './refresh-lock.ts';
import { expoSignals } from './signals.ts';
import { keychainVault } from './vault.ts';

/** Options of `expo()`: how the phone stores the session. */
export type ExpoOptions = {
  /** The accessibility class of the refresh token in the keychain. Default `when-unlocked`. */
  readonly protection?: Protection;
  /** The text in the prompt of Face ID or Touch ID. Default: "Unlock your session". */
  readonly biometricPrompt?: string;
  /** A keychain access group of this app's entitlements. The group's apps and extensions share the session. */
  readonly accessGroup?: string;
  /**
   * Keeps the session of an earlier installation: the keychain outlives the app. Default `false`: the client forgets
   * that session and revokes it at the server. It cannot revoke one with `biometric` protection without a prompt.
   * Always `true` with `accessGroup`, because the session may be another app's.
   */
  readonly keepsAfterReinstall?: boolean;
  /** Names the stored session. Default: derived from issuer and client. */
  readonly name?: string;
  /**
   * Called if the keychain refuses although it is not locked, such as for a missing entitlement. Default:
   * `console.warn`.
   */
  readonly onWarning?: (message: string) => void;
};

/** The ports of a phone, with `unlock`. */
export type ExpoPlatform = Platform & {
  /** Prompts for Face ID or Touch ID again after the user has declined. Only needed with `protection: 'biometric'`. */
  readonly unlock: () => void;
};

/** Creates the ports from the given modules. Apps call `expo` from `holdfast/expo`, which passes the real modules. */
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
      vault: lookingAfterReads(vault, look),
      outbox,
      refreshLock: processRefreshLock(name),
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
      // Nothing to send: other processes read the keychain before each token.
      announce: () => {},
      random: Math.random,
      randomToken: () => randomToken(crypto),
      deviceSecret: keychainDeviceSecret(keychain, protection),
      sha256: (text) => sha256(crypto, text),
      refreshTokenTransport: 'body',
      forApp: platformFor,
      unlock: () => {
        gate.reopen();
        for (const lookAgain of emitters) lookAgain();
      },
    };
  };
  return platformFor('default');
}
