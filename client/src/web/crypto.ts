/** Bytes as base64url without padding. @see RFC 7515 §2 */
export function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** 32 random bytes as base64url: a PKCE code verifier. @see RFC 7636 §4.1 */
export const randomToken = (): string => toBase64Url(crypto.getRandomValues(new Uint8Array(32)));

/** SHA-256 of an ASCII string, as base64url: a PKCE code challenge. @see RFC 7636 §4.2 */
export async function sha256(text: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}
