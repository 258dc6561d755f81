import type { Mutant } from './mutants.ts';

const FLIGHT = 'client/src/refresh-flight.ts';
const SESSION = 'client/src/session.ts';
const TURN = 'client/src/turn.ts';
const WIRE = 'client/src/wire.ts';
const INSTANT = 'client/src/instant.ts';

const OAUTH_ERROR = "if (status >= 400 && status < 500 && error === 'invalid_grant')";

/** Deliberate bugs in the client. */
export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'token-from-memory',
    what: 'the refresh token is sent from memory instead of from the vault',
    patches: [
      {
        file: FLIGHT,
        find: 'else send(turn, flight, held, session, record.stamp);',
        replace: 'else send(turn, flight, held, held.stored, record.stamp);',
      },
    ],
  },
  {
    name: 'stale-read-is-sent',
    what: 'a tab that slept between reading and sending sends what it read',
    patches: [
      {
        file: FLIGHT,
        find: 'if (hasPassed(flight.deadline, turn.now)) return onFlightDeadline(turn, flight);',
        replace: '',
      },
    ],
  },
  {
    name: 'late-answer-is-used',
    what: 'an answer that comes after the response deadline is written',
    patches: [
      {
        file: FLIGHT,
        find: "if (hasPassed(flight.deadline, turn.now)) return failFlight(turn, flight, 'timeout', null, random);",
        replace: '',
      },
      {
        file: SESSION,
        find: 'if (flight && hasPassed(flight.deadline, now)) onFlightDeadline(turn, flight);',
        replace:
          "if (flight && flight.step.kind !== 'requesting' && hasPassed(flight.deadline, now)) onFlightDeadline(turn, flight);",
      },
    ],
  },
  {
    name: 'no-compare-and-swap',
    what: 'an answer is written whatever the vault holds',
    patches: [
      {
        file: FLIGHT,
        find: 'operation: attempt, expectedStamp, session, endedReason: null });',
        replace: 'operation: attempt, expectedStamp: expectedStamp && null, session, endedReason: null });',
      },
    ],
  },
  {
    name: 'no-adoption',
    what: 'a fresh token of another tab is not adopted before a refresh',
    patches: [{ file: FLIGHT, find: 'if (isAnother || isNews) adoptAndLand', replace: 'if (isAnother) adoptAndLand' }],
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
        replace: "if (status === 429 || (status >= 400 && status < 500 && error === 'invalid_grant'))",
      },
    ],
  },
  {
    name: 'server-error-signs-out',
    what: '5xx counts as a rejection',
    patches: [
      { file: WIRE, find: OAUTH_ERROR, replace: "if (status >= 500 || (status >= 400 && error === 'invalid_grant'))" },
    ],
  },
  {
    name: 'any-401-signs-out',
    what: 'a 401 of a proxy counts as a rejection',
    patches: [
      {
        file: WIRE,
        find: OAUTH_ERROR,
        replace: "if (status === 401 || (status >= 400 && status < 500 && error === 'invalid_grant'))",
      },
    ],
  },
  {
    name: 'html-signs-out',
    what: 'a page of a captive portal counts as a rejection',
    patches: [
      {
        file: WIRE,
        find: "return tokens === null ? { kind: 'transient', cause: 'not-json', retryAfterMs: null }",
        replace: "return tokens === null ? { kind: 'rejected', reason: 'revoked' }",
      },
    ],
  },
  {
    name: 'network-error-signs-out',
    what: 'a refresh without an answer ends the session',
    patches: [
      {
        file: FLIGHT,
        find: "if (step.kind === 'requesting') failFlight(turn, flight, 'network', null, random);",
        replace: "if (step.kind === 'requesting') leave(turn, 'revoked', stamp);",
      },
    ],
  },
  {
    name: 'timeout-signs-out',
    what: 'a refresh that takes too long ends the session',
    patches: [
      {
        file: FLIGHT,
        find: "else if (flight.step.kind === 'requesting') failFlight(turn, flight, 'timeout', null, turn.state.jitter);",
        replace: "else if (flight.step.kind === 'requesting') leave(turn, 'expired', turn.state.stamp);",
      },
    ],
  },
  {
    name: 'unavailable-vault-is-empty',
    what: 'a vault that cannot be read during a refresh is taken for an emptied one',
    patches: [
      {
        file: FLIGHT,
        find: "} else if (step.kind !== 'locking') failFlight(turn, flight, 'vault-unavailable', null, random);",
        replace:
          "} else if (step.kind !== 'locking') requireReauthentication(turn, turn.state.phase.stored, 'storage-lost');",
      },
    ],
  },
  {
    name: 'refused-token-is-used-again',
    what: 'a 401 does not mark the token as refused, so that nothing refreshes it',
    patches: [{ file: SESSION, find: 'turn.state.phase = { ...held, isRefused: true };', replace: '' }],
  },
  {
    name: 'parked-for-ever',
    what: "a parked request's deadline is not looked at",
    patches: [
      {
        file: SESSION,
        find: "failWaiters(turn, 'deadline-exceeded', (waiter) => waiter.deadlineMs <= now.monotonicMs);",
        replace: '',
      },
    ],
  },
  {
    name: 'other-tabs-ignored',
    what: 'news of other tabs, and coming to the foreground, do not lead to a look into the vault',
    patches: [
      {
        file: SESSION,
        find: 'operation, isForRefresh: false });',
        replace: 'operation: -operation, isForRefresh: false });',
      },
    ],
  },
  {
    name: 'no-refresh-cap',
    what: 'neither the back-off nor the token bucket holds a refresh back',
    patches: [
      {
        file: TURN,
        find: 'return Math.max(0, backoffMs, Math.ceil((1 - refreshesLeft(turn)) * policy.refreshRefillMs));',
        replace: 'return Math.min(0, backoffMs);',
      },
    ],
  },
  {
    name: 'refresh-without-end',
    what: 'the margin before expiry is as long as the life of the token',
    patches: [
      {
        file: TURN,
        find: 'return margin * (1 - policy.refreshMarginJitter * jitter);',
        replace: 'return access.lifetimeMs + margin * jitter;',
      },
    ],
  },
  {
    name: 'deadline-on-slowest-clock',
    what: 'a deadline has passed only when both clocks have passed it',
    patches: [{ file: INSTANT, find: 'untilEither(deadline, now) <= 0', replace: 'untilBoth(deadline, now) <= 0' }],
  },
  {
    name: 'post-is-repeated',
    what: 'a POST without a key is repeated after the connection broke',
    patches: [
      {
        file: 'client/src/api-client.ts',
        find: "(IDEMPOTENT.has(method) || new Headers(init.headers).has('idempotency-key'))",
        replace: "(IDEMPOTENT.has(method) || method === 'POST')",
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
        find: "run(turn, { type: 'acquireLock', attempt, waitMs: policy.lockWaitMs });",
        replace: "run(turn, { type: 'acquireLock', attempt, waitMs: 1e9 });",
      },
      {
        file: FLIGHT,
        find: 'const deadline = after(now, policy.lockWaitMs * 2);',
        replace: 'const deadline = after(now, 1e9);',
      },
    ],
  },
];
