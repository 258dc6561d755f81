import type { Marker } from '../marked-vault.ts';

/** Browsers keep no cookie for longer. */
const LIFETIME_SECONDS = 34_560_000;

/** A `sid`, or nothing. Another subdomain can write cookies for this one: what has another form is not the page's own. */
const SID = /^[\w.~-]{0,200}$/u;

/**
 * The marker of the store `name`: a cookie of this page's origin that scripts can read. Nothing secret is in it. Where there are no
 * cookies (workers, sandboxed frames) there is no marker.
 */
export function cookieMarker(name: string): Marker {
  const prefix = `${encodeURIComponent(name)}=`;
  const cookies = <T>(use: () => T): T | null => {
    try {
      return use();
    } catch {
      return null;
    }
  };
  return {
    get: () =>
      cookies(() => {
        const pair = document.cookie.split('; ').find((each) => each.startsWith(prefix));
        const sid = pair?.slice(prefix.length);
        return sid !== undefined && SID.test(sid) ? sid : null;
      }),
    set: (sid) =>
      void cookies(() => {
        const lifetime = sid === null ? 0 : LIFETIME_SECONDS;
        const secure = location.protocol === 'https:' ? '; secure' : '';
        document.cookie = `${prefix}${sid ?? ''}; path=/; max-age=${lifetime}; samesite=strict${secure}`;
      }),
  };
}
