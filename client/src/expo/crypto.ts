import type { Crypto } from './modules.ts';

/** The alphabet of base64url, six bits a symbol: Hermes has neither WebCrypto nor `Buffer`. @see RFC 4648 §5 */
const SYMBOLS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The length of 32 bytes in base64url. A verifier has 258 random bits. @see RFC 7636 §4.1 */
const VERIFIER_LENGTH = 43;

/** A PKCE code verifier. */
export const randomToken = (crypto: Crypto): string =>
  Array.from(crypto.getRandomBytes(VERIFIER_LENGTH), (byte) => SYMBOLS[byte % SYMBOLS.length]).join('');

/** SHA-256 of an ASCII string, as base64url: a PKCE code challenge. @see RFC 7636 §4.2 */
export async function sha256(crypto: Crypto, text: string): Promise<string> {
  const digest = await crypto.digestStringAsync('SHA-256', text, { encoding: 'base64' });
  return digest.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
