/**
 * The audience as it is compared: after URL parsing, so that `https://a` and `https://a/` are one. Names that are no URLs stay
 * as they are.
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

/** Visible characters: control characters and spaces are dropped or moved by URL parsing. */
const AUDIENCE = /^[^\s\p{Cc}]{1,1024}$/u;

/** Tells whether a configured value can be an audience: a URL without a fragment, or a name. @see RFC 8707 §2 */
export function isAudience(value: unknown): value is string {
  return typeof value === 'string' && AUDIENCE.test(value) && !value.includes('#');
}

/** The audiences that tokens of this server can have, apart from what single clients register. */
export type ServerAudiences = {
  /** The issuer: its account endpoints are the audience of the same name. */
  readonly issuer: string;
  /** `aud` of a token whose client asked for no `resource`. */
  readonly audience: string;
};

/** Audiences by {@link audienceKey}, as they were registered. */
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
