import { hkdfSync, randomBytes } from 'node:crypto';
import { createDpopNonces } from '../dpop/dpop-nonce.ts';
import { createProofVerifier, type ProofVerifier } from '../dpop/dpop.ts';
import { PROOF_ALGORITHMS } from '../dpop/proof-key.ts';
import {
  readAuthorization,
  tokenForAnother,
  tokenInvalid,
  tokenMissing,
  toTokenRefusal,
  type TokenFault,
  type TokenRefusalError,
} from '../dpop/token-binding.ts';
import { formatChallenges } from '../kernel/challenge.ts';
import { AuthorizationServerUnavailable, isSafeUrl, type Fetch } from '../kernel/fetch-json.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { isAudience, isSameAudience } from '../registrations/audiences.ts';
import { parseScope, isOrigin } from '../registrations/clients.ts';
import type { AccessTokenClaims } from '../tokens/access-token.ts';
import { requireAuthentication, type AuthenticationRequirement } from '../tokens/step-up.ts';
import { createKeySet } from './key-set.ts';
import type { RevocationFollower } from './revocation-follower.ts';
import { verifyToken, type TokenExpectation } from './token.ts';

/** Algorithms that Holdfast signs access tokens with. */
export type TokenAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

/** Options of {@link createResourceGuard}: issuer and audience are required. */
export type ResourceGuardOptions = {
  /** The authorization server's issuer identifier from its metadata: an origin such as `https://id.example`. */
  readonly issuer: string;
  /**
   * The audience that tokens must have: the `audience` option of the server, or one that its clients request with
   * `resource`. Never the issuer: tokens for it open the user's account, and no API may receive them.
   */
  readonly audience: string;
  /**
   * The origin of this resource server as clients see it, behind any proxy. Default: the audience's origin, if it is a
   * URL.
   */
  readonly origin?: string;
  /** URL of the issuer's keys. Default: `jwks_uri` of its metadata. https, or http on the loopback interface. */
  readonly jwksUri?: string;
  /** Accepted signature algorithms. Default: all that Holdfast signs with. */
  readonly algorithms?: readonly TokenAlgorithm[];
  /** Seconds that a token is accepted past its expiry, because clocks differ. Default: 5. */
  readonly clockToleranceSeconds?: number;
  /** Knows the ended sessions; see {@link followRevocations}. Without it a token is valid until it expires. */
  readonly revocations?: Pick<RevocationFollower, 'isRevoked' | 'ageSeconds'>;
  /**
   * Maximum age in seconds of the last feed response; older news make every request fail with 503. Default: no maximum,
   * because an outage of the feed would otherwise stop everything, and tokens expire anyway.
   */
  readonly maximumRevocationAgeSeconds?: number;
  /** True if every token must be bound to a key. Default: false. A bound token needs its proof in any case. */
  readonly isDpopRequired?: boolean;
  /**
   * At least 32 random bytes, the same on every node. Proofs must then carry our nonce. Default: `iat` proves
   * freshness.
   */
  readonly dpopNonceSecret?: string;
  /**
   * `shared`: a nonce is valid at every node that has the secret. A proof used at one node can be replayed at another,
   * or after a restart, while its nonce or `iat` is valid. `node`: proofs must carry a nonce of this process, without a
   * secret. No proof is then used twice, but a load balancer must keep each client at its node. Default: `shared`.
   */
  readonly dpopNonceScope?: 'shared' | 'node';
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
};

/** The requirements of an endpoint for a request's access token. */
export type ResourceRequirement = {
  /** Scope values that the token must have, all of them. */
  readonly scope?: readonly string[];
} & AuthenticationRequirement;

/** A request to a resource server, as plain data. */
export type ResourceRequest = {
  readonly method: string;
  /** Path and query as sent, such as `/notes?page=2`. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
};

/** The guard's verdict on a request. */
export type ResourceVerdict =
  | { readonly ok: true; readonly claims: AccessTokenClaims }
  | {
      readonly ok: false;
      /** 401: a new token or authentication is needed. 403: the token needs more scope. 503: try again. */
      readonly status: 401 | 403 | 503;
      /** `WWW-Authenticate`, `DPoP-Nonce`, `Retry-After`; names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
      /** RFC 6750 §3.1, RFC 9449 §12.2, RFC 9470 §3; null if the request had no token. */
      readonly error: string | null;
    };

/**
 * Protects the endpoints of a resource server.
 *
 * @see RFC 6750, RFC 9449 §7, RFC 9470
 */
export type ResourceGuard = {
  /** Judges a request by its access token. No request content makes it throw. */
  readonly check: (request: ResourceRequest, requirement?: ResourceRequirement) => Promise<ResourceVerdict>;
};

/**
 * Guards the endpoints of a resource server: RFC 9068 access tokens, DPoP, scope, step-up and ended sessions.
 *
 * Needs no database. The first token triggers the fetch of the keys; concurrent requests share one fetch.
 *
 * @throws TypeError for a wrong option
 */
export function createResourceGuard(options: ResourceGuardOptions): ResourceGuard {
  const { issuer, audience, origin, jwksUri, algorithms, isDpopRequired, revocations } = checkOptions(options);
  const { clockToleranceSeconds = DEFAULT_POLICY.clockToleranceSeconds, fetch = globalThis.fetch } = options;
  const keys = createKeySet({ issuer, jwksUri, fetch, monotonicMs: () => performance.now() });
  const proofs = createProofs(options, clockToleranceSeconds);
  const expectation: TokenExpectation = { issuer, audience, algorithms, clockToleranceSeconds };
  const maximumAgeSeconds = options.maximumRevocationAgeSeconds ?? Infinity;

  const check = async (request: ResourceRequest, requirement: ResourceRequirement): Promise<ResourceVerdict> => {
    const presented = readAuthorization(request.authorization);
    if (presented === null) return refuse(isDpopRequired ? tokenMissing('DPoP') : tokenMissing('Bearer', 'DPoP'));
    const { scheme, token } = presented;
    const claims = await verifyToken(token, expectation, keys, Date.now() / 1_000);
    if (claims === null) return refuse(tokenInvalid(scheme));
    if (claims === 'other-audience') return refuse(tokenForAnother(scheme));
    const jkt = claims.cnf?.jkt ?? null;
    if (jkt === null && isDpopRequired) return refuse(tokenInvalid('DPoP'));
    // A bound token without a proof may be stolen. An unbound token comes without a proof (RFC 9449 §7.1, §7.2).
    if ((jkt === null) !== (scheme === 'Bearer')) return refuse(tokenInvalid(jkt === null ? 'Bearer' : 'DPoP'));
    const fault = jkt === null ? null : checkProof(request, origin, { token, jkt }, proofs);
    if (fault !== null) return refuse(fault);
    if (revocations?.isRevoked(claims.sid)) return refuse(tokenInvalid(scheme));
    if ((revocations?.ageSeconds() ?? 0) > maximumAgeSeconds) return unavailable();
    return checkRequirement(claims, requirement, clockToleranceSeconds);
  };
  return {
    check: async (request, requirement = {}) => {
      try {
        return await check(request, requirement);
      } catch (thrown) {
        if (thrown instanceof AuthorizationServerUnavailable) return unavailable();
        throw thrown;
      }
    },
  };
}

const TOKEN_ALGORITHMS: readonly TokenAlgorithm[] = ['ES256', 'EdDSA', 'RS256'];
const MINIMUM_SECRET_BYTES = 32;

/** The checked options with their defaults. */
type CheckedOptions = {
  readonly origin: string;
  readonly jwksUri: string | null;
  readonly algorithms: ReadonlySet<string>;
  readonly isDpopRequired: boolean;
} & Pick<ResourceGuardOptions, 'issuer' | 'audience' | 'revocations'>;

function checkOptions(options: ResourceGuardOptions): CheckedOptions {
  const {
    issuer,
    audience,
    jwksUri = null,
    algorithms = TOKEN_ALGORITHMS,
    isDpopRequired = false,
    revocations,
  } = options;
  if (!isOrigin(issuer) || !isSafeUrl(issuer)) throw new TypeError('options.issuer is an https origin without a path');
  if (!isAudience(audience)) throw new TypeError('options.audience is missing, or no URL without a fragment');
  if (isSameAudience(audience, issuer)) {
    throw new TypeError('options.audience is the issuer, whose tokens are for its own account endpoints alone');
  }
  if (jwksUri !== null && !isSafeUrl(jwksUri)) throw new TypeError('options.jwksUri is an https URL');
  const origin = options.origin ?? (URL.canParse(audience) ? new URL(audience).origin : '');
  if (!isOrigin(origin)) throw new TypeError('options.origin is this server as clients know it: https://api.example');
  if (algorithms.length === 0 || !algorithms.every((algorithm) => TOKEN_ALGORITHMS.includes(algorithm))) {
    throw new TypeError(`options.algorithms are some of ${TOKEN_ALGORITHMS.join(', ')}`);
  }
  return {
    issuer,
    audience,
    origin,
    jwksUri,
    algorithms: new Set(algorithms),
    isDpopRequired,
    ...(revocations && { revocations }),
  };
}

function createProofs(
  { dpopNonceSecret: nonceSecret, dpopNonceScope = 'shared' }: ResourceGuardOptions,
  clockToleranceSeconds: number,
): ProofVerifier {
  if (dpopNonceScope !== 'shared' && dpopNonceScope !== 'node') {
    throw new TypeError("options.dpopNonceScope is 'shared' or 'node'");
  }
  if (nonceSecret !== undefined && Buffer.byteLength(nonceSecret) < MINIMUM_SECRET_BYTES) {
    throw new TypeError(`options.dpopNonceSecret is at least ${MINIMUM_SECRET_BYTES} bytes, from a random source`);
  }
  const policy = { ...DEFAULT_POLICY, clockToleranceSeconds };
  const shared =
    nonceSecret === undefined
      ? null
      : Buffer.from(hkdfSync('sha256', nonceSecret, '', 'holdfast/v1/resource server DPoP nonce', 32));
  const key = dpopNonceScope === 'node' ? randomBytes(32) : shared;
  return createProofVerifier({
    nonces: key === null ? null : createDpopNonces([key], policy.dpopNoncePeriodSeconds, Date.now),
    isNonceRequired: key !== null,
    policy,
    now: Date.now,
  });
}

/** @see RFC 9449 §7.1, §9 */
function checkProof(
  { method, target, dpop }: ResourceRequest,
  origin: string,
  { token, jkt }: { readonly token: string; readonly jkt: string },
  proofs: ProofVerifier,
): TokenFault | null {
  const nonce = proofs.nonce();
  const refuseProof = (error: TokenRefusalError): TokenFault => ({
    error,
    challenges: [{ scheme: 'DPoP', error, algs: PROOF_ALGORITHMS }],
    ...(nonce !== null && { dpopNonce: nonce }),
  });
  if (dpop === undefined) return refuseProof('invalid_dpop_proof');
  const verdict = proofs.verify(dpop, { method, url: origin + target, accessToken: token });
  switch (verdict.kind) {
    case 'valid':
      return verdict.jkt === jkt ? null : tokenInvalid('DPoP');
    case 'invalid':
      return refuseProof('invalid_dpop_proof');
    case 'nonce_needed':
      return refuseProof('use_dpop_nonce');
  }
}

/** @see RFC 6750 §3.1, RFC 9470 §3 */
function checkRequirement(
  claims: AccessTokenClaims,
  requirement: ResourceRequirement,
  toleranceSeconds: number,
): ResourceVerdict {
  const granted = parseScope(claims.scope) ?? [];
  const { scope = [] } = requirement;
  if (!scope.every((value) => granted.includes(value))) {
    const scheme = claims.cnf === undefined ? 'Bearer' : 'DPoP';
    return challenged(403, 'insufficient_scope', formatChallenges({ scheme, error: 'insufficient_scope', scope }));
  }
  const challenge = requireAuthentication(claims, requirement, { toleranceSeconds });
  if (challenge === null) return { ok: true, claims };
  return challenged(401, 'insufficient_user_authentication', challenge.wwwAuthenticate);
}

function refuse(fault: TokenFault): ResourceVerdict {
  const { status, error = null, wwwAuthenticate, dpopNonce } = toTokenRefusal(fault);
  return challenged(status, error, wwwAuthenticate, dpopNonce);
}

function challenged(
  status: 401 | 403,
  error: string | null,
  wwwAuthenticate: string,
  dpopNonce?: string,
): ResourceVerdict {
  const nonce = dpopNonce === undefined ? {} : { 'dpop-nonce': dpopNonce };
  return { ok: false, status, headers: { ...nonce, 'www-authenticate': wwwAuthenticate }, error };
}

/** Answers 503: the token may be valid, so the client must keep it. */
function unavailable(): ResourceVerdict {
  return { ok: false, status: 503, headers: { 'retry-after': '1' }, error: 'temporarily_unavailable' };
}
