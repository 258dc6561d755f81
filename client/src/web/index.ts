import { HoldfastError } from '../core/errors.ts';
import type { Platform, ProofSigner } from '../core/ports.ts';
import { markedVault } from '../platform/marked-vault.ts';
import { webClock } from './clock.ts';
import { randomToken, sha256 } from './crypto.ts';
import { cookieMarker } from './marker.ts';
import { webRefreshLock } from './refresh-lock.ts';
import { sealedStore } from './sealed-store.ts';
import { createTabChannel, isServer, webSignals } from './signals.ts';
import { openSlots } from './slots.ts';
import { webTransport } from './transport.ts';
import { sealedOutbox, sealedVault, storedDeviceSecret } from './vault.ts';

export { webProofSigner } from './dpop.ts';
export {
  explainPasskeyError,
  isPasskeyAutofillSupported,
  isPasskeySupported,
  passkey,
  registerPasskey,
} from './passkey.ts';
export type { PasskeyFailure, PasskeyOptions, RegisteredPasskey } from './passkey.ts';
export type { PasskeyRegistrationOptions } from '../platform/passkey-ceremony.ts';

/** Options of `web()`: how the browser stores the session. */
export type WebOptions = {
  /**
   * The place of the refresh token. `cookie` (default): an HttpOnly cookie that no script can read; the server must be
   * on the same site. `body`: encrypted in IndexedDB, for a server on another site.
   */
  readonly refreshTokenTransport?: 'cookie' | 'body';
  /**
   * Names the stored session. Default: derived from issuer and client, so that two apps on one origin stay separate.
   * For two accounts in one browser, create two services and give each its own name.
   */
  readonly name?: string;
  /**
   * Asks the server for a session at launch if neither the stored session nor the marker cookie names one. Default
   * `false`: a first visit sends no request. `true` finds a session that began at another origin of the site. It also
   * finds a session whose storage and marker are gone: Safari deletes both after seven days without a visit. The price
   * is one refused request per visit. Do not use it for several accounts in one browser: the server might answer with
   * the session of any of them.
   */
  readonly mayHaveCookies?: boolean;
  /** Binds the session to a DPoP key: `webProofSigner()`. Default: not bound. */
  readonly signProof?: ProofSigner;
};

/**
 * Creates the ports for browsers: IndexedDB, Web Locks, BroadcastChannel, visibility and network signals. A missing
 * feature degrades: without locks there are more refreshes; without IndexedDB a session with `refreshTokenTransport: 'body'` lasts
 * as long as the page. During server rendering the ports do nothing: the session stays `restoring`, no request is sent,
 * no timer runs, and every call rejects with `server-rendering`.
 *
 * @throws `HoldfastError` with code `misconfigured` in a page that is no secure context
 * @see https://www.w3.org/TR/secure-contexts/
 */
export function web(options: WebOptions = {}): Platform {
  if (!isServer && !(crypto.subtle as SubtleCrypto | undefined))
    throw new HoldfastError('misconfigured', 'use https or localhost');
  const platformFor = (app: string): Platform => {
    const name = `holdfast-${options.name ?? app}`;
    const refreshTokenTransport = options.refreshTokenTransport ?? 'cookie';
    const channel = createTabChannel(name);
    const store = sealedStore(openSlots(name));
    const vault = sealedVault(store);
    return {
      clock: webClock,
      transport: webTransport(refreshTokenTransport),
      vault:
        refreshTokenTransport === 'cookie' ? markedVault(vault, cookieMarker(name), options.mayHaveCookies) : vault,
      outbox: sealedOutbox(store),
      refreshLock: webRefreshLock(name),
      signals: webSignals(channel),
      announce: channel.announce,
      random: Math.random,
      randomToken,
      deviceSecret: storedDeviceSecret(store),
      sha256,
      refreshTokenTransport,
      forApp: platformFor,
      isRenderingServer: isServer,
      ...(options.signProof && { signProof: options.signProof }),
    };
  };
  return platformFor('default');
}
