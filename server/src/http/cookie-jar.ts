import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { Client } from '../registrations/clients.ts';
import type { InspectedCopy } from '../sessions/requests.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { SessionRecord } from '../storage/store.ts';
import { invalidGrant, OAuthError, withErrorHeaders } from './answers.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import {
  clearCookie,
  cookieNameOf,
  readRefreshCookies,
  sortOut,
  type CookieJar,
  type RefreshCookie,
} from './refresh-cookies.ts';

/** The jar of clients without cookies. */
export const EMPTY_JAR: CookieJar = { genuine: [], undecided: [] };

type JarParts = Pick<EndpointParts, 'issuer' | 'keyRing'> & {
  readonly sessions: Pick<Sessions, 'findSuccessor' | 'inspectCopies' | 'revoke'>;
};

export function readJar({ headers }: HttpRequest, { issuer, keyRing }: JarParts): CookieJar {
  return sortOut(readRefreshCookies(headers['cookie'], issuer), issuer, keyRing);
}

/** Returns every genuine refresh token of the jar. */
export function copiesOf({ genuine }: CookieJar): readonly string[] {
  return genuine.map(({ cookie }) => cookie.value);
}

/** Finds the cookie of a session; null if the jar has none. */
export function findNamed({ genuine, undecided }: CookieJar, sid: string, issuer: string): RefreshCookie | null {
  const name = cookieNameOf(sid, issuer);
  const named = genuine.find((copy) => copy.sid === sid)?.cookie;
  return named ?? undecided.find((cookie) => cookie.name === name) ?? null;
}

/**
 * Chooses the cookie that a request refers to: the named session's, else the only live one. In each device chain only
 * the live session with the largest sequence counts.
 *
 * @param sid the session that the client names; null if it names none
 * @throws OAuthError `invalid_grant` if there is no such cookie, with the `successor` that took the named session's
 *   place; `invalid_request` with `sessions` if several are live
 */
export async function chooseCookie(
  jar: CookieJar,
  sid: string | null,
  client: Client,
  parts: JarParts,
): Promise<RefreshCookie> {
  const { genuine, undecided } = jar;
  if (sid !== null) {
    const named = findNamed(jar, sid, parts.issuer);
    if (named !== null) return named;
    const successor = await parts.sessions.findSuccessor(sid, client, copiesOf(jar));
    throw successor === null ? invalidGrant('unknown') : replaced(successor);
  }
  if (genuine.length <= 1) {
    const only = genuine[0]?.cookie ?? undecided[0];
    if (only === undefined) throw invalidGrant('unknown');
    return only;
  }
  const sids = newestOfChains(await parts.sessions.inspectCopies(copiesOf(jar)), client);
  if (sids.length > 1) {
    throw new OAuthError(400, 'invalid_request', 'There are several sessions: name one by sid', {
      members: { sessions: sids.toSorted() },
    });
  }
  const chosen = genuine.find((copy) => copy.sid === sids[0]) ?? genuine[0];
  if (chosen === undefined) throw invalidGrant('unknown');
  return chosen.cookie;
}

/** The named session has a successor in its chain: the client continues with it and does not ask the user. */
export function replaced(successor: string, headers: HttpResponse['headers'] = {}): OAuthError {
  return invalidGrant('replaced', headers, { successor });
}

/** Returns the live session with the largest sequence in each of the client's chains. */
function newestOfChains(copies: readonly InspectedCopy[], { clientId }: Client): readonly string[] {
  const newest = new Map<string, { readonly sid: string; readonly sequence: number }>();
  for (const { record, isAlive } of copies) {
    if (record === null || !isAlive || record.clientId !== clientId) continue;
    const chain = `${record.sub} ${record.deviceId}`;
    const { sid, deviceSequence: sequence } = record;
    if (sequence > (newest.get(chain)?.sequence ?? -Infinity)) newest.set(chain, { sid, sequence });
  }
  return [...newest.values()].map(({ sid }) => sid);
}

/** Maximum number of cookies that one response clears, because proxies limit the size of response headers. */
const CLEARED_AT_ONCE = 20;

/**
 * Adds `Set-Cookie` headers that clear the cookies of ended sessions, including those that this request ended.
 * Responses that ask the client to retry are left unchanged.
 *
 * @param answer produces the response or throws an OAuthError
 * @param isUse true if success shows that the cookie's session is live; a single cookie then needs no look-up
 */
export async function clearingDead(
  jar: CookieJar,
  parts: JarParts,
  answer: () => Promise<HttpResponse>,
  isUse = false,
): Promise<HttpResponse> {
  try {
    const response = await answer();
    if (isUse && jar.genuine.length <= 1) return response;
    return { ...response, headers: await clearDead(jar, response.headers, parts) };
  } catch (thrown) {
    if (!(thrown instanceof OAuthError) || thrown.status >= 429) throw thrown;
    throw withErrorHeaders(thrown, await clearDead(jar, thrown.headers, parts));
  }
}

async function clearDead(
  { genuine }: CookieJar,
  headers: HttpResponse['headers'],
  { sessions }: JarParts,
): Promise<HttpResponse['headers']> {
  const set = [headers['set-cookie'] ?? []].flat();
  const settled = new Set(set.map((field) => field.slice(0, field.indexOf('='))));
  const others = genuine.filter(({ cookie }) => !settled.has(cookie.name));
  if (others.length === 0) return headers;
  try {
    const inspected = await sessions.inspectCopies(others.map(({ cookie }) => cookie.value));
    const dead = new Set(inspected.flatMap(({ copy, isAlive }) => (isAlive ? [] : [copy])));
    const names = new Set(others.flatMap(({ cookie }) => (dead.has(cookie.value) ? [cookie.name] : [])));
    const isCleared = (field: string): boolean => field.includes('; Max-Age=0;');
    const room = CLEARED_AT_ONCE - set.filter(isCleared).length;
    const cleared = [...names].slice(0, room).map(clearCookie);
    return cleared.length === 0 ? headers : { ...headers, 'set-cookie': [...set, ...cleared] };
  } catch {
    // The response is correct without the clearing; the next response clears the cookies.
    return headers;
  }
}

/** Maximum number of live sessions of one user and client in one browser, including the newest. */
const SESSIONS_OF_BROWSER = 8;

/**
 * Ends a browser's surplus sessions. Keeps those with the highest `acr`, and among equals the most recently used. The
 * new session counts towards the limit. Never ends the replaced session, nor a session of another device with a higher
 * `acr`. The code is already exchanged, so a failure here does not fail the response; the next exchange tries again.
 */
export async function endSurplus(
  jar: CookieJar,
  session: SessionRecord,
  replaces: string | null,
  address: string,
  parts: JarParts,
): Promise<void> {
  // Each session has one cookie, so a jar this small has no surplus, live or not.
  if (jar.genuine.length < SESSIONS_OF_BROWSER) return;
  try {
    const { sub } = session;
    const live = (await parts.sessions.inspectCopies(copiesOf(jar)))
      .flatMap(({ record, isAlive }) => (record !== null && isAlive ? [record] : []))
      .filter((record) => record.sub === sub && record.clientId === session.clientId && record.sid !== session.sid)
      .toSorted(compareKept);
    const surplus = live.slice(SESSIONS_OF_BROWSER - 1).filter((record) => keptBecause(record) === 0);
    for (const { sid } of surplus) await parts.sessions.revoke(sid, 'limit', { sub, address });
  } catch {
    // Too many sessions are no reason to lose the new one.
  }

  /** 2: the replaced session; 1: a session of another device with a higher `acr`; 0: may be ended. */
  function keptBecause({ sid, acr, deviceId }: SessionRecord): number {
    if (sid === replaces) return 2;
    return acr > session.acr && deviceId !== session.deviceId ? 1 : 0;
  }
  function compareKept(a: SessionRecord, b: SessionRecord): number {
    const byRule = keptBecause(b) - keptBecause(a);
    if (byRule !== 0 || a.acr !== b.acr) return byRule || (a.acr > b.acr ? -1 : 1);
    const usedAtMs = (record: SessionRecord): number => record.lastUsedAtMs ?? record.deliveredAtMs;
    return usedAtMs(b) - usedAtMs(a) || b.deviceSequence - a.deviceSequence;
  }
}
