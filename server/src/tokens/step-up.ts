import type { Scheme } from '../dpop/token-binding.ts';
import { formatChallenges } from '../kernel/challenge.ts';
import type { AccessTokenClaims } from './access-token.ts';

/**
 * Authentication context class references of this server, weakest first: NIST's authenticator assurance levels.
 *
 * - `aal1`: one factor, such as a password.
 * - `aal2`: a passkey with user verification, or two factors. A synced passkey is `aal2` at most.
 * - `aal3`: as `aal2`, with a key that cannot leave its device.
 *
 * @see NIST SP 800-63B-4 §2; RFC 9470 §4
 */
export const ACR_VALUES = ['aal1', 'aal2', 'aal3'] as const;
/** An assurance level of {@link ACR_VALUES}, as the `acr` of an access token names it. */
export type Acr = (typeof ACR_VALUES)[number];

/** Requirements on the user's last authentication. */
export type AuthenticationRequirement = {
  /** Sufficient classes, in order of preference. A stronger class than one of them is sufficient too. */
  readonly acrValues?: readonly string[];
  /** Longest time since the user authenticated, in seconds. */
  readonly maxAgeSeconds?: number;
};

/** A 401 as plain data. */
export type AuthenticationChallenge = {
  readonly ok: false;
  readonly status: 401;
  /** Value for `WWW-Authenticate`. */
  readonly wwwAuthenticate: string;
};

/**
 * Checks that class `acr` satisfies one of the wanted classes. Levels are ordered; an unknown value equals only itself.
 */
export function satisfiesAcr(acr: string, acrValues: readonly string[]): boolean {
  const rank = rankOf(acr);
  return acrValues.some((wanted) => wanted === acr || (rankOf(wanted) >= 0 && rankOf(wanted) <= rank));
}

/** Checks that this server knows one of these classes. */
export function isKnownAcr(acrValues: readonly string[]): boolean {
  return acrValues.some((wanted) => rankOf(wanted) >= 0);
}

function rankOf(acr: string): number {
  return (ACR_VALUES as readonly string[]).indexOf(acr);
}

/**
 * Checks how and when the user behind an access token authenticated.
 *
 * @param clock `nowSeconds`: this host's wall clock, default now; `toleranceSeconds`: how far it may be off, default 5
 * @returns null if it suffices; otherwise the 401 that makes a client authenticate its user again
 * @see RFC 9470 §3
 */
export function requireAuthentication(
  claims: Pick<AccessTokenClaims, 'acr' | 'auth_time' | 'cnf'>,
  requirement: AuthenticationRequirement,
  clock: { readonly nowSeconds?: number; readonly toleranceSeconds?: number } = {},
): AuthenticationChallenge | null {
  const { acrValues, maxAgeSeconds } = requirement;
  const { nowSeconds = Date.now() / 1_000, toleranceSeconds = 5 } = clock;
  const isStrong = acrValues === undefined || satisfiesAcr(claims.acr, acrValues);
  const isRecent = maxAgeSeconds === undefined || nowSeconds - claims.auth_time <= maxAgeSeconds + toleranceSeconds;
  if (isStrong && isRecent) return null;
  return insufficientUserAuthentication(requirement, claims.cnf === undefined ? 'Bearer' : 'DPoP');
}

/** @see RFC 9470 §3 */
function insufficientUserAuthentication(
  { acrValues, maxAgeSeconds }: AuthenticationRequirement,
  scheme: Scheme,
): AuthenticationChallenge {
  const error = 'insufficient_user_authentication';
  const errorDescription = 'A different or more recent authentication is needed';
  const wwwAuthenticate = formatChallenges({ scheme, error, errorDescription, acrValues, maxAgeSeconds });
  return { ok: false, status: 401, wwwAuthenticate };
}
