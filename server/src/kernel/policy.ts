/**
 * `iat` and `nbf` of tokens and proofs may be so far ahead of this host's clock, and no further.
 *
 * @see FAPI 2.0 Security Profile §5.3.2.1: 10 seconds must be accepted, 60 seconds must be refused
 */
export const CLOCK_AHEAD_SECONDS = 10;

/**
 * Every duration and limit of the server: unit in the name, default and reason beside it.
 *
 * Pure data and one check; nothing here reads a clock.
 */
export type Policy = {
  /**
   * A refresh token is handed out at most once per interval, and the near past is not judged while the last rotation may
   * still be under way. Must be at least a client's response deadline (15 s in ours) plus the longest life of a message
   * under way. 0 is classic rotation at every use: two tabs that race may then end their session.
   */
  readonly rotationIntervalMs: number;
  /**
   * How often one generation is handed out again at the pace of the interval. After that it is handed out once in 15 intervals,
   * and an event alerts the operator: answers are lost on their way. No count ends a session.
   */
  readonly promptRedeliveries: number;
  /** What to do when a genuine token is ahead of the database, which then has lost writes: go on from it, or answer 503. */
  readonly aheadOfDatabase: 'heal' | 'refuse';

  /** Inactivity timeout: slides with the user's own activity. */
  readonly inactivityTimeoutSeconds: number;
  /** Absolute lifetime of a session: never moves. NIST SP 800-63B-4 AAL1 asks for authentication every 30 days. */
  readonly absoluteLifetimeSeconds: number;
  /**
   * Device chains of one user. A sign-in on one more device ends the chain that is missed least, or is refused when all others
   * were made with a stronger authentication (ASVS 5.0 7.1.2).
   */
  readonly maxDeviceChainsPerUser: number;
  /** Live sessions of one chain, which differ by sign-ins that no answer has confirmed. */
  readonly maxSessionsPerDeviceChain: number;
  /** Sign-ins of one account that may be completed at once before the rate counts. */
  readonly signInBurstPerAccount: number;
  /** In the long run an account may complete one sign-in each time so much has passed. */
  readonly signInIntervalSeconds: number;
  /** Sessions that one transaction ends at most when many of a user end. */
  readonly endingSliceSize: number;
  /** How long a request that ends many sessions waits for all of them; the rest goes on without it. */
  readonly endingWaitMs: number;
  /** How often a node looks for sessions that another one has left to end. */
  readonly endingPollMs: number;
  /** How long a leaked access token is of use; also how long a revoked session's last access token lives. */
  readonly accessTokenLifetimeSeconds: number;
  /** What access tokens are signed with. A change takes effect like a rotation: published first, nobody signed out. */
  readonly signingAlgorithm: 'ES256' | 'EdDSA' | 'RS256';
  /** How long a signing key signs before the next one takes over. */
  readonly signingKeyLifetimeSeconds: number;
  /** How long a key is published before it signs: longer than any resource server caches the key set. */
  readonly signingKeyLeadSeconds: number;
  /** How often a node reads the published keys and looks whether one is due. */
  readonly signingKeyPollSeconds: number;
  /**
   * How long access tokens and proofs are accepted past their end, because two hosts' clocks differ. For tokens and proofs
   * from the future see {@link CLOCK_AHEAD_SECONDS}.
   */
  readonly clockToleranceSeconds: number;
  /**
   * Whether the authorization server's endpoints want its nonce in every DPoP proof. It costs a client one more exchange now
   * and then; it ends the use of proofs made in advance by a script that got in for a moment (RFC 9449 §11.2). With
   * `when_stale` a nonce is asked for only when `iat` is out of bounds, so that a wrong clock still locks nobody out.
   */
  readonly dpopNonce: 'required' | 'when_stale';
  /**
   * Which nodes accept a nonce. `shared`: all of this server, and a proof that was used at one can be replayed at another, or after
   * a restart, while its nonce or `iat` lasts. `node`: the node and the process that gave it out, so that no proof is used twice
   * anywhere. Every proof then needs a nonce, and a load balancer must keep a client at its node.
   */
  readonly dpopNonceScope: 'shared' | 'node';
  /** A nonce serves for this period and the next one. */
  readonly dpopNoncePeriodSeconds: number;
  /** How old the `iat` of a proof without a nonce may be. */
  readonly dpopProofLifetimeSeconds: number;
  /** Proofs that a node remembers for refusing their second use: twice so many at most, some 100 bytes each. */
  readonly dpopReplayMemory: number;
  /** RFC 6749 §4.1.2 recommends at most 10 minutes; a first-party client exchanges its code at once. */
  readonly authorizationCodeLifetimeSeconds: number;

  /** Rows that one statement rotates at most; what waits beyond it joins the next batch. */
  readonly maxBatchSize: number;
  /**
   * Lanes of batches: sessions of different lanes never wait for each other's statements. One is cheapest on a single
   * PostgreSQL; on a distributed engine about one for each shard. At most `rotationConnections`.
   */
  readonly rotationLanes: number;
  /** How often a request that lost a compare-and-swap reads and decides again before it is answered 503. */
  readonly maxDecisionAttempts: number;
  /** How long a rotation waits for a row that another transaction holds. Short: a batch shares the wait. */
  readonly lockTimeoutMs: number;
  /** After this long the database's answer is in doubt. */
  readonly statementTimeoutMs: number;
  /** How long to wait for a connection before the database counts as unreachable. */
  readonly connectTimeoutMs: number;
  /** Connections for rotations: one carries the batch, the rest serve rows that had to be retried alone. */
  readonly rotationConnections: number;
  /** Connections for everything that waits for the disk. */
  readonly durableConnections: number;
  /** `Retry-After` of a 503. */
  readonly retryAfterSeconds: number;

  /**
   * Requests per second that one address may post in the long run, on one node: far beyond a busy office behind one address,
   * far below what a node can do. 0 is no limit. Behind proxies, `options.trustedProxies` must be right.
   */
  readonly requestsPerSecond: number;
  /** Requests that one address may post at once before the rate counts. */
  readonly requestBurst: number;
  /** Addresses that a node remembers for that limit: some 100 bytes each. */
  readonly rateLimitedAddresses: number;
  /** How long rows are kept after their absolute lifetime: for support, and to answer `expired` instead of `unknown`. */
  readonly expiredRetentionSeconds: number;

  /** Largest request body; every request of the protocol fits many times. */
  readonly bodyLimitBytes: number;
  /** How long a browser may keep a CORS preflight's answer. */
  readonly preflightMaxAgeSeconds: number;

  /** How often a node looks for sessions that ended, while resource servers follow them. */
  readonly revocationPollMs: number;

  /** How often a node looks for webhooks to deliver. */
  readonly webhookPollMs: number;
  /** How long a receiver may take to answer. */
  readonly webhookTimeoutMs: number;
  /** Attempts at one delivery before it is given up. They take about a day, with delays from 5 s to 6 h. */
  readonly webhookMaxAttempts: number;

  /** How long the audit log keeps an event. */
  readonly eventRetentionSeconds: number;
  /** Events that may wait for the database in an outage; beyond it they are counted and lost. About 500 bytes each. */
  readonly eventBufferLimit: number;
  /** How long after a failure the audit log is written again. */
  readonly eventRetryMs: number;

  /** Password hashes computed at once: each takes 19 MiB and a core. */
  readonly passwordConcurrency: number;
  /** Password checks that may wait; beyond it the answer is 503, so that a flood of guesses cannot pile up. */
  readonly passwordQueueLimit: number;
  /** Shortest password accepted for a new user. NIST SP 800-63B-4 §3.1.1.2: at least 8 beside a second factor. */
  readonly passwordMinimumLength: number;
  /** Longest password accepted, in characters. NIST asks for at least 64. */
  readonly passwordMaximumLength: number;
  /** Wrong passwords in a row for one account before each costs a delay: more than an honest typist needs. */
  readonly passwordAttemptsPerAccount: number;
  /** Wrong passwords from one address (IPv6: one /64) before each costs a delay. Many honest people may share one. */
  readonly passwordAttemptsPerAddress: number;
  /** One attempt of an account is forgotten each time so much has passed. */
  readonly passwordAccountLeakSeconds: number;
  /** One attempt from an address is forgotten each time so much has passed. */
  readonly passwordAddressLeakSeconds: number;
  /** The first delay; each further wrong password doubles it. */
  readonly passwordFirstDelaySeconds: number;
  /** How long the network of a sign-in by password counts as familiar: strangers elsewhere cannot delay the account there. */
  readonly passwordFamiliarSeconds: number;
  /** How many networks of an account are familiar at once: the newest, so that one account cannot fill the database. */
  readonly passwordFamiliarNetworks: number;
  /**
   * The longest delay. At this default a guesser gets some 100 guesses a day at one account, and a stranger who keeps an
   * account's password delayed keeps its owner from it in unfamiliar networks alone; passkeys and live sessions go on.
   */
  readonly passwordMaximumDelaySeconds: number;

  /** How long ago a user may have authenticated to change credentials or end other sessions. */
  readonly recentAuthenticationSeconds: number;
  /** How long a passkey's challenge may be answered. WebAuthn Level 3 §15.1 recommends 5 to 10 minutes. */
  readonly passkeyChallengeLifetimeSeconds: number;
  /** Passkeys that one user may register. */
  readonly passkeysPerUser: number;
};

/** The values of every {@link Policy} option that a server does not set. */
export const DEFAULT_POLICY: Policy = {
  rotationIntervalMs: 60_000,
  promptRedeliveries: 32,
  aheadOfDatabase: 'heal',

  inactivityTimeoutSeconds: 14 * 86_400,
  absoluteLifetimeSeconds: 30 * 86_400,
  maxDeviceChainsPerUser: 100,
  maxSessionsPerDeviceChain: 8,
  signInBurstPerAccount: 20,
  signInIntervalSeconds: 60,
  endingSliceSize: 1_000,
  endingWaitMs: 5_000,
  endingPollMs: 5_000,
  accessTokenLifetimeSeconds: 900,
  signingAlgorithm: 'ES256',
  signingKeyLifetimeSeconds: 30 * 86_400,
  signingKeyLeadSeconds: 86_400,
  signingKeyPollSeconds: 60,
  clockToleranceSeconds: 5,
  dpopNonce: 'required',
  dpopNonceScope: 'shared',
  dpopNoncePeriodSeconds: 300,
  dpopProofLifetimeSeconds: 60,
  dpopReplayMemory: 100_000,
  authorizationCodeLifetimeSeconds: 60,

  maxBatchSize: 256,
  rotationLanes: 1,
  maxDecisionAttempts: 8,
  lockTimeoutMs: 100,
  statementTimeoutMs: 5_000,
  connectTimeoutMs: 5_000,
  rotationConnections: 4,
  durableConnections: 8,
  retryAfterSeconds: 1,

  requestsPerSecond: 100,
  requestBurst: 1_000,
  rateLimitedAddresses: 50_000,
  expiredRetentionSeconds: 86_400,

  bodyLimitBytes: 16_384,
  preflightMaxAgeSeconds: 600,

  revocationPollMs: 500,

  webhookPollMs: 1_000,
  webhookTimeoutMs: 10_000,
  webhookMaxAttempts: 18,

  eventRetentionSeconds: 180 * 86_400,
  eventBufferLimit: 10_000,
  eventRetryMs: 1_000,

  passwordConcurrency: 2,
  passwordQueueLimit: 64,
  passwordMinimumLength: 8,
  passwordMaximumLength: 256,
  passwordAttemptsPerAccount: 5,
  passwordAttemptsPerAddress: 50,
  passwordAccountLeakSeconds: 3_600,
  passwordAddressLeakSeconds: 60,
  passwordFirstDelaySeconds: 2,
  passwordFamiliarSeconds: 30 * 86_400,
  passwordFamiliarNetworks: 20,
  passwordMaximumDelaySeconds: 900,

  recentAuthenticationSeconds: 300,
  passkeyChallengeLifetimeSeconds: 600,
  passkeysPerUser: 20,
};

/** How long a session lasts: without the user, and at most. */
export type SessionLifetimes = Pick<Policy, 'inactivityTimeoutSeconds' | 'absoluteLifetimeSeconds'>;

/**
 * Session lifetimes by authenticator assurance level.
 *
 * @see NIST SP 800-63B-4 §2.1.3, §2.2.3, §2.3.3
 */
export const SESSION_LIFETIMES = {
  aal1: { inactivityTimeoutSeconds: 14 * 86_400, absoluteLifetimeSeconds: 30 * 86_400 },
  aal2: { inactivityTimeoutSeconds: 3_600, absoluteLifetimeSeconds: 86_400 },
  aal3: { inactivityTimeoutSeconds: 900, absoluteLifetimeSeconds: 12 * 3_600 },
} as const satisfies Readonly<Record<string, SessionLifetimes>>;

/** Fields for which 0 has a meaning. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set([
  'rotationIntervalMs',
  'promptRedeliveries',
  'clockToleranceSeconds',
  'requestsPerSecond',
  'preflightMaxAgeSeconds',
  'passwordQueueLimit',
]);

const SIGNING_ALGORITHMS: ReadonlySet<string> = new Set(['ES256', 'EdDSA', 'RS256']);

/**
 * Fills a partial policy with the defaults and checks it.
 *
 * @throws TypeError that names the field, for an unknown field or a value that is no whole number in its range.
 */
export function resolvePolicy(overrides: Partial<Policy> = {}): Policy {
  for (const [field, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(DEFAULT_POLICY, field)) throw new TypeError(`policy.${field} does not exist`);
    if (field === 'dpopNonce') {
      if (value !== 'required' && value !== 'when_stale')
        throw new TypeError("policy.dpopNonce is 'required' or 'when_stale'");
      continue;
    }
    if (field === 'dpopNonceScope') {
      if (value !== 'shared' && value !== 'node') throw new TypeError("policy.dpopNonceScope is 'shared' or 'node'");
      continue;
    }
    if (field === 'aheadOfDatabase') {
      if (value !== 'heal' && value !== 'refuse') throw new TypeError("policy.aheadOfDatabase is 'heal' or 'refuse'");
      continue;
    }
    if (field === 'signingAlgorithm') {
      if (!SIGNING_ALGORITHMS.has(value as string))
        throw new TypeError(`policy.signingAlgorithm is one of ${[...SIGNING_ALGORITHMS].join(', ')}`);
      continue;
    }
    const least = MAY_BE_ZERO.has(field) ? 0 : 1;
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      throw new TypeError(`policy.${field} is a whole number, at least ${least}`);
    }
  }
  const policy = { ...DEFAULT_POLICY, ...overrides };
  if (policy.signingKeyLeadSeconds <= 2 * policy.signingKeyPollSeconds) {
    throw new TypeError(
      'policy.signingKeyLeadSeconds is more than two signingKeyPollSeconds: nodes must see a key in time',
    );
  }
  if (policy.rotationLanes > policy.rotationConnections) {
    throw new TypeError('policy.rotationLanes is at most rotationConnections: every lane needs a connection');
  }
  if (policy.signingKeyLifetimeSeconds < policy.signingKeyLeadSeconds) {
    throw new TypeError('policy.signingKeyLifetimeSeconds is at least signingKeyLeadSeconds');
  }
  return policy;
}
