import { createHash } from 'node:crypto';
import type { KeyRing } from '../kernel/key-ring.ts';
import { parseRefreshToken } from '../tokens/refresh-token.ts';

/**
 * Prefix of the cookies that carry refresh tokens. Each session has its own cookie. A late response for one user thus
 * never overwrites the next user's cookie, and one browser can hold several accounts. The name contains the issuer,
 * because browsers share cookies between the ports of a host: two projects on localhost must not collide.
 */
const PREFIX = '__Host-holdfast-';
const ISSUER_DIGITS = 8;
const SID_DIGITS = 12;
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';

export type RefreshCookie = {
  readonly name: string;
  readonly value: string;
};

/** The refresh cookies of a request, without those that cannot be ours. */
export type CookieJar = {
  /** Cookies with a genuine tag under their own session's name. */
  readonly genuine: readonly { readonly cookie: RefreshCookie; readonly sid: string }[];
  /** Cookies of a key that this node does not have yet or that is retired; the token parser answers each case. */
  readonly undecided: readonly RefreshCookie[];
};

/** Names a session's cookie. 48 bits of the `sid` distinguish a browser's sessions. */
export function cookieNameOf(sid: string, issuer: string): string {
  return prefixOf(issuer) + sid.replaceAll('-', '').slice(0, SID_DIGITS);
}

function prefixOf(issuer: string): string {
  return `${PREFIX}${createHash('sha256').update(issuer).digest('hex').slice(0, ISSUER_DIGITS)}-`;
}

/** `Set-Cookie` that stores a refresh token until the session's absolute lifetime ends. */
export function storeCookie(name: string, refreshToken: string, maxAgeSeconds: number): string {
  return `${name}=${refreshToken}; Max-Age=${maxAgeSeconds}; ${ATTRIBUTES}`;
}

/** `Set-Cookie` that removes one cookie. */
export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${ATTRIBUTES}`;
}

/**
 * Reads every cookie of a request whose name is byte for byte one of ours.
 *
 * Trims only SP and HTAB; other white space belongs to the name. A sibling domain can plant a cookie whose name is
 * U+00A0 followed by ours; Chromium does not apply the rules of the prefix `__Host-` to it.
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

/** Drops cookies under another session's name, and cookies that this server did not mint. */
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
