import type { ProofSigner } from '../core/ports.ts';
import { proofSigner } from '../runtime/dpop.ts';
import { randomToken, sha256, toBase64Url } from './crypto.ts';
import { sealedStore, type SealedStore } from './sealed-store.ts';
import { openSlots } from './slots.ts';

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' };

const encode = (value: unknown): string => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));

/** Removes query and fragment, as the claim `htu` requires. @see RFC 9449 §4.2 */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/su, '');

async function signWith(keys: CryptoKeyPair, claims: Readonly<Record<string, unknown>>): Promise<string> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey);
  const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${encode(claims)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, keys.privateKey, new TextEncoder().encode(input));
  return `${input}.${toBase64Url(new Uint8Array(signature))}`;
}

/**
 * Binds the session to an ES256 key that cannot be exported: a stolen token is worthless without this browser. Use it
 * as `web({ refreshTokenTransport: 'body', signProof: webProofSigner() })`. Without IndexedDB, key and session last as long as the
 * page.
 *
 * @param name names the place of the key. Default: all apps of the origin share one key; their sessions stay separate.
 * Give each app its own name for its own key.
 * @see RFC 9449
 */
export function webProofSigner(name = 'default'): ProofSigner {
  let store: SealedStore | null = null;
  let known: CryptoKeyPair | null = null;
  return proofSigner(async ({ method, url, nonce, accessToken, atMs }) => {
    store ??= sealedStore(openSlots(`holdfast-${name}`));
    // Prefer the stored key. If the store rejects or was emptied, keep signing with the key that this session is bound
    // to.
    const make = async (): Promise<CryptoKeyPair> =>
      known ?? crypto.subtle.generateKey(ES256, false, ['sign', 'verify']);
    known = await store.key('proof-key', make).catch(async (error: unknown) => {
      if (!known) throw error;
      return known;
    });
    return signWith(known, {
      jti: randomToken(),
      htm: method,
      htu: withoutQuery(url),
      iat: Math.floor(atMs / 1_000),
      ...(nonce === null ? {} : { nonce }),
      ...(accessToken === null ? {} : { ath: await sha256(accessToken) }),
    });
  });
}
