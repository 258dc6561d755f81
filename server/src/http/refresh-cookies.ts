import type { Client } from '../clients.ts';
import type { KeyRing } from '../keys.ts';
import { parseRefreshToken } from '../refresh-token.ts';
import type { LiveSession } from '../store.ts';
import { invalidGrant, OAuthError } from './answers.ts';

/**
 * The cookies that carry refresh tokens. Each session has one of its own, so a late answer for one user never overwrites
 * the next user's, and one browser can hold several accounts.
 */
const PREFIX = '__Host-holdfast-';
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';

export interface RefreshCookie {
  readonly name: string;
  readonly value: string;
}

/** The name of a session's cookie: 48 bits of its id tell a browser's sessions apart. */
export function cookieNameOf(sid: string): string {
  return PREFIX + sid.replaceAll('-', '').slice(0, 12);
}

/** `Set-Cookie` that stores a copy until the session's absolute lifetime ends. */
export function storeCookie(sid: string, refreshToken: string, maxAgeSeconds: number): string {
  return `${cookieNameOf(sid)}=${refreshToken}; Max-Age=${maxAgeSeconds}; ${ATTRIBUTES}`;
}

/** `Set-Cookie` that removes one cookie. */
export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${ATTRIBUTES}`;
}

/** Every refresh cookie of a request. */
export function readRefreshCookies(cookieHeader: string | undefined): readonly RefreshCookie[] {
  const cookies: RefreshCookie[] = [];
  for (const pair of (cookieHeader ?? '').split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, Math.max(at, 0)).trim();
    if (name.startsWith(PREFIX)) cookies.push({ name, value: pair.slice(at + 1).trim() });
  }
  return cookies;
}

export interface CookieChoice {
  readonly cookies: readonly RefreshCookie[];
  /** The session that the client means; null when it names none. */
  readonly sid: string | null;
  readonly client: Client;
  readonly keyRing: KeyRing;
  readonly findLive: (sids: readonly string[]) => Promise<readonly LiveSession[]>;
}

/**
 * Chooses the cookie that a request means: the named session's, otherwise the only live one.
 *
 * @throws OAuthError `invalid_grant` when there is none; `invalid_request` with `sessions` when several are alive
 */
export async function chooseCookie(choice: CookieChoice): Promise<RefreshCookie> {
  const { cookies, sid, client, keyRing, findLive } = choice;
  if (sid !== null) return chooseNamed(cookies, sid, keyRing);
  const genuine = cookies.flatMap((cookie) => {
    const parsed = parseRefreshToken(cookie.value, keyRing);
    return parsed.kind === 'genuine' ? [{ cookie, sid: parsed.token.sid }] : [];
  });
  if (genuine.length <= 1) {
    // A cookie that is not genuine still gets its own answer: damaged, retired, or not known here yet.
    const only = genuine[0]?.cookie ?? cookies[0];
    if (only === undefined) throw invalidGrant('unknown');
    return only;
  }
  const live = (await findLive(genuine.map(({ sid }) => sid))).filter(({ clientId }) => clientId === client.clientId);
  if (live.length > 1) {
    throw new OAuthError(400, 'invalid_request', 'There are several sessions: name one by sid', {
      members: { sessions: live.map(({ sid }) => sid).toSorted() },
    });
  }
  const chosen = genuine.find(({ sid }) => sid === live[0]?.sid) ?? genuine[0];
  if (chosen === undefined) throw invalidGrant('unknown');
  return chosen.cookie;
}

function chooseNamed(cookies: readonly RefreshCookie[], sid: string, keyRing: KeyRing): RefreshCookie {
  const cookie = cookies.find(({ name }) => name === cookieNameOf(sid));
  if (cookie === undefined) throw invalidGrant('unknown');
  const parsed = parseRefreshToken(cookie.value, keyRing);
  // The answer must be about the session that was asked for.
  if (parsed.kind === 'genuine' && parsed.token.sid !== sid) throw invalidGrant('unknown');
  return cookie;
}
