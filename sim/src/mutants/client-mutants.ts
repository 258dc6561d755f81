import type { Mutant } from './mutant.ts';

const FLIGHT = 'client/src/core/refresh-flight.ts';
const SESSION = 'client/src/core/session.ts';
const LIFECYCLE = 'client/src/core/lifecycle.ts';
const STORED_SESSION = 'client/src/core/stored-session.ts';
const VAULT_WRITES = 'client/src/core/vault-writes.ts';
const PACING = 'client/src/core/refresh-budget.ts';
const SERVICE = 'client/src/auth-service.ts';
const SHELL = 'client/src/runtime/effect-runner.ts';
const WIRE = 'client/src/core/wire.ts';
const INSTANT = 'client/src/core/instant.ts';

const FOREIGN = 'client/src/optional/foreign-token-responses.ts';
const VAULT = 'client/src/core/vault-replies.ts';

const OAUTH_ERROR = "if (isRefusal && error === 'invalid_grant')";
const OVERDUE = 'if (flight && hasPassed(flight.deadline, now))';
const UNAVAILABLE =
  "else failFlight(turn, flight, { cause: step.kind === 'requesting' ? cause : 'vault-unavailable' });";

/** Mutants of the client. */
export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'token-from-memory',
    what: 'the refresh token is sent from memory instead of from the vault',
    patches: [
      {
        file: FLIGHT,
        find: 'else send(turn, flight, held, session, record.version);',
        replace: 'else send(turn, flight, held, held.stored, record.version);',
      },
    ],
  },
  {
    name: 'stale-read-is-sent',
    what: 'a tab that slept between reading and sending sends what it read',
    patches: [
      {
        file: SESSION,
        find: OVERDUE,
        replace: "if (flight && flight.step.kind !== 'reading' && hasPassed(flight.deadline, now))",
      },
    ],
  },
  {
    name: 'late-answer-is-used',
    what: 'an answer that comes after the response deadline is written',
    patches: [
      {
        file: SESSION,
        find: OVERDUE,
        replace: "if (flight && flight.step.kind !== 'requesting' && hasPassed(flight.deadline, now))",
      },
      {
        file: SESSION,
        find: 'if (flight) at(flight.deadline,',
        replace: "if (flight && flight.step.kind !== 'requesting') at(flight.deadline,",
      },
    ],
  },
  {
    name: 'no-compare-and-swap',
    what: 'an answer is written whatever the vault holds',
    patches: [
      {
        file: VAULT_WRITES,
        find: "run(turn, { type: 'writeVault', operation, version,",
        replace: "run(turn, { type: 'writeVault', operation, version: session ? null : version,",
      },
    ],
  },
  {
    name: 'no-adoption',
    what: 'a fresh token of another tab is not adopted before a refresh',
    patches: [
      {
        file: FLIGHT,
        find: "return isAnother || (isFresh && !isRefused && flight.cause !== 'extend' && !flight.resource);",
        replace: 'return isAnother;',
      },
    ],
  },
  {
    name: 'missing-token-drops-stored',
    what: 'an answer without a refresh token forgets the stored one',
    patches: [
      {
        file: FLIGHT,
        find: 'refreshToken: tokens.refreshToken ?? before.refreshToken,',
        replace: 'refreshToken: tokens.refreshToken,',
      },
    ],
  },
  {
    name: 'rate-limit-signs-out',
    what: '429 counts as a rejection',
    patches: [
      {
        file: WIRE,
        find: OAUTH_ERROR,
        replace: "if (status === 429 || (isRefusal && error === 'invalid_grant'))",
      },
    ],
  },
  {
    name: 'server-error-signs-out',
    what: '5xx counts as a rejection',
    patches: [
      { file: WIRE, find: OAUTH_ERROR, replace: "if (status >= 500 || (isRefusal && error === 'invalid_grant'))" },
    ],
  },
  {
    name: 'any-401-signs-out',
    what: 'a 401 of a proxy counts as a rejection',
    patches: [
      {
        file: WIRE,
        find: OAUTH_ERROR,
        replace: "if (status === 401 || (isRefusal && error === 'invalid_grant'))",
      },
    ],
  },
  {
    name: 'html-signs-out',
    what: 'a page of a captive portal counts as a rejection',
    patches: [
      {
        file: WIRE,
        find: "if (tokens) return { kind: 'tokens', tokens };",
        replace:
          "if (status < 300) return tokens ? { kind: 'tokens', tokens } : { kind: 'rejected', reason: 'revoked' };",
      },
    ],
  },
  {
    name: 'network-error-signs-out',
    what: 'a refresh without an answer ends the session',
    patches: [
      {
        file: FLIGHT,
        find: UNAVAILABLE,
        replace: `else if (step.kind === 'requesting' && cause === 'network') requireReauthentication(turn, turn.state.phase.stored, 'revoked');\n${UNAVAILABLE}`,
      },
    ],
  },
  {
    name: 'timeout-signs-out',
    what: 'a refresh that takes too long ends the session',
    patches: [
      {
        file: FLIGHT,
        find: UNAVAILABLE,
        replace: `else if (step.kind === 'requesting' && cause === 'timeout') requireReauthentication(turn, turn.state.phase.stored, 'expired');\n${UNAVAILABLE}`,
      },
    ],
  },
  {
    name: 'unavailable-vault-is-empty',
    what: 'a vault that cannot be read during a refresh is taken for an emptied one',
    patches: [
      {
        file: FLIGHT,
        find: UNAVAILABLE,
        replace: `else if (step.kind !== 'requesting') requireReauthentication(turn, turn.state.phase.stored, 'storage-lost');\n${UNAVAILABLE}`,
      },
    ],
  },
  {
    name: 'parked-for-ever',
    what: "a parked request's deadline is not looked at",
    patches: [
      {
        file: SESSION,
        find: 'agenda.push([deadlineMs - now.monotonicMs,',
        replace: 'agenda.push([Infinity,',
      },
    ],
  },
  {
    name: 'other-tabs-ignored',
    what: 'news of other tabs, and coming to the foreground, do not lead to a look into the vault',
    patches: [
      {
        file: VAULT,
        find: 'if (news && news.version !== state.version && !isKept)',
        replace: 'if (news && news.version < 0)',
      },
    ],
  },
  {
    name: 'no-refresh-cap',
    what: 'neither the back-off nor the token bucket holds a refresh back',
    patches: [
      {
        file: PACING,
        find: 'return Math.max(0, backoffMs, aheadMs(turn) - (policy.refreshBurst - 1) * policy.refreshRefillMs);',
        replace: 'return Math.min(0, backoffMs);',
      },
    ],
  },
  {
    name: 'refresh-without-end',
    what: 'the margin before expiry is as long as the life of the token',
    patches: [
      {
        file: STORED_SESSION,
        find: 'marginMs * (1 - policy.refreshMarginJitter * state.jitter);',
        replace: '(access.lifetimeMs + marginMs * state.jitter);',
      },
    ],
  },
  {
    name: 'deadline-on-slowest-clock',
    what: 'a deadline has passed only when both clocks have passed it',
    patches: [{ file: INSTANT, find: 'Math.min(deadline.wallMs', replace: 'Math.max(deadline.wallMs' }],
  },
  {
    name: 'post-is-repeated',
    what: 'a POST without a key is repeated after the connection broke',
    patches: [
      {
        file: 'client/src/api-client.ts',
        find: "(IDEMPOTENT.has(init.method ?? '') || new Headers(init.headers).has('idempotency-key'))",
        replace: "(IDEMPOTENT.has(init.method ?? '') || init.method === 'POST')",
      },
    ],
  },
  {
    name: 'token-in-event',
    what: 'an event carries the refresh token',
    patches: [
      {
        file: FLIGHT,
        find: "observe(turn, { type: 'refresh.sent', attempt, isUserActive });",
        replace: "observe(turn, { type: 'refresh.sent', attempt, isUserActive, ...stored });",
      },
    ],
  },
  {
    name: 'lock-without-end',
    what: 'a tab waits for the lock as long as it takes',
    patches: [
      {
        file: FLIGHT,
        find: 'const waitMs = level ? responseDeadlineMs : lockWaitMs;',
        replace: 'const waitMs = 1e9;',
      },
    ],
  },
  {
    name: 'one-lock-for-all',
    what: 'every tab that has waited for the lock in vain goes ahead at once',
    patches: [{ file: FLIGHT, find: 'if (isHeld || flight.step.level === LAST_LOCK)', replace: 'if (true)' }],
  },
  {
    name: 'extension-is-not-told',
    what: 'a refresh for a session that the user extends says no more than that the user is active',
    patches: [{ file: 'client/src/core/wire.ts', find: "extend: isExtension ? 'true' : null,", replace: '' }],
  },
  {
    name: 'left-callers-wait',
    what: 'who waits for a token is not told that the service was disposed of',
    patches: [
      { file: SHELL, find: 'for (const { reject } of shell.callers.values()) reject(disposed());', replace: '' },
    ],
  },
  {
    name: 'left-service-goes-on',
    what: 'a service that was disposed of still does what was due',
    patches: [
      {
        file: SHELL,
        find: 'if (shell.isDisposed || shell.platform.isRenderingServer) return;\n  shell.queue.push(event);',
        replace: 'shell.queue.push(event);',
      },
    ],
  },
  {
    name: 'left-sign-in-works',
    what: 'a sign-in is said to have worked when the service was disposed of before it was stored',
    patches: [{ file: SERVICE, find: 'if (shell.state.storing) throw disposed();', replace: '' }],
  },
  {
    name: 'app-is-not-asked',
    what: "the app's own reading of answers is not used",
    patches: [
      {
        file: FOREIGN,
        find: 'const own = classify(answer);',
        replace: 'const own = (void classify, null);',
      },
    ],
  },
  {
    name: 'app-is-believed',
    what: "whatever the app's own reading says is used",
    patches: [{ file: FOREIGN, find: 'return own && isUsable(own) ? own : null;', replace: 'return own;' }],
  },
  {
    name: 'step-up-waits-for-ever',
    what: 'a sign-in in another tab does not release the request that waits for a step-up',
    patches: [{ file: LIFECYCLE, find: '    helpWaiters(turn);\n', replace: '' }],
  },
  {
    name: 'given-up-in-an-outage',
    what: 'a request that is safe to repeat is repeated twice, and not until its deadline',
    patches: [{ file: 'client/src/api-client.ts', find: 'limit: Infinity,', replace: 'limit: 2,' }],
  },
  {
    name: 'on-line-is-believed',
    what: 'what the platform says of the network is believed until it says something else',
    patches: [
      {
        file: SESSION,
        find: 'pauseUntilMs: now.monotonicMs + (youngMs || event.pauseMs),',
        replace: 'pauseUntilMs: event.pauseMs * Infinity,',
      },
      { file: SESSION, find: '  state.isOffline = false;\n', replace: '' },
    ],
  },
  {
    name: 'store-is-known-for-ever',
    what: 'a token is handed out after a pause without a look into the store',
    patches: [
      {
        file: SERVICE,
        find: 'storeKnownMs: options.platform.look ? Infinity : STORE_KNOWN_MS,',
        replace: 'storeKnownMs: Infinity,',
      },
    ],
  },
  {
    name: 'late-decline-ends-all',
    what: 'a tombstone is written whatever the vault holds by then',
    patches: [
      {
        file: VAULT_WRITES,
        find: 'writeVault(turn, operation, turn.state.version, writing.session, writing.reason, writing.endedAtMs);',
        replace:
          'writeVault(turn, operation, writing.session ? turn.state.version : null, writing.session, writing.reason, writing.endedAtMs);',
      },
    ],
  },
  {
    name: 'lost-probe-signs-out',
    what: 'a look for a session by its cookie that gets no answer ends as if there were none',
    patches: [
      {
        file: FLIGHT,
        find: '  // The first failure of an outage:',
        replace:
          "  if (held?.probe) return requireReauthentication(turn, held.stored, 'revoked');\n  // The first failure of an outage:",
      },
    ],
  },
  {
    name: 'doubt-is-not-shown',
    what: 'refusals that last are not shown',
    patches: [{ file: FLIGHT, find: '>= doubtfulMs', replace: '>= Infinity' }],
  },
  {
    name: 'other-words-sign-out',
    what: 'every OAuth error with status 400 counts as a rejection',
    patches: [{ file: WIRE, find: OAUTH_ERROR, replace: 'if (status === 400 && error)' }],
  },
];
