import { SESSION_LIFETIMES, type SessionLifetimes } from '../kernel/policy.ts';
import { audienceKey, readAudiences, type AudienceSet, type ServerAudiences } from './audiences.ts';

/**
 * How a client receives its refresh token.
 *
 * - `cookie`: in an HttpOnly cookie, out of reach of page script. For browsers.
 * - `body`: in the JSON of the answer. For keychains and Node.
 */
export type RefreshTokenTransport = 'cookie' | 'body';

/**
 * A first-party public client. It has no secret (RFC 6749 §2.1). PKCE, refresh token rotation and, in browsers, the
 * origin check protect it.
 */
export type ClientRegistration = {
  readonly clientId: string;
  readonly refreshTokenTransport: RefreshTokenTransport;
  /** Scope values that the client may ask for. A sign-in that names none is granted all. */
  readonly scopes: readonly string[];
  /**
   * Audiences that the client may ask for with `resource` (RFC 8707), in addition to the server's default audience and
   * the issuer. Default: none.
   */
  readonly audiences?: readonly string[];
  /**
   * Origins (`https://app.example`) whose pages may call as this client, in addition to the issuer's. Default: none.
   */
  readonly origins?: readonly string[];
  /** True if the client must bind every session to a key with DPoP (RFC 9449 §5.2). Default: false, it may. */
  readonly dpopBoundAccessTokens?: boolean;
  /**
   * Lifetimes of this client's sessions: a NIST level, or seconds. Default: the policy's.
   */
  readonly sessionLifetimes?: keyof typeof SESSION_LIFETIMES | SessionLifetimes;
  /**
   * RP ID of the client's passkeys: a domain equal to the host of its origins or a parent of it. Passkeys work for
   * every client with the same RP ID. A later change loses them. Default: the issuer's host.
   */
  readonly rpId?: string;
  /** Origins of native apps that may use the passkeys, in Android's form: `android:apk-key-hash:…`. Default: none. */
  readonly appOrigins?: readonly string[];
};

/** The WebAuthn Relying Party of a client's passkeys. */
export type PasskeyRelyingParty = {
  readonly rpId: string;
  /** Origins that a ceremony may come from. */
  readonly origins: ReadonlySet<string>;
};

/** A checked registration, indexed for lookups. */
export type Client = {
  readonly clientId: string;
  readonly refreshTokenTransport: RefreshTokenTransport;
  readonly scopes: ReadonlySet<string>;
  /** Audiences that its tokens may have, the issuer included. */
  readonly audiences: AudienceSet;
  readonly origins: ReadonlySet<string>;
  readonly passkeys: PasskeyRelyingParty;
  /** True if a code is exchanged only with a DPoP proof. */
  readonly isProofRequired: boolean;
  readonly lifetimes: SessionLifetimes;
};

export type Clients = ReadonlyMap<string, Client>;

/** RFC 6749 §3.3: `scope-token`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/;
/** RFC 6749 Appendix A.1: `client-id` is printable ASCII, spaces included. */
const CLIENT_ID = /^[\x20-\x7E]{1,255}$/;

/**
 * Checks registrations and indexes them by `clientId`.
 *
 * @param server the issuer's origin and the default audience, allowed for every client
 * @param lifetimes for the sessions of clients that name none
 * @throws TypeError that names the client and the field
 */
export function registerClients(
  registrations: readonly ClientRegistration[],
  server: ServerAudiences,
  lifetimes: SessionLifetimes,
): Clients {
  const { issuer } = server;
  if (registrations.length === 0) throw new TypeError('options.clients is empty: nobody could sign in');
  const clients = new Map<string, Client>();
  for (const registration of registrations) {
    const {
      clientId,
      refreshTokenTransport,
      scopes,
      origins = [],
      dpopBoundAccessTokens = false,
      sessionLifetimes,
    } = registration;
    if (typeof clientId !== 'string' || !CLIENT_ID.test(clientId)) {
      throw new TypeError('clients: a clientId is 1 to 255 visible ASCII characters');
    }
    const where = `clients[${clientId}]`;
    if (clients.has(clientId)) throw new TypeError(`${where} is registered twice`);
    if (refreshTokenTransport !== 'cookie' && refreshTokenTransport !== 'body')
      throw new TypeError(`${where}.delivery is 'cookie' or 'body'`);
    for (const scope of scopes) {
      if (!SCOPE_TOKEN.test(scope))
        throw new TypeError(`${where}.scopes holds a value that RFC 6749 section 3.3 forbids`);
    }
    for (const origin of origins) {
      if (!isOrigin(origin))
        throw new TypeError(`${where}.origins holds a value that is no origin, such as https://app.example`);
    }
    clients.set(clientId, {
      clientId,
      refreshTokenTransport,
      scopes: new Set(scopes),
      audiences: audiencesOf(registration, server, where),
      origins: new Set([issuer, ...origins]),
      passkeys: resolveRelyingParty(registration, issuer, where),
      isProofRequired: dpopBoundAccessTokens,
      lifetimes: sessionLifetimes === undefined ? lifetimes : readLifetimes(sessionLifetimes, where),
    });
  }
  return clients;
}

function audiencesOf(
  { audiences = [] }: ClientRegistration,
  { issuer, audience }: ServerAudiences,
  where: string,
): AudienceSet {
  const common = [issuer, audience].map((each): [string, string] => [audienceKey(each), each]);
  return new Map([...readAudiences(audiences, `${where}.audiences`), ...common]);
}

const RP_ID = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const APP_ORIGIN = /^android:apk-key-hash:[A-Za-z0-9_-]{43}$/;

/** @see WebAuthn Level 3 §5.1.2, §13.4.9 */
function resolveRelyingParty(registration: ClientRegistration, issuer: string, where: string): PasskeyRelyingParty {
  const { rpId = new URL(issuer).hostname, origins = [], appOrigins = [] } = registration;
  if (!RP_ID.test(rpId)) throw new TypeError(`${where}.rpId is a domain in lower case, such as example.com`);
  if (!appOrigins.every((origin) => APP_ORIGIN.test(origin))) {
    throw new TypeError(`${where}.appOrigins holds a value that is not android:apk-key-hash: and a hash in base64url`);
  }
  const isWithin = (origin: string): boolean => {
    const { hostname } = new URL(origin);
    return hostname === rpId || hostname.endsWith(`.${rpId}`);
  };
  // An iOS app sends the RP ID's origin as its own.
  return { rpId, origins: new Set([`https://${rpId}`, ...[issuer, ...origins].filter(isWithin), ...appOrigins]) };
}

function readLifetimes(
  lifetimes: NonNullable<ClientRegistration['sessionLifetimes']>,
  where: string,
): SessionLifetimes {
  const named = typeof lifetimes === 'string' ? SESSION_LIFETIMES[lifetimes] : lifetimes;
  const { inactivityTimeoutSeconds, absoluteLifetimeSeconds } = named ?? {};
  if (!isDuration(inactivityTimeoutSeconds) || !isDuration(absoluteLifetimeSeconds)) {
    const names = Object.keys(SESSION_LIFETIMES).join(', ');
    throw new TypeError(`${where}.sessionLifetimes is one of ${names}, or whole seconds: both lifetimes, at least 1`);
  }
  return { inactivityTimeoutSeconds, absoluteLifetimeSeconds };
}

function isDuration(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** Checks that a string is exactly a web origin: scheme, host and port. */
export function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value;
}

/**
 * Splits a scope parameter into its values, without duplicates.
 *
 * @returns null if a value is malformed
 * @see RFC 6749 §3.3
 */
export function parseScope(scope: string): readonly string[] | null {
  const values = scope.split(' ');
  return values.every((value) => SCOPE_TOKEN.test(value)) ? [...new Set(values)] : null;
}
