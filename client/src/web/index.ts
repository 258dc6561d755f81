import { HoldfastError } from '../core/errors.ts';
import type { Platform, ProofSigner } from '../core/ports.ts';
import { markedVault } from '../platform/marked-vault.ts';
import { webClock } from './clock.ts';
import { randomToken, sha256 } from './crypto.ts';
import { cookieMarker } from './marker.ts';
import { webMutex } from './mutex.ts';
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

/** How the browser keeps the session. */
export type WebOptions = {
  /**
   * Where the refresh token lives. `cookie` (default): in an HttpOnly cookie that no script can read, for a server on the
   * same site. `body`: sealed in IndexedDB, for servers elsewhere.
   */
  readonly delivery?: 'cookie' | 'body';
  /**
   * Names the stored session. Default: made of issuer and client, so that two apps on one origin keep apart. Two accounts in one
   * browser are two services, each with a name of its own.
   */
  readonly name?: string;
  /**
   * Asks the server for a session at launch if neither the stored session nor the marker cookie names one. Default
   * `false`: a first visit asks nothing. `true` finds a session that began at another origin of the site, and one whose storage and
   * marker are gone (Safari deletes both after seven days without a visit), at the price of one refused request per visit.
   * Not for several accounts in one browser: the server would answer with the session of any of them.
   */
  readonly mayHaveCookies?: boolean;
  /** Binds the session to a key: `webProofSigner()`. Default: not bound. */
  readonly signProof?: ProofSigner;
};

/**
 * The ports for browsers: IndexedDB, Web Locks, BroadcastChannel, visibility and network signals. What is missing in a
 * browser degrades: no locks means a refresh more, no IndexedDB means a session as long as the page. On a server
 * they do nothing: the session stays `restoring`, nothing is sent, no timer runs, and every call rejects with `server-rendering`.
 *
 * Throws a `HoldfastError` with code `misconfigured` in a page that the browser does not trust with cryptography.
 * @see https://www.w3.org/TR/secure-contexts/
 */
export function web(options: WebOptions = {}): Platform {
  if (!isServer && !(crypto.subtle as SubtleCrypto | undefined))
    throw new HoldfastError('misconfigured', 'use https or localhost');
  const platformFor = (app: string): Platform => {
    const name = `holdfast-${options.name ?? app}`;
    const delivery = options.delivery ?? 'cookie';
    const channel = createTabChannel(name);
    const store = sealedStore(openSlots(name));
    const vault = sealedVault(store);
    return {
      clock: webClock,
      transport: webTransport(delivery),
      vault: delivery === 'cookie' ? markedVault(vault, cookieMarker(name), options.mayHaveCookies) : vault,
      outbox: sealedOutbox(store),
      mutex: webMutex(name),
      signals: webSignals(channel),
      announce: channel.announce,
      random: Math.random,
      randomToken,
      deviceSecret: storedDeviceSecret(store),
      sha256,
      delivery,
      forApp: platformFor,
      isRenderingServer: isServer,
      ...(options.signProof && { signProof: options.signProof }),
    };
  };
  return platformFor('default');
}
