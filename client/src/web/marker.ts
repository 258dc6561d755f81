import { orNull } from '../core/or-null.ts';
import type { Marker } from '../platform/marked-vault.ts';

/** Browsers keep no cookie for longer. */
const LIFETIME_SECONDS = 34_560_000;

/** A `sid`, or nothing. Another subdomain can write cookies for this one: what has another form is not the page's own. */
const SID = /^[\w.~-]{0,200}$/u;

/** The cookies that scripts can read, after one was set. None in workers and sandboxed frames. */
const cookiesAfter = (cookie?: string): string =>
  orNull(() => {
    if (cookie) document.cookie = cookie;
    return document.cookie;
  }) ?? '';

/**
 * The marker of the store `name`: a cookie of this page's origin that scripts can read. Nothing secret is in it. `Secure` as the
 * refresh token's cookie is, so that both are kept or neither.
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
