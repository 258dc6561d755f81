/**
 * Returns the form of an audience for comparisons. A URL is parsed, so that `https://a` and `https://a/` are equal. A
 * name that is no URL stays as it is.
 *
 * @see RFC 8707 §2; RFC 9068 §4
 */
export function audienceKey(audience: string): string {
  return URL.canParse(audience) ? new URL(audience).href : audience;
}

/** Compares two audiences after URL parsing. */
export function isSameAudience(one: string, other: string): boolean {
  return one === other || audienceKey(one) === audienceKey(other);
}

/** Visible characters only, because URL parsing drops or changes control characters and spaces. */
const AUDIENCE = /^[^\s\p{Cc}]{1,1024}$/u;

/** Checks that a configured value can be an audience: a URL without a fragment, or a name. @see RFC 8707 §2 */
export function isAudience(value: unknown): value is string {
  return typeof value === 'string' && AUDIENCE.test(value) && !value.includes('#');
}

/** The audiences of this server's tokens for every client. A client may register more. */
export type ServerAudiences = {
  /** The issuer, which is also the audience of its account endpoints. */
  readonly issuer: string;
  /** `aud` of a token if the client asks for no `resource`. */
  readonly audience: string;
};

/** Registered audiences by their {@link audienceKey}. */
export type AudienceSet = ReadonlyMap<string, string>;

/**
 * Indexes registered audiences.
 *
 * @param where names the option in the error
 * @throws TypeError
 */
export function readAudiences(audiences: unknown, where: string): AudienceSet {
  if (!Array.isArray(audiences) || !audiences.every(isAudience)) {
    throw new TypeError(`${where} is a list of audiences, such as https://api.example, without a fragment`);
  }
  return new Map(audiences.map((audience) => [audienceKey(audience), audience]));
}
