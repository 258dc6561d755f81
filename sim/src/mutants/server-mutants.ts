import type { Mutant } from './mutant.ts';

const ROTATION = 'server/src/rotation/rotation.ts';
const SESSIONS = 'server/src/sessions/session-use.ts';
const TABLE = 'server/src/storage/memory-rotations.ts';
const CHAINS = 'server/src/storage/memory-chains.ts';

/** Mutants of the server. The mutants of the memory store stand for mutants of the SQL statements. */
export const SERVER_MUTANTS: readonly Mutant[] = [
  {
    name: 'strict-rotation',
    what: 'the exact predecessor is reuse',
    patches: [
      {
        file: ROTATION,
        find: 'if (behind === 1 && presented.nonce === session.rotatedBy) {',
        replace: 'if (behind === 1 && presented.nonce === null) {',
      },
    ],
  },
  {
    name: 'short-extension-is-not-written',
    what: 'an extension that the user asked for is written only where it gains more than an interval',
    patches: [
      {
        file: ROTATION,
        find: '(presented.isExtension ? 0 : policy.rotationIntervalMs)',
        replace: 'policy.rotationIntervalMs',
      },
    ],
  },
  {
    name: 'any-predecessor-redelivers',
    what: 'any copy of the previous generation is handed the newest one again',
    patches: [
      {
        file: ROTATION,
        find: 'if (behind === 1 && presented.nonce === session.rotatedBy) {',
        replace: 'if (behind === 1) {',
      },
    ],
  },
  {
    name: 'copies-not-told-apart',
    what: 'every copy of a generation has the same nonce',
    patches: [
      {
        file: 'server/src/tokens/refresh-token.ts',
        find: 'return nonces.subarray(nonceAt - NONCE_BYTES, nonceAt);',
        replace: 'return Buffer.alloc(NONCE_BYTES);',
      },
    ],
  },
  {
    name: 'fork-ends-at-once',
    what: 'a fork ends the session also while the last rotation may be under way',
    patches: [
      {
        file: ROTATION,
        find: "if (isRotationUnderWay) return { kind: 'wait', retryAfterMs: policy.rotationIntervalMs - ageMs };",
        replace: '',
      },
    ],
  },
  {
    name: 'only-one-waits',
    what: 'two generations behind ends the session at once',
    patches: [{ file: ROTATION, find: 'if (behind <= 2) {', replace: 'if (behind <= 1) {' }],
  },
  {
    name: 'lenient-after-a-redelivery',
    what: 'a redelivery makes the next interval as lenient as a rotation does',
    patches: [
      {
        file: ROTATION,
        find: 'const isRotationUnderWay = isRecent && session.redeliveries === 0;',
        replace: 'const isRotationUnderWay = isRecent;',
      },
      { file: TABLE, find: '!(row.redeliveries === 0 && isRecent)', replace: '!isRecent' },
    ],
  },
  {
    name: 'ahead-is-unknown',
    what: 'a generation ahead of the database is refused for good',
    patches: [
      {
        file: ROTATION,
        find: "return policy.aheadOfDatabase === 'heal'\n      ? { kind: 'heal', generation: presented.generation }\n      : { kind: 'unavailable' };",
        replace: "return dead('unknown');",
      },
    ],
  },
  {
    name: 'no-interval',
    what: 'every use rotates and every redelivery hands out a copy at once',
    patches: [
      { file: 'server/src/kernel/policy.ts', find: 'rotationIntervalMs: 60_000,', replace: 'rotationIntervalMs: 0,' },
    ],
  },
  {
    name: 'interval-below-deadline',
    what: "the interval is shorter than the client's response deadline",
    patches: [
      {
        file: 'server/src/kernel/policy.ts',
        find: 'rotationIntervalMs: 60_000,',
        replace: 'rotationIntervalMs: 5_000,',
      },
    ],
  },
  {
    name: 'reuse-is-answered',
    what: 'an old copy is answered with an access token instead of ending the session',
    patches: [
      {
        file: ROTATION,
        find: "return { kind: 'revoke', because: behind === 1 ? 'fork' : 'stale' };",
        replace: "return { kind: 'answer', because: 'recent', isSliding: false };",
      },
      {
        file: ROTATION,
        find: "return { kind: 'revoke', because: 'stale' };\n}",
        replace: "return { kind: 'answer', because: 'recent', isSliding: false };\n}",
      },
    ],
  },
  {
    name: 'one-redelivery',
    what: 'a generation is handed out again only once, then the session ends',
    patches: [
      {
        file: ROTATION,
        find: 'return ageMs < paceMs ?',
        replace:
          "if (ageMs >= paceMs && session.redeliveries > 0) return { kind: 'revoke', because: 'stale' };\n    return ageMs < paceMs ?",
      },
    ],
  },
  {
    name: 'doubt-is-a-verdict',
    what: 'a database that does not answer makes the token invalid',
    patches: [
      {
        file: 'server/src/http/answers.ts',
        find: 'return temporarilyUnavailable(retryAfterSeconds, thrown);',
        replace: "return invalidGrant('unknown');",
      },
    ],
  },
  {
    name: 'expired-half-way',
    what: 'the inactivity timeout counts from the last delivery',
    patches: [
      {
        file: ROTATION,
        find: 'if (session.idleExpiresAtMs <= nowMs)',
        replace: 'if (session.deliveredAtMs + 600_000 <= nowMs)',
      },
    ],
  },
  {
    name: 'wait-clears-the-cookie',
    what: 'the answer "wait" removes the refresh cookie',
    patches: [
      {
        file: 'server/src/http/grants/refresh-token.ts',
        find: "headers: { 'retry-after': String(Math.ceil(answer.retryAfterMs / 1_000)) },",
        replace:
          "headers: { 'retry-after': String(Math.ceil(answer.retryAfterMs / 1000)), ...(cookie && { 'set-cookie': [clearCookie(cookie.name)] }) },",
      },
    ],
  },
  {
    name: 'one-cookie-for-all',
    what: 'all sessions of a browser share one cookie',
    patches: [
      {
        file: 'server/src/http/refresh-cookies.ts',
        find: "return prefixOf(issuer) + sid.replaceAll('-', '').slice(0, SID_DIGITS);",
        replace: "return prefixOf(issuer) + sid.slice(0, 0).padEnd(SID_DIGITS, '0');",
      },
    ],
  },
  {
    name: 'token-in-server-event',
    what: "a server's event carries the refresh token",
    patches: [
      {
        file: SESSIONS,
        find: "report({ type: 'refresh.delayed', sid, clientId, retryAfterMs: outcome.retryAfterMs, address });",
        replace:
          "report({ type: 'refresh.delayed', sid, clientId, retryAfterMs: outcome.retryAfterMs, ...{ token: formatRefreshToken(use.candidate, parts.keyRing) } });",
      },
    ],
  },
  {
    name: 'revocation-not-on-disk',
    what: 'a revocation commits without waiting for the disk',
    patches: [
      {
        file: CHAINS,
        find: 'return transact({ rows, isDurable: true, namesRow: false }, (transaction) =>\n      finish(',
        replace: 'return transact({ rows, isDurable: false, namesRow: false }, (transaction) =>\n      finish(',
      },
    ],
  },
  {
    name: 'reuse-not-on-disk',
    what: 'the end of a session by reuse commits without waiting for the disk',
    patches: [
      {
        file: TABLE,
        find: 'transact({ rows: [version.sid], isDurable: true, namesRow: true }, (transaction) => {',
        replace: 'transact({ rows: [version.sid], isDurable: false, namesRow: true }, (transaction) => {',
      },
    ],
  },
  {
    name: 'rotated-by-forgotten',
    what: 'a rotation does not note which copy it was for',
    patches: [{ file: TABLE, find: "rotatedBy: candidate.nonce.toString('hex'),", replace: 'rotatedBy: null,' }],
  },
  {
    name: 'sign-out-ends-one',
    what: 'a sign-out ends the session that is named, and not the sessions before it in its chain',
    patches: [
      {
        file: 'server/src/storage/memory-chains.ts',
        find: 'return live.filter((row) => row.deviceSequence <= last);',
        replace: 'return live.filter((row) => row.deviceSequence === deviceSequence);',
      },
    ],
  },
  {
    name: 'sign-out-spares-unused',
    what: 'a sign-out leaves later sessions of its device alive that were never used',
    patches: [{ file: CHAINS, find: '...unused.map((row) => row.deviceSequence)', replace: '' }],
  },
  {
    name: 'sign-out-spares-used',
    what: 'a sign-out leaves a session alive that was used and is below another one that it ends',
    patches: [
      {
        file: CHAINS,
        find: 'return live.filter((row) => row.deviceSequence <= last);',
        replace:
          'return live.filter((row) => row.deviceSequence <= deviceSequence || (row.deviceSequence <= last && unused.includes(row)));',
      },
    ],
  },
];
