import { createHash } from 'node:crypto';
import { audienceKey, isSameAudience, readAudiences, type AudienceSet, type ServerAudiences } from './audiences.ts';

/** A resource server that may ask this server about tokens. */
export type ResourceServerRegistration = {
  /** As which it authenticates: 1 to 255 visible ASCII characters. */
  readonly id: string;
  /** At least 32 bytes, from a random source; no other resource server's. */
  readonly secret: string;
  /** Its audiences: it is told about tokens for these alone. Default: the server's default audience. */
  readonly audiences?: readonly string[];
};

/** Registered resource servers, by a hash of their secrets: no secret is kept, and looking one up tells no time. */
export type ResourceServers = {
  /** Finds whose secret it is. @param id when the caller gave one; it must be the owner's */
  readonly find: (secret: string, id: string | null) => string | null;
  /** The audiences of a registered one; empty for any other id. */
  readonly audiencesOf: (id: string) => AudienceSet;
  readonly isEmpty: boolean;
};

const ID = /^[\x20-\x7E]{1,255}$/;
const MINIMUM_SECRET_BYTES = 32;

/**
 * Checks registrations and indexes them.
 *
 * The issuer's audience is nobody's: a resource server that may receive such tokens could act on the user's account with them.
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
