import { createHash } from 'node:crypto';
import type { KeyRing } from '../kernel/key-ring.ts';
import { parseRefreshToken } from '../tokens/refresh-token.ts';

/**
 * The cookies that carry refresh tokens. Each session has one of its own, so a late answer for one user never overwrites
 * the next user's, and one browser can hold several accounts. The issuer is in the name because browsers share cookies between
 * the ports of a host: two projects on localhost must not collide.
 */
const PREFIX = '__Host-holdfast-';
const ISSUER_DIGITS = 8;
const SID_DIGITS = 12;
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';

export type RefreshCookie = {
  readonly name: string;
  readonly value: string;
};

/** The refresh cookies that a request brought. What cannot be ours is not among them. */
export type CookieJar = {
  /** Cookies with a genuine tag, each under the name of its own session. */
  readonly genuine: readonly { readonly cookie: RefreshCookie; readonly sid: string }[];
  /** Of a key that is not on this node yet, or was given up: they get the answer of their own that the key gives. */
  readonly undecided: readonly RefreshCookie[];
};

/** The name of a session's cookie: 48 bits of its id tell a browser's sessions apart. */
export function cookieNameOf(sid: string, issuer: string): string {
  return prefixOf(issuer) + sid.replaceAll('-', '').slice(0, SID_DIGITS);
}

function prefixOf(issuer: string): string {
  return `${PREFIX}${createHash('sha256').update(issuer).digest('hex').slice(0, ISSUER_DIGITS)}-`;
}

/** `Set-Cookie` that stores a copy until the session's absolute lifetime ends. */
export function storeCookie(name: string, refreshToken: string, maxAgeSeconds: number): string {
  return `${name}=${refreshToken}; Max-Age=${maxAgeSeconds}; ${ATTRIBUTES}`;
}

/** `Set-Cookie` that removes one cookie. */
export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${ATTRIBUTES}`;
}

/**
 * Every cookie of a request whose name is one of ours, byte by byte.
 *
 * Other white space than SP and HTAB belongs to the name: a sibling domain can plant a cookie named U+00A0 and ours, which
 * Chromium does not take for one with the prefix `__Host-`.
 *
 * @see RFC 6265 §5.2, RFC 9110 §5.6.3
 */
export function readRefreshCookies(cookieHeader: string | undefined, issuer: string): readonly RefreshCookie[] {
  const prefix = prefixOf(issuer);
  const cookies: RefreshCookie[] = [];
  for (const pair of (cookieHeader ?? '').split(';')) {
    const at = pair.indexOf('=');
    const name = trim(pair.slice(0, Math.max(at, 0)));
    if (!name.startsWith(prefix) || !SID_PART.test(name.slice(prefix.length))) continue;
    cookies.push({ name, value: trim(pair.slice(at + 1)) });
  }
  return cookies;
}

const SID_PART = /^[0-9a-f]{12}$/;

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** Drops what has the name of another session than its own, and what this server did not mint. */
export function sortOut(cookies: readonly RefreshCookie[], issuer: string, keyRing: KeyRing): CookieJar {
  const genuine: { readonly cookie: RefreshCookie; readonly sid: string }[] = [];
  const undecided: RefreshCookie[] = [];
  for (const cookie of cookies) {
    const parsed = parseRefreshToken(cookie.value, keyRing);
    if (parsed.kind === 'genuine') {
      const { sid } = parsed.token;
      if (cookie.name === cookieNameOf(sid, issuer)) genuine.push({ cookie, sid });
    } else if (parsed.kind !== 'malformed') undecided.push(cookie);
  }
  return { genuine, undecided };
}
