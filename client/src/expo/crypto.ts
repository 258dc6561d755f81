import type { Crypto } from './modules.ts';

/** Hermes has neither WebCrypto nor `Buffer`; one symbol stands for six bits. @see RFC 4648 §5 */
const SYMBOLS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** As long as 32 bytes are in base64url, and a little stronger: 258 random bits. @see RFC 7636 §4.1 */
const VERIFIER_LENGTH = 43;

/** A PKCE code verifier. */
export const randomToken = (crypto: Crypto): string =>
  Array.from(crypto.getRandomBytes(VERIFIER_LENGTH), (byte) => SYMBOLS[byte % SYMBOLS.length]).join('');

/** SHA-256 of an ASCII string, as base64url: a PKCE code challenge. @see RFC 7636 §4.2 */
export async function sha256(crypto: Crypto, text: string): Promise<string> {
  const digest = await crypto.digestStringAsync('SHA-256', text, { encoding: 'base64' });
  return digest.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
