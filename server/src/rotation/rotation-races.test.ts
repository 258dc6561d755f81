import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { decide, type Outcome, type PresentedCopy, type RotationPolicy, type SessionState } from './rotation.ts';

// Plays the server's decision in a small world: tabs that share one store without a lock between them, messages that
// are lost, doubled and late, a database that loses its last writes, and a thief. Time and every choice come from
// fast-check.

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000 });

const START_MS = 1_800_000_000_000;
const POLICY: RotationPolicy = {
  rotationIntervalMs: 60_000,
  promptRedeliveries: 32,
  aheadOfDatabase: 'heal',
  inactivityTimeoutSeconds: 3_600,
};
/** Response deadline of a client, and longest life of a request under way. Together they are one rotation interval. */
const DEADLINE_MS = 15_000;
const MESSAGE_LIFE_MS = 45_000;

type Copy = {
  readonly generation: number;
  readonly nonce: string;
};

/** The server: one row, and the row that a failover would bring back without the last writes. */
type Server = {
  row: SessionState;
  fallback: SessionState | null;
  nonces: number;
};

function startServer(): Server {
  return {
    row: {
      clientId: 'app',
      scope: [],
      jkt: null,
      generation: 0,
      rotatedBy: null,
      deliveredAtMs: START_MS,
      redeliveries: 0,
      idleExpiresAtMs: 1e15,
      expiresAtMs: 1e15,
      lastUsedAtMs: null,
      revokedReason: null,
    },
    fallback: null,
    nonces: 0,
  };
}

/** Serves one use of a copy: writes the row like the store, and hands out a copy. */
function serve(server: Server, copy: Copy, nowMs: number): { readonly outcome: Outcome; readonly copy: Copy | null } {
  const { row } = server;
  const presented: PresentedCopy = {
    ...copy,
    clientId: 'app',
    scope: null,
    jkt: null,
    isUserActive: false,
    isExtension: false,
  };
  const outcome = decide(row, presented, nowMs, POLICY);
  const handOut = (): Copy => ({ generation: server.row.generation, nonce: `n${server.nonces++}` });
  switch (outcome.kind) {
    case 'rotate': {
      const generation = row.generation + 1;
      server.row = { ...row, generation, rotatedBy: copy.nonce, deliveredAtMs: nowMs, redeliveries: 0 };
      server.fallback ??= row;
      return { outcome, copy: handOut() };
    }
    case 'redeliver':
      server.row = { ...row, deliveredAtMs: nowMs, redeliveries: row.redeliveries + 1 };
      // A replay waits for the disk, and so do all writes before it.
      server.fallback = null;
      return { outcome, copy: handOut() };
    case 'heal':
      server.row = { ...row, generation: outcome.generation, rotatedBy: null, deliveredAtMs: nowMs, redeliveries: 0 };
      server.fallback ??= row;
      return { outcome, copy: null };
    case 'revoke':
      server.row = { ...row, revokedReason: 'reuse' };
      server.fallback = null;
      return { outcome, copy: null };
    case 'accessTokenOnly':
    case 'unavailable':
    case 'wait':
    case 'refuse':
      return { outcome, copy: null };
  }
}

type Message = {
  readonly tab: number;
  readonly sentAtMs: number;
  /** The copy that the tab read before it sent. */
  readonly read: Copy;
  /** Undefined until the server has answered. */
  readonly answer: Copy | null | undefined;
};

type Step =
  | { readonly kind: 'send'; readonly tab: number }
  | { readonly kind: 'serve' | 'receive' | 'lose' | 'double'; readonly which: number }
  | { readonly kind: 'pass'; readonly milliseconds: number }
  | { readonly kind: 'flush' | 'fall_back' };

const which = fc.nat(5);
const anyStep = (tabs: number): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), tab: fc.nat(tabs - 1) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('serve' as const, 'receive' as const), which }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('lose' as const, 'double' as const), which }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        milliseconds: fc.constantFrom(1, 5_000, 14_999, 30_000, 44_999, 60_000, 3_600_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'fall_back' as const) }) },
  );

/** Plays tabs of one honest user. Skips impossible steps, and faults beyond the budget. */
function play(steps: readonly Step[], faultBudget: number, hasCompareAndSwap: boolean): readonly Outcome[] {
  const server = startServer();
  const outcomes: Outcome[] = [];
  let stored: Copy = { generation: 0, nonce: 'first' };
  let wire: Message[] = [];
  let nowMs = START_MS;
  let faults = faultBudget;
  const isAlive = ({ sentAtMs, answer }: Message): boolean =>
    nowMs - sentAtMs < (answer === undefined ? MESSAGE_LIFE_MS : DEADLINE_MS);
  const answer = (message: Message): Message => {
    const served = serve(server, message.read, nowMs);
    outcomes.push(served.outcome);
    return { ...message, answer: served.copy };
  };
  const receive = ({ read, answer: copy }: Message): void => {
    const isFirst = stored.nonce === read.nonce;
    if (copy && (isFirst || !hasCompareAndSwap)) stored = copy;
  };
  for (const step of steps) {
    const waiting = 'which' in step ? wire.filter((message) => isPossible(step.kind, message)) : [];
    const message = waiting['which' in step ? step.which % Math.max(1, waiting.length) : 0];
    const isFault = step.kind === 'lose' || step.kind === 'double' || step.kind === 'fall_back';
    if (isFault && faults-- <= 0) continue;
    if (step.kind === 'send') wire.push({ tab: step.tab, sentAtMs: nowMs, read: stored, answer: undefined });
    else if (step.kind === 'pass') nowMs += step.milliseconds;
    else if (step.kind === 'flush') server.fallback = null;
    else if (step.kind === 'fall_back') server.row = server.fallback ?? server.row;
    else if (message !== undefined) {
      if (step.kind !== 'double') wire = wire.filter((other) => other !== message);
      if (step.kind === 'serve' || step.kind === 'double') wire.push(answer(message));
      if (step.kind === 'receive') receive(message);
    }
    wire = wire.filter(isAlive);
  }
  // After all steps: an hour later the user is still signed in, and the session goes on.
  for (let use = 0; use < 3; use++) {
    nowMs += 3_600_000;
    const last = serve(server, stored, nowMs);
    outcomes.push(last.outcome);
    stored = last.copy ?? stored;
  }
  expect(server.row.generation).toBeGreaterThan(0);
  return outcomes;
}

function isPossible(kind: Step['kind'], { answer }: Message): boolean {
  if (kind === 'lose') return true;
  return kind === 'receive' ? answer !== undefined : answer === undefined;
}

// The promise of the protocol. A cookie jar keeps the last answer; a vault compares and swaps.
test.each([
  ['two tabs, a cookie jar, three faults', 2, 3, false],
  ['two tabs, a vault, three faults', 2, 3, true],
  ['three tabs, a cookie jar, two faults', 3, 2, false],
  ['three tabs, a vault, two faults', 3, 2, true],
] as const)('no honest user is ever signed out: %s', (_, tabs, faultBudget, hasCompareAndSwap) => {
  fc.assert(
    fc.property(fc.array(anyStep(tabs), { maxLength: 60, size: 'max' }), (steps) => {
      const outcomes = play(steps, faultBudget, hasCompareAndSwap);
      expect(outcomes.filter(({ kind }) => kind === 'revoke' || kind === 'refuse' || kind === 'unavailable')).toEqual(
        [],
      );
    }),
    { numRuns: 4_000 },
  );
});

type Turn = {
  readonly who: 'owner' | 'thief';
  /** The thief's copy: the stolen one, or the one this many before its newest. */
  readonly which: 'taken' | number;
  readonly isLater: boolean;
};

const anyTurn: fc.Arbitrary<Turn> = fc.record({
  who: fc.constantFrom('owner' as const, 'thief' as const),
  which: fc.constantFrom('taken' as const, 0, 1, 2),
  isLater: fc.boolean(),
});

/** Plays owner and thief on one session until it ends. */
function playTheft(turns: readonly Turn[]): {
  /** The parties that rotated, in order. Consecutive rotations of one party are one turn. */
  readonly rotations: string;
  /** Number of intervals in which both got an access token. */
  readonly shared: number;
  readonly isEnded: boolean;
} {
  const server = startServer();
  const taken: Copy = { generation: 0, nonce: 'first' };
  let held = taken;
  const loot: Copy[] = [taken];
  let nowMs = START_MS + POLICY.rotationIntervalMs;
  let rotations = '';
  let shared = 0;
  let answered = new Set<string>();
  for (const { who, which: choice, isLater } of turns) {
    if (server.row.revokedReason !== null) break;
    if (isLater && nowMs - server.row.deliveredAtMs < POLICY.rotationIntervalMs) {
      nowMs += POLICY.rotationIntervalMs;
      if (answered.size === 2) shared++;
      answered = new Set();
    }
    const loots = choice === 'taken' ? taken : (loot.at(-1 - choice) ?? taken);
    const used = who === 'owner' ? held : loots;
    const { outcome, copy } = serve(server, used, nowMs);
    if (outcome.kind === 'rotate' && !rotations.endsWith(who)) rotations += who;
    if (outcome.kind === 'rotate' || outcome.kind === 'redeliver' || outcome.kind === 'accessTokenOnly')
      answered.add(who);
    if (copy !== null && who === 'owner') held = copy;
    if (copy !== null && who === 'thief') loot.push(copy);
  }
  return { rotations, shared, isEnded: server.row.revokedReason !== null };
}

// The purpose of rotation.
test('after a theft, thief and owner rotate one turn each at most, and share a handful of intervals', () => {
  let ended = 0;
  fc.assert(
    fc.property(fc.array(anyTurn, { maxLength: 60, size: 'max' }), (turns) => {
      const { rotations, shared, isEnded } = playTheft(turns);
      expect(['', 'owner', 'thief', 'ownerthief', 'thiefowner']).toContain(rotations);
      expect(shared).toBeLessThanOrEqual(6);
      if (isEnded) ended++;
    }),
    { numRuns: 10_000 },
  );
  expect(ended).toBeGreaterThan(5_000);
});

// Thieves with a strategy. The worst repeats a spent copy at every interval, and so is always the last to get a copy.
test.each([
  ['the copy it took', 'taken'],
  ['the newest copy it has', 0],
  ['the one before', 1],
] as const)('a thief who always goes first and uses %s is detected within six intervals', (_, choice) => {
  const interval: readonly Turn[] = [
    { who: 'thief', which: choice, isLater: true },
    { who: 'owner', which: 0, isLater: false },
  ];
  const afterTheft: Turn = { who: 'owner', which: 0, isLater: true };
  const { isEnded } = playTheft([afterTheft, ...Array.from({ length: 6 }, () => interval).flat()]);
  expect(isEnded).toBe(true);
});
