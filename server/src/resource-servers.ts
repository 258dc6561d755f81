import { createHash } from 'node:crypto';

/** A resource server that may ask this server about tokens. */
export interface ResourceServerRegistration {
  /** As which it authenticates: 1 to 255 visible ASCII characters. */
  readonly id: string;
  /** At least 32 bytes, from a random source; no other resource server's. */
  readonly secret: string;
}

/** Registered resource servers, by a hash of their secrets: no secret is kept, and looking one up tells no time. */
export interface ResourceServers {
  /** Finds whose secret it is. @param id when the caller gave one; it must be the owner's */
  readonly find: (secret: string, id: string | null) => string | null;
  readonly isEmpty: boolean;
}

const ID = /^[\x20-\x7E]{1,255}$/;
const MINIMUM_SECRET_BYTES = 32;

/**
 * Checks registrations and indexes them.
 *
 * @throws TypeError that names the resource server and the field, never the secret
 */
export function registerResourceServers(registrations: readonly ResourceServerRegistration[]): ResourceServers {
  const ids = new Map<string, string>();
  for (const { id, secret } of registrations) {
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
  }
  return {
    isEmpty: ids.size === 0,
    find: (secret, id) => {
      const owner = ids.get(hashOf(secret)) ?? null;
      return id === null || id === owner ? owner : null;
    },
  };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
