/** One challenge of a `WWW-Authenticate` field. Its parameters are written in the order of these members. */
export type Challenge = {
  readonly scheme: 'Basic' | 'Bearer' | 'DPoP';
  readonly realm?: string | undefined;
  /** A code of RFC 6750 §3.1, RFC 9449 §12.2 or RFC 9470 §3. */
  readonly error?: string | undefined;
  readonly errorDescription?: string | undefined;
  readonly scope?: readonly string[] | undefined;
  /** Sufficient authentication classes, in order of preference: RFC 9470 §3. */
  readonly acrValues?: readonly string[] | undefined;
  /** RFC 9470 §3. */
  readonly maxAgeSeconds?: number | undefined;
  /** Signature algorithms of DPoP proofs: RFC 9449 §7.1. */
  readonly algs?: readonly string[] | undefined;
  /** Our addition: detail of the error, for programs. */
  readonly reason?: string | undefined;
  /** URL of the protected resource's metadata: RFC 9728 §5.1. */
  readonly resourceMetadata?: string | undefined;
};

/** Writes the value of a `WWW-Authenticate` field. @see RFC 9110 §11.6.1 */
export function formatChallenges(...challenges: readonly Challenge[]): string {
  return challenges.map(formatChallenge).join(', ');
}

function formatChallenge(challenge: Challenge): string {
  const { scheme, realm, error, errorDescription, scope, acrValues, maxAgeSeconds, algs, reason } = challenge;
  const parameters = {
    realm,
    error,
    error_description: errorDescription,
    scope: scope?.join(' '),
    acr_values: acrValues?.join(' '),
    max_age: maxAgeSeconds?.toString(),
    algs: algs?.join(' '),
    reason,
    resource_metadata: challenge.resourceMetadata,
  };
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quote(value)}`],
  );
  return written.length === 0 ? scheme : `${scheme} ${written.join(', ')}`;
}

const UNPRINTABLE = /[^\u0020-\u007E]/g;

/**
 * Writes a quoted-string. Control characters end or split a header and others have no defined encoding: each becomes a
 * space.
 *
 * @see RFC 9110 §5.5, §5.6.4
 */
function quote(value: string): string {
  return `"${value.replaceAll(UNPRINTABLE, ' ').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
