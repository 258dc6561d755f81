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
   * The key of this id, if it is one for this algorithm.
   *
   * @throws AuthorizationServerUnavailable when the key may exist and could not be fetched
   */
  readonly find: (kid: string, algorithm: ProofAlgorithm) => Promise<TokenKey | null>;
};

export type KeySetParts = {
  readonly issuer: string;
  /** Default: what the metadata of the issuer says (RFC 8414). */
  readonly jwksUri: string | null;
  readonly fetch: Fetch;
  /** A clock that never steps. */
  readonly monotonicMs: () => number;
};

/** Between these, the answer's own `max-age` says when keys are looked at again. */
const FRESH_MS = { least: 60_000, most: 3_600_000 } as const;
/** How long keys are trusted while the authorization server does not answer. */
const STALE_LIMIT_MS = 86_400_000;
/** Strangers can send any `kid`, and an outage must not be hammered: fetches are at least so far apart. */
const COOL_DOWN_MS = 5_000;
const LIMITS = { timeoutMs: 5_000, bytes: 65_536 } as const;
const MAXIMUM_KEYS = 64;

type Loaded = {
  readonly keys: ReadonlyMap<string, TokenKey>;
  readonly atMs: number;
  readonly freshMs: number;
};

/**
 * Keys in memory, fetched again when they are no longer fresh, without anybody waiting for it; when that fails the old ones
 * serve on. An unknown key id is looked up at once, but only now and then.
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
  /** Joins the attempt under way, or one so recent that another would be no wiser. */
  const refresh = (): Promise<Loaded> => {
    const nowMs = monotonicMs();
    if (attempt === null || nowMs - attempt.atMs >= COOL_DOWN_MS) {
      attempt = { atMs: nowMs, result: load() };
      // Whoever needs the result awaits it; a refresh that nobody waits for may fail in silence.
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
  // RFC 8414 §3.3: otherwise this is the metadata of somebody else.
  if (body['issuer'] !== issuer || typeof jwksUri !== 'string' || !isSafeUrl(jwksUri)) {
    throw new AuthorizationServerUnavailable('the metadata is not that of the issuer');
  }
  return jwksUri;
}

/** A key serves for the one algorithm that it names. What is no sound signature key is passed over. */
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
