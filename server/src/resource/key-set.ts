import { isProofAlgorithm, readProofKey, type ProofAlgorithm } from '../dpop/proof-key.ts';
import {
  AuthorizationServerUnavailable,
  fetchJson,
  isSafeUrl,
  type Fetch,
  type JsonAnswer,
} from '../kernel/fetch-json.ts';

/** A published key that verifies access tokens. */
export type TokenKey = {
  readonly verify: (signed: string, signature: Buffer) => boolean;
};

/** The authorization server's keys, fetched when needed. */
export type KeySet = {
  /**
   * Finds the key with this id for this algorithm.
   *
   * @throws AuthorizationServerUnavailable if the key may exist and could not be fetched
   */
  readonly find: (kid: string, algorithm: ProofAlgorithm) => Promise<TokenKey | null>;
};

export type KeySetParts = {
  readonly issuer: string;
  /** Default: `jwks_uri` of the issuer's metadata (RFC 8414). */
  readonly jwksUri: string | null;
  readonly fetch: Fetch;
  /** A monotonic clock in milliseconds. */
  readonly monotonicMs: () => number;
};

/** Bounds on the response's own `max-age`, after which keys are fetched again. */
const FRESH_MS = { least: 60_000, most: 3_600_000 } as const;
/** Trust fetched keys for so long while the authorization server does not answer. */
const STALE_LIMIT_MS = 86_400_000;
/** Minimum interval between fetches. Anyone can send an unknown `kid`, and retries must not prolong an outage. */
const COOL_DOWN_MS = 5_000;
const LIMITS = { timeoutMs: 5_000, bytes: 65_536 } as const;
const MAXIMUM_KEYS = 64;

type Loaded = {
  readonly keys: ReadonlyMap<string, TokenKey>;
  readonly atMs: number;
  readonly freshMs: number;
};

/**
 * Keeps keys in memory and refreshes stale ones in the background. If a refresh fails, the old keys stay in use. An
 * unknown key id triggers a fetch at once, within the minimum interval.
 *
 * @see RFC 7517 §5
 */
export function createKeySet({ issuer, jwksUri, fetch, monotonicMs }: KeySetParts): KeySet {
  let location = jwksUri;
  let loaded: Loaded | null = null;
  let attempt: { readonly atMs: number; readonly result: Promise<Loaded> } | null = null;

  const load = async (): Promise<Loaded> => {
    location ??= await discover(issuer, fetch);
    const headers = { accept: 'application/jwk-set+json, application/json' };
    const answer = await fetchJson(fetch, location, LIMITS, { headers });
    loaded = { keys: readKeys(answer.body['keys']), atMs: monotonicMs(), freshMs: freshnessOf(answer) };
    return loaded;
  };
  /** Joins the attempt under way or a recent one; a new attempt would learn nothing more. */
  const refresh = (): Promise<Loaded> => {
    const nowMs = monotonicMs();
    if (attempt === null || nowMs - attempt.atMs >= COOL_DOWN_MS) {
      attempt = { atMs: nowMs, result: load() };
      // Callers await the result. A background refresh has no caller and fails silently.
      attempt.result.catch(() => {});
    }
    return attempt.result;
  };
  return {
    find: async (kid, algorithm) => {
      const name = nameOf(kid, algorithm);
      const ageMs = loaded === null ? Infinity : monotonicMs() - loaded.atMs;
      const known = ageMs < STALE_LIMIT_MS ? loaded?.keys.get(name) : undefined;
      if (known === undefined) return (await refresh()).keys.get(name) ?? null;
      if (loaded !== null && ageMs >= loaded.freshMs) void refresh();
      return known;
    },
  };
}

/** @throws AuthorizationServerUnavailable */
async function discover(issuer: string, fetch: Fetch): Promise<string> {
  const { body } = await fetchJson(fetch, `${issuer}/.well-known/oauth-authorization-server`, LIMITS);
  const { jwks_uri: jwksUri } = body;
  // RFC 8414 §3.3: metadata with another `issuer` belongs to another server.
  if (body['issuer'] !== issuer || typeof jwksUri !== 'string' || !isSafeUrl(jwksUri)) {
    throw new AuthorizationServerUnavailable('the metadata is not that of the issuer');
  }
  return jwksUri;
}

/** Reads the keys, each for the one algorithm that it names. Skips entries that are no sound signature key. */
function readKeys(keys: unknown): ReadonlyMap<string, TokenKey> {
  if (!Array.isArray(keys)) throw new AuthorizationServerUnavailable('the answer is no key set');
  const read = new Map<string, TokenKey>();
  for (const jwk of keys.slice(0, MAXIMUM_KEYS) as readonly unknown[]) {
    if (typeof jwk !== 'object' || jwk === null) continue;
    const { kid, alg, use } = jwk as Readonly<Record<string, unknown>>;
    if (typeof kid !== 'string' || !isProofAlgorithm(alg) || (use !== undefined && use !== 'sig')) continue;
    const key = readProofKey(jwk, alg);
    if (key !== null) read.set(nameOf(kid, alg), key);
  }
  return read;
}

function nameOf(kid: string, algorithm: ProofAlgorithm): string {
  return `${algorithm} ${kid}`;
}

function freshnessOf({ headers }: JsonAnswer): number {
  const [, seconds] = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(headers.get('cache-control') ?? '') ?? [];
  return Math.min(Math.max(Number(seconds ?? 0) * 1_000, FRESH_MS.least), FRESH_MS.most);
}
