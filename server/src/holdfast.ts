import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { startReporting, type Reporting } from './audit/reporting.ts';
import { registerWebhooks, type WebhookRegistration } from './audit/webhooks.ts';
import { createDpopNonces } from './dpop/dpop-nonce.ts';
import { createProofVerifier, type ProofVerifier } from './dpop/dpop.ts';
import type { PresentedRequest } from './dpop/token-binding.ts';
import { errorResponse, temporarilyUnavailable } from './http/answers.ts';
import { createFetchHandler } from './http/doors/fetch-handler.ts';
import { createNodeListener } from './http/doors/node-listener.ts';
import { answerRequest, answerUnknownPath, routeOf } from './http/doors/router.ts';
import type { EndpointParts } from './http/endpoint-parts.ts';
import { createAddressLimit } from './http/rate-limit.ts';
import { clientAddressOf } from './kernel/client-address.ts';
import { createDrain } from './kernel/drain.ts';
import { HoldfastServerError } from './kernel/errors.ts';
import type { HoldfastEvent } from './kernel/events.ts';
import { createFaultLog, type FaultLog } from './kernel/fault-log.ts';
import type { HttpRequest, HttpResponse } from './kernel/http-message.ts';
import { createKeyRing, type KeyRing } from './kernel/key-ring.ts';
import type { Logger } from './kernel/logger.ts';
import { resolvePolicy, type Policy } from './kernel/policy.ts';
import { traceRequest } from './kernel/tracing.ts';
import { loadSigningKeys } from './keys/signing-keys.ts';
import {
  createAuditLog,
  createSessionAdministration,
  createWebhookAdministration,
  startReportedEndings,
  type AuditLog,
  type SessionAdministration,
  type Webhooks,
} from './operations/administration.ts';
import { startMaintenance } from './operations/maintenance.ts';
import { createMetrics } from './operations/metrics.ts';
import { createOperation } from './operations/operation.ts';
import {
  closeConnections,
  longestTransactionMs,
  openConnections,
  run,
  sqlStateOf,
  type Connections,
} from './postgres/connections.ts';
import { deleteExpired } from './postgres/housekeeping.ts';
import { migrate } from './postgres/migrations.ts';
import { createRevocationReading } from './postgres/revocation-reading.ts';
import { openStore } from './postgres/store.ts';
import { isAudience } from './registrations/audiences.ts';
import { isOrigin, registerClients, type ClientRegistration } from './registrations/clients.ts';
import { registerResourceServers, type ResourceServerRegistration } from './registrations/resource-servers.ts';
import { createAuthorizationCodes } from './sessions/authorization-codes.ts';
import { createIntrospection } from './sessions/introspection.ts';
import type { MassEndings } from './sessions/mass-endings.ts';
import { createRevocationFeed } from './sessions/revocation-feed.ts';
import { createSessions } from './sessions/sessions.ts';
import type { Store } from './storage/store.ts';
import { createAccessTokens, type AccessTokenVerdict } from './tokens/access-token.ts';
import { createPasswords } from './users/passwords.ts';
import { createPeople } from './users/people.ts';
import type { Users } from './users/users.ts';

/** Options of {@link createHoldfast}: issuer, database, secret and clients are required. */
export type HoldfastOptions = {
  /** The URL where clients reach this server: an origin without a path, such as `https://id.example`. */
  readonly issuer: string;
  /** `postgres://…`. The role must be allowed to create the schema `holdfast` if it is missing. */
  readonly databaseUrl: string;
  /** Master secret, at least 32 bytes, the same on every node. Every key of the server is derived from it. */
  readonly secret: string;
  /**
   * Other master secrets whose tokens are still accepted. To roll over without signing anyone out: add the new secret
   * here on every node, then swap the two, and drop the old one after the absolute lifetime has passed.
   */
  readonly acceptedSecrets?: readonly string[];
  /** Retired master secrets: their refresh tokens are answered `invalid_grant`. */
  readonly retiredSecrets?: readonly string[];
  readonly clients: readonly ClientRegistration[];
  /** Resource servers that may introspect tokens and follow ended sessions. Default: none. */
  readonly resourceServers?: readonly ResourceServerRegistration[];
  /** Endpoints that receive events, signed and at least once. Default: none. */
  readonly webhooks?: readonly WebhookRegistration[];
  /**
   * How many proxies in front of this server append the peer's address to `X-Forwarded-For`. Default 0: the header is
   * ignored. Too few: all users share one address and its limits. Too many: anyone can claim any address.
   */
  readonly trustedProxies?: number;
  /**
   * Returns true for a commonly used or breached password; no user may then choose it. Never log the password. Default:
   * knows no password; the username is refused in any case.
   *
   * @see NIST SP 800-63B-4 §3.1.1.2
   */
  readonly isKnownPassword?: (password: string) => boolean | Promise<boolean>;
  /** Durations and limits; see {@link DEFAULT_POLICY}. */
  readonly policy?: Partial<Policy>;
  /**
   * `aud` of access tokens whose client requested no other `resource`. Default: the issuer, for an API in this process
   * alone. Registered resource servers need another one, because tokens for the issuer open its account endpoints.
   */
  readonly audience?: string;
  /** Bearer token that may read `/metrics`. Default: only a direct request from this host may read them. */
  readonly metricsToken?: string;
  /** Adds CPU, memory and event loop of the process to the metrics. Default: false, for hosts with process metrics. */
  readonly hasProcessMetrics?: boolean;
  /** Called synchronously for every event. A thrown error is logged and changes nothing. */
  readonly onEvent?: (event: HoldfastEvent) => void;
  /** Default: pino on standard output, warnings and errors. */
  readonly logger?: Logger;
};

/** A running server. Several servers, in one process or many, may share a database. */
export type Holdfast = {
  /** Answers a request to one of our endpoints; null for any other path. Never throws. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse | null>;
  /** For node:http, Express and similar. Mount it before any body parser. Without `next` an unknown path is 404. */
  readonly listener: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /** For web-standard hosts. An unknown path is 404. */
  readonly fetch: (request: Request, info?: { readonly remoteAddress?: string }) => Promise<Response>;
  /**
   * Verifies the access token in an `Authorization` header, and the presenter's proof of the key it is bound to. The
   * token must be for the default audience.
   *
   * @param request the request that carries the token; without it, DPoP-bound tokens are refused
   * @throws HoldfastServerError `unavailable` if an unknown signing key could not be looked up
   * @see RFC 6750, RFC 9449 §7
   */
  readonly verifyAccessToken: (
    authorizationHeader: string | undefined,
    request?: PresentedRequest,
  ) => Promise<AccessTokenVerdict>;
  readonly users: Users;
  readonly sessions: SessionAdministration;
  readonly auditLog: AuditLog;
  readonly webhooks: Webhooks;
  /** Connection pool with durable commits, also for the host's own tables in this database. */
  readonly database: Pool;
  /** Returns the content of `/metrics`, for hosts that publish metrics themselves. */
  readonly metrics: () => Promise<string>;
  /**
   * Makes `/readyz` answer 503, so that load balancers choose another node. Requests are still answered until `close`.
   */
  readonly retire: () => void;
  /** Refuses new requests with 503, waits for requests under way, then closes the database connections. Idempotent. */
  readonly close: () => Promise<void>;
};

/**
 * Starts a server: migrates the database, and loads or creates the signing keys.
 *
 * @throws TypeError for a wrong option
 * @throws HoldfastServerError `unavailable`, `secret_mismatch`, `schema_too_new`
 */
export async function createHoldfast(options: HoldfastOptions): Promise<Holdfast> {
  const { databaseUrl, hasProcessMetrics = false, logger = pino({ name: 'holdfast', level: 'warn' }) } = options;
  const settings = readSettings(options);
  const { policy, keyRing } = settings;
  const faults = createFaultLog(logger);
  const connections = openConnections(databaseUrl, policy, (error) =>
    faults.note({
      kind: 'idle connection',
      level: 'warn',
      message: 'an idle database connection broke',
      // Never log the error itself: the driver attaches the whole connection to it.
      fields: { sqlState: sqlStateOf(error), cause: error.message },
    }),
  );
  try {
    await migrate(databaseUrl, policy.connectTimeoutMs);
    const store = await openStore(connections, policy, settings.webhooks);
    const signingKeys = await loadSigningKeys({ store: store.signingKeys, keyRing, policy });
    const metrics = createMetrics({ pools: connections, signingKeys, hasProcessMetrics });
    const passwords = await createPasswords(policy);
    // Start reporting last, because it needs stopping: nothing after this line fails.
    const listeners = [metrics.observe, options.onEvent ?? (() => {})];
    const reporting = startReporting({ ...settings, store, listeners, faults, sqlStateOf });
    const { report } = reporting;
    const { proofs, resourceProofs } = createProofVerifiers(keyRing, policy);
    const accessTokens = createAccessTokens({ ...settings, signingKeys, proofs: resourceProofs, now: Date.now });
    const endings = startReportedEndings({ store: store.endings, policy, report }, faults, sqlStateOf);
    const { finish: endMany } = endings;
    const hooks = { onBatch: metrics.observeBatch, onUnendedPredecessors: warnOfPredecessors(faults) };
    const sessions = createSessions({ store: store.sessions, endMany, keyRing, policy, report, ...hooks });
    const people = createPeople({ ...settings, store, passwords, report, endMany });
    const { revoke } = sessions;
    const codes = createAuthorizationCodes({ codes: store.codes, store: store.sessions, revoke, keyRing, report });
    return assemble(
      {
        ...settings,
        signingKeys,
        accessTokens,
        proofs,
        codes,
        sessions,
        revocations: createRevocationFeed({
          readRevoked: createRevocationReading(connections),
          policy,
          longestTransactionMs: longestTransactionMs(policy),
        }),
        introspect: createIntrospection({ ...settings, store: store.sessions, accessTokens }),
        findLive: store.sessions.findLive,
        listSessions: store.sessions.listOfUser,
        labelSession: store.sessions.label,
        ...people,
        addressLimit: createAddressLimit(policy),
        report,
        operation: createOperation({
          metrics,
          probe: () => run(connections.probe, { text: 'SELECT 1' }),
          signingKeys,
          maxKeyAgeMs: (policy.signingKeyLeadSeconds * 1_000) / 2,
          metricsToken: options.metricsToken ?? null,
        }),
      },
      { trustedProxies: settings.trustedProxies, connections, faults, store, reporting, endings },
    );
  } catch (error) {
    await closeConnections(connections);
    throw error;
  }
}

/** Checks the options and resolves those that endpoints need. @throws TypeError that names the option */
export function readSettings(options: HoldfastOptions) {
  const { issuer, trustedProxies = 0, resourceServers = [], webhooks = [] } = options;
  if (!isOrigin(issuer)) throw new TypeError('options.issuer is an origin without a path, such as https://id.example');
  if (!Number.isSafeInteger(trustedProxies) || trustedProxies < 0) {
    throw new TypeError('options.trustedProxies is a whole number, at least 0');
  }
  const policy = resolvePolicy(options.policy);
  const { audience = issuer } = options;
  if (!isAudience(audience)) throw new TypeError('options.audience is a URL without a fragment, or a name');
  return {
    issuer,
    audience,
    trustedProxies,
    policy,
    isKnownPassword: options.isKnownPassword ?? (() => false),
    clients: registerClients(options.clients, { issuer, audience }, policy),
    resourceServers: registerResourceServers(resourceServers, { issuer, audience }),
    webhooks: registerWebhooks(webhooks),
    keyRing: createKeyRing(options.secret, options.acceptedSecrets, options.retiredSecrets),
  };
}

/** The parts of the server that endpoints do not see. */
type ServerInternals = {
  readonly trustedProxies: number;
  readonly connections: Connections;
  readonly faults: FaultLog;
  readonly store: Pick<Store, 'events' | 'webhooks'>;
  readonly reporting: Reporting;
  readonly endings: MassEndings;
};

type Peer = Pick<HttpRequest, 'headers' | 'remoteAddress'>;

function assemble(parts: EndpointParts, backstage: ServerInternals): Holdfast {
  const { trustedProxies, connections, faults, store, reporting, endings } = backstage;
  const { policy, users, sessions, accessTokens, signingKeys, operation } = parts;
  const drain = createDrain();
  const addressOf = (request: Peer): string => clientAddressOf(request, trustedProxies);
  const answerUnknown = (request: Peer): HttpResponse => answerUnknownPath(addressOf(request), parts.addressLimit);
  const handle = async (request: HttpRequest): Promise<HttpResponse | null> => {
    const route = routeOf(request.path);
    if (route === null) return null;
    const startedAtMs = performance.now();
    if (drain.isClosing()) return errorResponse(temporarilyUnavailable(policy.retryAfterSeconds));
    const seen = { ...request, remoteAddress: addressOf(request) };
    drain.enter();
    try {
      const answered = await traceRequest(seen, route, () => answerRequest(seen, parts));
      if (answered === null) return null;
      operation.metrics.observeRequest(route, answered.response.status, performance.now() - startedAtMs);
      reporting.reportAnswer(request, route, answered);
      return answered.response;
    } finally {
      drain.leave();
    }
  };
  const maintenance = startMaintenance(
    [
      { name: 'signing keys', run: signingKeys.maintain },
      { name: 'audit log', run: () => store.events.deleteExpired(policy.eventRetentionSeconds) },
      { name: 'expired rows', run: () => deleteExpired(connections.durable, policy.expiredRetentionSeconds) },
    ],
    policy.signingKeyPollSeconds * 1_000,
    (task, error) =>
      faults.note({
        kind: `maintenance: ${task}`,
        level: 'warn',
        message: 'maintenance failed and will be tried again',
        fields: { task, ...codesOf(error) },
        quietMs: policy.signingKeyPollSeconds * 3_000,
      }),
  );
  const close = async (): Promise<void> => {
    parts.revocations.close();
    await Promise.all([drain.close(), maintenance.stop()]);
    await endings.close();
    await reporting.close();
    faults.close();
    await closeConnections(connections);
  };
  let closed: Promise<void> | null = null;
  return {
    handle,
    listener: createNodeListener(handle, answerUnknown, policy.bodyLimitBytes),
    fetch: createFetchHandler(handle, answerUnknown, policy.bodyLimitBytes),
    verifyAccessToken: (authorizationHeader, request) => accessTokens.verify(authorizationHeader, request),
    users,
    sessions: createSessionAdministration(sessions),
    auditLog: createAuditLog(store.events),
    webhooks: createWebhookAdministration(store.webhooks),
    database: connections.durable,
    metrics: operation.metrics.expose,
    retire: operation.retire,
    close: () => (closed ??= close()),
  };
}

function warnOfPredecessors(faults: FaultLog): (error: unknown) => void {
  return (error) =>
    faults.note({
      kind: 'predecessors',
      level: 'warn',
      message: 'a first use could not end the earlier sessions of its device; its next use tries again',
      fields: codesOf(error),
    });
}

/** The codes of an error. Its message is not logged, because a driver may quote values in it. */
function codesOf(error: unknown): { readonly code: string; readonly sqlState: string | null } {
  return { code: error instanceof HoldfastServerError ? error.code : 'unexpected', sqlState: sqlStateOf(error) };
}

/** Creates one verifier for our own endpoints and one for access tokens. Both accept each other's nonces. */
function createProofVerifiers(
  { verifying: [minting, ...others] }: KeyRing,
  policy: Policy,
): { readonly proofs: ProofVerifier; readonly resourceProofs: ProofVerifier } {
  const isOfNode = policy.dpopNonceScope === 'node';
  // A fresh random key: no other node has it, and no later process of this node.
  const keys: readonly [Buffer, ...Buffer[]] = isOfNode
    ? [randomBytes(32)]
    : [minting.dpopNonceKey, ...others.map(({ dpopNonceKey }) => dpopNonceKey)];
  const nonces = createDpopNonces(keys, policy.dpopNoncePeriodSeconds, Date.now);
  const parts = { nonces, policy, now: Date.now };
  return {
    proofs: createProofVerifier({ ...parts, isNonceRequired: isOfNode || policy.dpopNonce === 'required' }),
    // A proof for an access token is already bound to that token, so an extra round trip for each API would gain
    // little.
    resourceProofs: createProofVerifier({ ...parts, isNonceRequired: isOfNode }),
  };
}
