import { orNull } from '../core/or-null.ts';
import type { Marker } from '../platform/marked-vault.ts';

/** The longest lifetime that browsers give a cookie: 400 days. */
const LIFETIME_SECONDS = 34_560_000;

/** The form of a `sid`, or empty. Ignore other values: another subdomain can write cookies for this one. */
const SID = /^[\w.~-]{0,200}$/u;

/** Sets `cookie`, if given, and returns the cookies that scripts can read. Workers and sandboxed frames have none. */
const cookiesAfter = (cookie?: string): string =>
  orNull(() => {
    if (cookie) document.cookie = cookie;
    return document.cookie;
  }) ?? '';

/**
 * Creates the marker of the store `name`: a cookie of this page's host that scripts can read and that holds no secret.
 * It is `Secure`, as the refresh token's cookie is: the browser keeps both or neither.
 */
export function cookieMarker(name: string): Marker {
  const prefix = `${encodeURIComponent(name)}=`;
  return {
    get: () => {
      const [, after] = `; ${cookiesAfter()}`.split(`; ${prefix}`);
      const sid = after?.split(';')[0] ?? null;
      return sid !== null && SID.test(sid) ? sid : null;
    },
    set: (sid) => {
      const lifetime = sid === null ? 0 : LIFETIME_SECONDS;
      cookiesAfter(`${prefix}${sid ?? ''}; path=/; max-age=${lifetime}; samesite=strict; secure`);
    },
  };
}
