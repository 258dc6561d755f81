import { AuthorizationServerUnavailable, fetchJson, isSafeUrl, type Fetch } from '../kernel/fetch-json.ts';
import { pause } from '../kernel/pause.ts';

/** Options of {@link followRevocations}: the server and the credentials. */
export type RevocationFollowerOptions = {
  /** The authorization server: an origin such as `https://id.example`. https, or http on the loopback interface. */
  readonly issuer: string;
  /** The id of this resource server, as registered in `resourceServers`. */
  readonly id: string;
  readonly secret: string;
  /** Maximum seconds that the server may hold a request open. Default: 25, less than most proxies allow. */
  readonly waitSeconds?: number;
  /** Called after each failed read of the feed; the follower then tries again. */
  readonly onFailure?: (failure: Error) => void;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
};

/** Known ended sessions, kept up to date in the background. */
export type RevocationFollower = {
  /** True if the session is known to have ended. */
  readonly isRevoked: (sid: string) => boolean;
  /**
   * Seconds since the last answer of the feed; Infinity before the first. Rises to `waitSeconds` in normal operation.
   */
  readonly ageSeconds: () => number;
  /** Resolves once the follower knows every ended session with a live access token. Await it before taking requests. */
  readonly ready: Promise<void>;
  /** Stops following. Idempotent. */
  readonly close: () => void;
};

/** Network allowance beyond the server's own wait. */
const GRACE_MS = 10_000;
const BYTES = 4_194_304;
const BACK_OFF_MS = { least: 1_000, most: 30_000 } as const;

type News = {
  readonly revoked: readonly { readonly sid: string; readonly exp: number }[];
  readonly cursor: string;
  readonly isMore: boolean;
};

/**
 * Follows the revocation feed of a Holdfast server, so that access tokens of an ended session stop within seconds.
 *
 * Keeps only sessions whose access tokens may still be valid. After a restart the first reads of the feed restore them.
 *
 * @throws TypeError for a wrong option
 */
export function followRevocations(options: RevocationFollowerOptions): RevocationFollower {
  const { issuer, id, secret, waitSeconds = 25, onFailure = () => {}, fetch = globalThis.fetch } = options;
  if (!isSafeUrl(issuer)) throw new TypeError('options.issuer is an https URL');
  const authorization = `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
  const closing = new AbortController();
  let becomeReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  const expiries = new Map<string, number>();
  let cursor: string | null = null;
  let answeredAtMs = -Infinity;

  const read = async (): Promise<void> => {
    const form = new URLSearchParams(cursor === null ? {} : { after: cursor, wait: String(waitSeconds) });
    const limits = { timeoutMs: waitSeconds * 1_000 + GRACE_MS, bytes: BYTES, signal: closing.signal };
    const { body } = await fetchJson(fetch, `${issuer}/revocations`, limits, {
      headers: { authorization },
      form,
    });
    const news = readNews(body);
    for (const { sid, exp } of news.revoked) expiries.set(sid, exp);
    cursor = news.cursor;
    answeredAtMs = performance.now();
    forgetExpired(expiries);
    if (!news.isMore) becomeReady();
  };
  const follow = async (): Promise<void> => {
    for (let failures = 0; !closing.signal.aborted;) {
      try {
        await read();
        failures = 0;
      } catch (failure) {
        if (closing.signal.aborted) return;
        onFailure(failure instanceof Error ? failure : new Error('the feed could not be read'));
        // Drop the cursor: another primary with its own clock and order may have taken over.
        cursor = null;
        await pause(backOffMs(failures++), closing.signal);
      }
    }
  };
  void follow();
  return {
    isRevoked: (sid) => expiries.has(sid),
    ageSeconds: () => (performance.now() - answeredAtMs) / 1_000,
    ready,
    close: () => closing.abort(),
  };
}

/** @throws AuthorizationServerUnavailable */
function readNews(body: Readonly<Record<string, unknown>>): News {
  const { revoked, cursor, more } = body;
  if (!Array.isArray(revoked) || typeof cursor !== 'string') {
    throw new AuthorizationServerUnavailable('the answer is no list of revocations');
  }
  const entries = (revoked as readonly unknown[]).map((entry) => {
    const { sid, exp } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof sid !== 'string' || typeof exp !== 'number') {
      throw new AuthorizationServerUnavailable('the answer is no list of revocations');
    }
    return { sid, exp };
  });
  return { revoked: entries, cursor, isMore: more === true };
}

/**
 * Drops expired entries. `exp` has a margin for clocks that differ. Entries come nearly in order of time, so the search
 * stops at the first live one.
 */
function forgetExpired(expiries: Map<string, number>): void {
  const nowSeconds = Date.now() / 1_000;
  for (const [sid, exp] of expiries) {
    if (exp >= nowSeconds) return;
    expiries.delete(sid);
  }
}

/** Doubles with every failure. The jitter spreads followers that were cut off together. */
function backOffMs(failures: number): number {
  const longest = Math.min(BACK_OFF_MS.least * 2 ** failures, BACK_OFF_MS.most);
  return longest * (0.5 + Math.random() / 2);
}
