import { createHash } from 'node:crypto';
import { audienceKey, isSameAudience, readAudiences, type AudienceSet, type ServerAudiences } from './audiences.ts';

/** A resource server that may introspect tokens and read the revocation feed. */
export type ResourceServerRegistration = {
  /** Id with which it authenticates: 1 to 255 printable ASCII characters. */
  readonly id: string;
  /** At least 32 bytes from a random source. Every resource server has its own. */
  readonly secret: string;
  /** Its audiences: introspection answers it about tokens for these only. Default: the server's default audience. */
  readonly audiences?: readonly string[];
};

/** Registered resource servers by a hash of their secrets: keeps no secret, and a lookup's time reveals none. */
export type ResourceServers = {
  /**
   * Finds the id of a secret's resource server.
   *
   * @param id the id from the caller, which must match; null if it sent none
   */
  readonly find: (secret: string, id: string | null) => string | null;
  /** The audiences of a registered resource server; empty for any other id. */
  readonly audiencesOf: (id: string) => AudienceSet;
  readonly isEmpty: boolean;
};

const ID = /^[\x20-\x7E]{1,255}$/;
const MINIMUM_SECRET_BYTES = 32;

/**
 * Checks registrations and indexes them.
 *
 * No resource server may have the issuer's audience: it could act on the user's account with such a token.
 *
 * @throws TypeError that names the resource server and the field, never the secret
 */
export function registerResourceServers(
  registrations: readonly ResourceServerRegistration[],
  { issuer, audience }: ServerAudiences,
): ResourceServers {
  if (registrations.length > 0 && isSameAudience(issuer, audience)) {
    throw new TypeError('options.audience is missing: tokens for resource servers are not for the issuer');
  }
  const ids = new Map<string, string>();
  const audiencesById = new Map<string, AudienceSet>();
  for (const { id, secret, audiences = [audience] } of registrations) {
    if (typeof id !== 'string' || !ID.test(id)) {
      throw new TypeError('resourceServers: an id is 1 to 255 visible ASCII characters');
    }
    const where = `resourceServers[${id}]`;
    if (typeof secret !== 'string' || Buffer.byteLength(secret) < MINIMUM_SECRET_BYTES) {
      throw new TypeError(`${where}.secret is at least ${MINIMUM_SECRET_BYTES} bytes, from a random source`);
    }
    if ([...ids.values()].includes(id)) throw new TypeError(`${where} is registered twice`);
    const hash = hashOf(secret);
    if (ids.has(hash)) throw new TypeError(`${where}.secret is another resource server's as well`);
    ids.set(hash, id);
    audiencesById.set(id, readOwnAudiences(audiences, issuer, where));
  }
  return {
    isEmpty: ids.size === 0,
    audiencesOf: (id) => audiencesById.get(id) ?? new Map(),
    find: (secret, id) => {
      const owner = ids.get(hashOf(secret)) ?? null;
      return id === null || id === owner ? owner : null;
    },
  };
}

function readOwnAudiences(audiences: readonly string[], issuer: string, where: string): AudienceSet {
  const own = readAudiences(audiences, `${where}.audiences`);
  if (own.has(audienceKey(issuer)))
    throw new TypeError(`${where}.audiences holds the issuer, whose tokens are not for it`);
  return own;
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
