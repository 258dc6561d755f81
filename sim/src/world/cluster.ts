import type { EndpointParts } from '../../../server/src/http/endpoint-parts.ts';
import type { HoldfastFact } from '../../../server/src/kernel/events.ts';
import type { HttpRequest, HttpResponse } from '../../../server/src/kernel/http-message.ts';
import { createKeyRing, type KeyRing } from '../../../server/src/kernel/key-ring.ts';
import type { Policy, SessionLifetimes } from '../../../server/src/kernel/policy.ts';
import { registerClients, type Clients } from '../../../server/src/registrations/clients.ts';
import { createAuthorizationCodes } from '../../../server/src/sessions/authorization-codes.ts';
import type { MassEndings } from '../../../server/src/sessions/mass-endings.ts';
import { createSessions } from '../../../server/src/sessions/sessions.ts';
import type { MassEndingStore } from '../../../server/src/storage/subject-store.ts';
import type { AccessTokens } from '../../../server/src/tokens/access-token.ts';
import type { Random } from '../sandbox/random.ts';
import type { Scheduler } from '../sandbox/scheduler.ts';
import type { Connection } from './database.ts';
import { answer, type Authenticate } from './gateway.ts';
import type { Tables } from './session-table.ts';

export const ISSUER = 'https://id.example';
/** Audiences of ordinary tokens and of another API. Account endpoints accept only tokens for the issuer. */
export const API = 'https://api.example';
export const FILES = 'https://files.example';
export const CLIENTS = { cookie: 'web', body: 'app' } as const;

/** Users of the world, by username. Passwords have a mark, so that a scan finds one in a log. */
export const USERS = {
  ada: { sub: '00000000-0000-4000-8000-00000000000a', password: 'secret-password-of-ada' },
  bob: { sub: '00000000-0000-4000-8000-00000000000b', password: 'secret-password-of-bob' },
} as const;
export type UserName = keyof typeof USERS;

/** The claims of an access token. In the simulator a token is a name in a table and has no signature. */
export type AccessGrant = {
  readonly sub: string;
  readonly sid: string;
  readonly expiresAtMs: number;
  readonly audience: string;
  /** When the user authenticated. */
  readonly authTimeMs: number;
};

/** Marks every access token of the world. */
const ACCESS_TOKEN_PREFIX = 'secret-access-';

/** Several server nodes, each with the real endpoints, decision and batches. */
export type Cluster = {
  /** Answers a request; the promise never settles if the node dies. `null` if no node is alive. */
  handle(request: HttpRequest): Promise<HttpResponse> | null;
  /** Kills a node; it comes back after a while. @returns false if no node was alive */
  kill(): boolean;
  /** Kills the node of a connection. @returns false if the node is not alive with this connection */
  killOwner(by: Connection): boolean;
  rollOverKeys(): void;
  /** Ends a session's chain, as an administrator does. @returns false if no node is alive */
  revoke(sid: string): boolean;
  /**
   * Returns the claims of an access token, as a resource server reads them; `null` if the token is unknown or has
   * expired.
   */
  verify(accessToken: string): AccessGrant | null;
};

export type ClusterParts = {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly policy: Policy;
  readonly tables: Tables;
  readonly nodes: number;
  readonly onFact: (fact: HoldfastFact) => void;
  readonly onTokens: (request: HttpRequest, response: HttpResponse, by: Connection) => void;
  /** The server answered with an internal error (500). */
  readonly onBug: (text: string) => void;
};

type Node = {
  readonly name: string;
  /** The connection of the running process; a new one after every restart. */
  connection: { alive: boolean } & Connection;
  parts: EndpointParts;
  minting: number;
  accepting: number;
};

const masterSecret = (serial: number): string => `master secret ${serial} of the simulated servers`;

const rings = new Map<string, KeyRing>();

/** Caches key rings: deriving keys is slow, and gives the same keys in every world. */
function ringOf(minting: number, accepting: number): KeyRing {
  const name = `${minting}/${accepting}`;
  const known = rings.get(name);
  if (known !== undefined) return known;
  const others = Array.from({ length: Math.max(minting, accepting) + 1 }, (_, serial) => serial);
  const ring = createKeyRing(masterSecret(minting), others.filter((serial) => serial !== minting).map(masterSecret));
  rings.set(name, ring);
  return ring;
}

function simulateAccessTokens({ scheduler, policy }: ClusterParts, grants: Map<string, AccessGrant>): AccessTokens {
  const played: Partial<AccessTokens> = {
    prepare: (audience = API) => ({
      audience,
      issue: (session) => {
        const remainingSeconds = Math.floor((session.expiresAtMs - session.nowMs) / 1_000);
        const expiresInSeconds = Math.max(1, Math.min(policy.accessTokenLifetimeSeconds, remainingSeconds));
        const accessToken = `${ACCESS_TOKEN_PREFIX}${grants.size + 1}`;
        const expiresAtMs = scheduler.nowMs() + expiresInSeconds * 1_000;
        const authTimeMs = session.authTimeSeconds * 1_000;
        grants.set(accessToken, { sub: session.sub, sid: session.sid, expiresAtMs, audience, authTimeMs });
        return { accessToken, expiresInSeconds };
      },
    }),
  };
  return played as AccessTokens;
}

function startProcess(node: Node, parts: ClusterParts, accessTokens: AccessTokens): void {
  const connection = { alive: true, isAlive: () => connection.alive };
  node.connection = connection;
  const { policy, tables, onFact } = parts;
  const store = tables.connect(connection);
  const keyRing = ringOf(node.minting, node.accepting);
  const report = (fact: HoldfastFact): void => {
    if (connection.alive) onFact(fact);
  };
  const endMany = endManyBy(store.endings, report);
  const sessions = createSessions({ store: store.sessions, endMany, keyRing, policy, report });
  const { findLive } = store.sessions;
  // Signing keys are not simulated, because access tokens are names here.
  const played: Partial<EndpointParts> = {
    issuer: ISSUER,
    clients: clientsOf(policy),
    policy,
    keyRing,
    accessTokens,
    codes: createAuthorizationCodes({
      codes: store.codes,
      store: store.sessions,
      revoke: sessions.revoke,
      keyRing,
      report,
    }),
    sessions,
    findLive,
    report,
  };
  node.parts = played as EndpointParts;
}

/**
 * Ends all slices of an intent. No other node continues the work of a dead node: with so few sessions one slice is
 * enough.
 */
function endManyBy(store: MassEndingStore, report: (fact: HoldfastFact) => void): MassEndings['finish'] {
  return async (intent) => {
    if (intent === null) return { count: 0, isComplete: true };
    let count = 0;
    for (let isComplete = false; !isComplete;) {
      const slice = await store.endSlice(intent, SLICE);
      for (const fact of slice.ended) report(fact);
      count += slice.ended.length;
      ({ isComplete } = slice);
    }
    return { count, isComplete: true };
  };
}

const SLICE = 100;

const authenticate: Authenticate = (username, password) => {
  const user = Object.hasOwn(USERS, username) ? USERS[username as UserName] : undefined;
  return user?.password === password ? user : null;
};

const clientsOf = (lifetimes: SessionLifetimes): Clients =>
  registerClients(
    [
      { clientId: CLIENTS.cookie, refreshTokenTransport: 'cookie', scopes: ['notes'], audiences: [FILES] },
      { clientId: CLIENTS.body, refreshTokenTransport: 'body', scopes: ['notes'], audiences: [FILES] },
    ],
    { issuer: ISSUER, audience: API },
    lifetimes,
  );

export function createCluster(parts: ClusterParts): Cluster {
  const { scheduler, random } = parts;
  const grants = new Map<string, AccessGrant>();
  const accessTokens = simulateAccessTokens(parts, grants);
  const nodes = Array.from({ length: parts.nodes }, (_, index): Node => {
    const node = { name: `node ${index}`, minting: 0, accepting: 0 } as Node;
    startProcess(node, parts, accessTokens);
    return node;
  });
  const living = (): readonly Node[] => nodes.filter(({ connection }) => connection.alive);
  const kill = (node: Node): boolean => {
    if (!node.connection.alive) return false;
    node.connection.alive = false;
    scheduler.note(node.name, 'dies');
    scheduler.after(random.int(200, 20_000), () => startProcess(node, parts, accessTokens));
    return true;
  };
  let newestKey = 0;
  return {
    handle: (request) => {
      const up = living();
      if (up.length === 0) return null;
      const node = random.pick(up);
      const { connection } = node;
      return new Promise((resolve) => {
        void answer(request, node.parts, authenticate).then((response) => {
          if (response.status === 500) parts.onBug(response.body);
          if (response.status === 200 && request.path === '/token') parts.onTokens(request, response, connection);
          return connection.alive && resolve(response);
        });
      });
    },
    kill: () => {
      const up = living();
      return up.length > 0 && kill(random.pick(up));
    },
    killOwner: (by) => {
      const node = nodes.find(({ connection }) => connection === by);
      return node !== undefined && kill(node);
    },
    rollOverKeys: () => {
      newestKey++;
      rollOver(nodes, newestKey, parts, accessTokens);
    },
    revoke: (sid) => {
      const node = living()[0];
      void node?.parts.sessions.endChain(sid, 'administrator').catch(() => {});
      return node !== undefined;
    },
    verify: (accessToken) => {
      const grant = grants.get(accessToken);
      return grant && grant.expiresAtMs > scheduler.nowMs() - parts.policy.clockToleranceSeconds * 1_000 ? grant : null;
    },
  };
}

/**
 * Rolls over to a new key. Every node accepts the key before one node mints with it, so each node restarts twice, one
 * node at a time.
 */
function rollOver(nodes: readonly Node[], key: number, parts: ClusterParts, accessTokens: AccessTokens): void {
  const { scheduler, random } = parts;
  const restart = (node: Node, change: () => void): void => {
    change();
    if (!node.connection.alive) return;
    node.connection.alive = false;
    startProcess(node, parts, accessTokens);
  };
  let delayMs = 0;
  const later = (text: string, change: () => void): void => {
    delayMs += random.int(1_000, 40_000);
    scheduler.after(delayMs, () => {
      scheduler.note('cluster', text);
      change();
    });
  };
  for (const node of nodes) {
    later(`${node.name} accepts key ${key}`, () =>
      restart(node, () => (node.accepting = Math.max(node.accepting, key))),
    );
  }
  for (const node of nodes) {
    later(`${node.name} mints with key ${key}`, () =>
      restart(node, () => (node.minting = Math.max(node.minting, key))),
    );
  }
}
