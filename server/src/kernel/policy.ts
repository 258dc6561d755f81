/**
 * Accept `iat` and `nbf` of tokens and proofs up to this far ahead of this host's clock.
 *
 * @see FAPI 2.0 Security Profile §5.3.2.1: 10 seconds must be accepted, 60 seconds must be refused
 */
export const CLOCK_AHEAD_SECONDS = 10;

/**
 * Every duration and limit of the server. The name has the unit; {@link DEFAULT_POLICY} has the defaults.
 */
export type Policy = {
  /**
   * The server hands out a refresh token at most once per interval, and does not treat a recent copy as reuse while the
   * last rotation may still be under way. At least a client's response deadline (15 s in ours) plus the longest life of
   * a message under way. With 0 every use rotates: two tabs that race may then end their session.
   */
  readonly rotationIntervalMs: number;
  /**
   * How often one generation is handed out again at one per interval. After that the pace is one per 15 intervals, and
   * an event alerts the operator, because answers are being lost. No count ends a session.
   */
  readonly promptRedeliveries: number;
  /**
   * Answer to a genuine token ahead of the database, which has then lost writes: go on from the token, or answer 503.
   */
  readonly aheadOfDatabase: 'heal' | 'refuse';

  /** Inactivity timeout: slides with the user's own activity. */
  readonly inactivityTimeoutSeconds: number;
  /** Absolute lifetime of a session: never moves. NIST SP 800-63B-4 AAL1 asks for authentication every 30 days. */
  readonly absoluteLifetimeSeconds: number;
  /**
   * Device chains of one user. A sign-in on one more device ends another chain: one never used, else of a lower `acr`,
   * else the one used least recently. It is refused if all other chains have a stronger authentication (ASVS 5.0
   * 7.1.2).
   */
  readonly maxDeviceChainsPerUser: number;
  /** Live sessions of one device chain. It has more than one if sign-ins were never used. */
  readonly maxSessionsPerDeviceChain: number;
  /** Sign-ins that one account may complete at once before the rate limit applies. */
  readonly signInBurstPerAccount: number;
  /** In the long run an account may complete one sign-in per this interval. */
  readonly signInIntervalSeconds: number;
  /** Most sessions that one transaction ends when many sessions of a user end. */
  readonly endingSliceSize: number;
  /** How long a request that ends many sessions waits for them; the rest end in the background. */
  readonly endingWaitMs: number;
  /** How often a node looks for sessions that another node has left to end. */
  readonly endingPollMs: number;
  /** Lifetime of an access token: how long a leaked one works, and how long one outlives its revoked session. */
  readonly accessTokenLifetimeSeconds: number;
  /**
   * Algorithm that signs access tokens. A change is like a rotation: the new key is published first, no session ends.
   */
  readonly signingAlgorithm: 'ES256' | 'EdDSA' | 'RS256';
  /** How long a signing key signs before the next one takes over. */
  readonly signingKeyLifetimeSeconds: number;
  /** How long a key is published before it signs. Must be longer than any resource server caches the key set. */
  readonly signingKeyLeadSeconds: number;
  /** How often a node reads the published keys and publishes the next one if it is due. */
  readonly signingKeyPollSeconds: number;
  /**
   * How long access tokens and proofs are accepted after their end, because hosts' clocks differ. For tokens and proofs
   * from the future see {@link CLOCK_AHEAD_SECONDS}.
   */
  readonly clockToleranceSeconds: number;
  /**
   * `required`: the authorization server's endpoints require a nonce in every DPoP proof. A client needs one more
   * exchange now and then, but an injected script can no longer make proofs in advance (RFC 9449 §11.2). `when_stale`:
   * the server asks for a nonce only if `iat` is out of bounds, so that a wrong clock still locks no user out.
   */
  readonly dpopNonce: 'required' | 'when_stale';
  /**
   * Nodes that accept a nonce. `shared`: all nodes of this server; a proof used at one can be replayed at another, or
   * after a restart, while its nonce or `iat` is accepted. `node`: only the node and process that gave it out, so that
   * no proof works twice anywhere. Every proof then needs a nonce, and a load balancer must keep a client at its node.
   */
  readonly dpopNonceScope: 'shared' | 'node';
  /** A nonce is accepted for this period and the next one. */
  readonly dpopNoncePeriodSeconds: number;
  /** Greatest age of the `iat` of a proof without a nonce. */
  readonly dpopProofLifetimeSeconds: number;
  /** Proofs that a node remembers, so that it refuses their second use. At most twice as many, some 100 bytes each. */
  readonly dpopReplayMemory: number;
  /** RFC 6749 §4.1.2 recommends at most 10 minutes; a first-party client exchanges its code at once. */
  readonly authorizationCodeLifetimeSeconds: number;

  /** Most rows that one statement rotates; further refreshes join the next batch. */
  readonly maxBatchSize: number;
  /**
   * Lanes of batches: sessions of different lanes never wait for each other's statements. One lane is cheapest on a
   * single PostgreSQL; use about one per shard on a distributed engine. At most `rotationConnections`.
   */
  readonly rotationLanes: number;
  /** How often a request reads and decides again after a lost compare-and-swap, before it is answered 503. */
  readonly maxDecisionAttempts: number;
  /** How long a rotation waits for a row that another transaction holds. Short: a batch shares the wait. */
  readonly lockTimeoutMs: number;
  /** After this long the database's answer is in doubt. */
  readonly statementTimeoutMs: number;
  /** How long to wait for a connection before the database counts as unreachable. */
  readonly connectTimeoutMs: number;
  /** Connections for rotations: one per lane carries the batch, the rest serve rows that are retried alone. */
  readonly rotationConnections: number;
  /** Connections for every commit that waits for the disk. */
  readonly durableConnections: number;
  /** `Retry-After` of a 503. */
  readonly retryAfterSeconds: number;

  /**
   * Requests per second that one address may post in the long run, on one node: far more than a busy office behind one
   * address sends, far less than a node can serve. 0 is no limit. Behind proxies, `options.trustedProxies` must be
   * right.
   */
  readonly requestsPerSecond: number;
  /** Requests that one address may post at once before the rate limit applies. */
  readonly requestBurst: number;
  /** Addresses that a node remembers for the rate limit: some 100 bytes each. */
  readonly rateLimitedAddresses: number;
  /**
   * How long session rows are kept after their absolute lifetime: for support, and to answer `expired`, not `unknown`.
   */
  readonly expiredRetentionSeconds: number;

  /** Largest request body: many times the longest request of the protocol. */
  readonly bodyLimitBytes: number;
  /** How long a browser may keep a CORS preflight's answer. */
  readonly preflightMaxAgeSeconds: number;

  /** How often a node reads the ended sessions while resource servers follow the feed. */
  readonly revocationPollMs: number;

  /** How often a node looks for webhooks to deliver. */
  readonly webhookPollMs: number;
  /** How long a receiver may take to answer. */
  readonly webhookTimeoutMs: number;
  /** Attempts at one delivery before it is abandoned. They take about a day, with delays from 5 s to 6 h. */
  readonly webhookMaxAttempts: number;

  /** How long the audit log keeps an event. */
  readonly eventRetentionSeconds: number;
  /** Events that may wait for the database in an outage; further ones are counted and lost. About 500 bytes each. */
  readonly eventBufferLimit: number;
  /** Pause before the audit log is written again after a failure. */
  readonly eventRetryMs: number;

  /** Password hashes computed at once: each takes 19 MiB and one core. */
  readonly passwordConcurrency: number;
  /** Password checks that may wait; further ones are answered 503, so that a flood of guesses cannot pile up. */
  readonly passwordQueueLimit: number;
  /** Shortest password accepted for a new user. NIST SP 800-63B-4 §3.1.1.2: at least 8 beside a second factor. */
  readonly passwordMinimumLength: number;
  /** Longest password accepted, in characters. NIST asks for at least 64. */
  readonly passwordMaximumLength: number;
  /** Wrong passwords for one account before each costs a delay: more than typing errors make likely. */
  readonly passwordAttemptsPerAccount: number;
  /**
   * Wrong passwords from one address (IPv6: one /64) before each costs a delay. Many honest users may share one
   * address.
   */
  readonly passwordAttemptsPerAddress: number;
  /** One attempt of an account is forgotten per this interval. */
  readonly passwordAccountLeakSeconds: number;
  /** One attempt from an address is forgotten per this interval. */
  readonly passwordAddressLeakSeconds: number;
  /** The first delay; each further wrong password doubles it. */
  readonly passwordFirstDelaySeconds: number;
  /**
   * How long a network stays familiar after a sign-in by password. Failures elsewhere do not delay the account there.
   */
  readonly passwordFamiliarSeconds: number;
  /** Familiar networks per account: the newest are kept, so that one account cannot fill the database. */
  readonly passwordFamiliarNetworks: number;
  /**
   * The longest delay. At this default an attacker gets some 100 guesses a day at one account. A stranger who keeps an
   * account's password delayed blocks its owner in unfamiliar networks only; passkeys and live sessions still work.
   */
  readonly passwordMaximumDelaySeconds: number;

  /** Greatest age of an authentication that allows a user to change credentials or end other sessions. */
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

/** Lifetimes of a session: without user activity, and at most. */
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

/** Fields that may be 0. */
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
