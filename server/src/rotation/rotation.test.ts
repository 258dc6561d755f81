import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decide,
  LAST_GENERATION,
  type Outcome,
  type PresentedCopy,
  type RotationPolicy,
  type SessionState,
} from './rotation.ts';

const NOW_MS = 1_800_000_000_000;
const INTERVAL_MS = 60_000;
const POLICY: RotationPolicy = {
  rotationIntervalMs: INTERVAL_MS,
  promptRedeliveries: 32,
  aheadOfDatabase: 'heal',
  inactivityTimeoutSeconds: 3_600,
};
const LONG_AGO_MS = NOW_MS - INTERVAL_MS;
const JUST_NOW_MS = NOW_MS - INTERVAL_MS + 1;

const SESSION: SessionState = {
  clientId: 'app',
  scope: ['notes', 'profile'],
  jkt: null,
  generation: 7,
  rotatedBy: 'n6',
  deliveredAtMs: LONG_AGO_MS,
  redeliveries: 0,
  idleExpiresAtMs: NOW_MS + 3_600_000,
  expiresAtMs: NOW_MS + 86_400_000,
  lastUsedAtMs: NOW_MS - INTERVAL_MS,
  revokedReason: null,
};
const COPY: PresentedCopy = {
  generation: 7,
  nonce: 'n7',
  clientId: 'app',
  scope: null,
  jkt: null,
  isUserActive: true,
  isExtension: false,
};

type Case = {
  readonly row: string;
  readonly name: string;
  readonly session?: Partial<SessionState> | null;
  readonly copy?: Partial<PresentedCopy>;
  readonly policy?: Partial<RotationPolicy>;
  readonly otherwise: Outcome;
  /** Outcome within the interval. Default: `otherwise`. */
  readonly recent?: Outcome;
};

const refused = (reason: 'unknown' | 'revoked' | 'reuse' | 'expired' | 'idle_expired' | 'wrong_client' | 'wrong_key') =>
  ({ kind: 'refuse', error: 'invalid_grant', reason }) as const;
const recentAnswer: Outcome = { kind: 'accessTokenOnly', because: 'recent', isSliding: false };
const waitOneMs: Outcome = { kind: 'wait', retryAfterMs: 1 };
const ahead = { generation: 9, nonce: 'n9' };

const TABLE: readonly Case[] = [
  { row: '1', name: 'no such session', session: null, otherwise: refused('unknown') },
  { row: '1', name: 'signed out', session: { revokedReason: 'signed_out' }, otherwise: refused('revoked') },
  { row: '1', name: 'ended for reuse', session: { revokedReason: 'reuse' }, otherwise: refused('reuse') },
  { row: '1', name: 'absolute lifetime over', session: { expiresAtMs: NOW_MS }, otherwise: refused('expired') },
  { row: '1', name: 'inactive for too long', session: { idleExpiresAtMs: NOW_MS }, otherwise: refused('idle_expired') },
  {
    row: '1',
    name: 'ended takes precedence over expired, and both over a wrong client',
    session: { revokedReason: 'signed_out', expiresAtMs: 0 },
    copy: { clientId: 'stranger' },
    otherwise: refused('revoked'),
  },
  { row: '2', name: "another client's token", copy: { clientId: 'stranger' }, otherwise: refused('wrong_client') },
  {
    row: '2',
    name: 'scope beyond the grant',
    copy: { scope: ['notes', 'admin'] },
    otherwise: { kind: 'refuse', error: 'invalid_scope', reason: 'scope' },
  },
  {
    row: '2',
    name: 'bound, proof by another key',
    session: { jkt: 'k' },
    copy: { jkt: 'x' },
    otherwise: refused('wrong_key'),
  },
  {
    row: '2',
    name: 'bound, no proof',
    session: { jkt: 'k' },
    otherwise: { kind: 'refuse', error: 'invalid_dpop_proof', reason: 'proof_missing' },
  },
  {
    row: '2',
    name: 'a stranger with an old copy does not end the session',
    copy: { clientId: 'stranger', generation: 0 },
    otherwise: refused('wrong_client'),
  },
  {
    row: '3',
    name: 'bound, proof by its key: never rotates',
    session: { jkt: 'k', generation: 0 },
    copy: { jkt: 'k', generation: 0 },
    otherwise: { kind: 'accessTokenOnly', because: 'bound', isSliding: false },
  },
  { row: '4', name: 'the newest generation', otherwise: { kind: 'rotate' }, recent: recentAnswer },
  {
    row: '4',
    name: 'within the grant',
    copy: { scope: ['notes'] },
    otherwise: { kind: 'rotate' },
    recent: recentAnswer,
  },
  { row: '4', name: 'after a replay', session: { redeliveries: 1 }, otherwise: { kind: 'rotate' } },
  {
    row: '4',
    name: 'no generation left',
    session: { generation: LAST_GENERATION },
    copy: { generation: LAST_GENERATION },
    otherwise: { kind: 'accessTokenOnly', because: 'last_generation', isSliding: false },
    recent: recentAnswer,
  },
  {
    row: '5',
    name: 'the exact predecessor',
    copy: { generation: 6, nonce: 'n6' },
    otherwise: { kind: 'redeliver' },
    recent: recentAnswer,
  },
  {
    row: '5',
    name: 'the exact predecessor after so many redeliveries that it is paced',
    session: { redeliveries: 32 },
    copy: { generation: 6, nonce: 'n6' },
    otherwise: recentAnswer,
    recent: recentAnswer,
  },
  {
    row: '5',
    name: 'the exact predecessor, paced, once 15 intervals are over',
    session: { redeliveries: 1_000, deliveredAtMs: NOW_MS - 15 * INTERVAL_MS },
    copy: { generation: 6, nonce: 'n6' },
    otherwise: { kind: 'redeliver' },
  },
  {
    row: '6',
    name: 'another copy of the predecessor: a fork',
    copy: { generation: 6, nonce: 'fork' },
    otherwise: { kind: 'revoke', because: 'fork' },
    recent: waitOneMs,
  },
  {
    row: '6',
    name: 'a fork after a replay',
    session: { redeliveries: 1 },
    copy: { generation: 6, nonce: 'fork' },
    otherwise: { kind: 'revoke', because: 'fork' },
  },
  {
    row: '6',
    name: 'a predecessor when it is unknown which copy rotated',
    session: { rotatedBy: null },
    copy: { generation: 6, nonce: 'n6' },
    otherwise: { kind: 'revoke', because: 'fork' },
    recent: waitOneMs,
  },
  {
    row: '6',
    name: 'two behind',
    copy: { generation: 5, nonce: 'n5' },
    otherwise: { kind: 'revoke', because: 'stale' },
    recent: waitOneMs,
  },
  {
    row: '6',
    name: 'two behind after a replay',
    session: { redeliveries: 1 },
    copy: { generation: 5, nonce: 'n5' },
    otherwise: { kind: 'revoke', because: 'stale' },
  },
  { row: '7', name: 'ahead of the database', copy: ahead, otherwise: { kind: 'heal', generation: 9 } },
  {
    row: '7',
    name: 'ahead of the database, and the policy refuses to heal',
    copy: ahead,
    policy: { aheadOfDatabase: 'refuse' },
    otherwise: { kind: 'unavailable' },
  },
  {
    row: '7b',
    name: 'three behind',
    copy: { generation: 4, nonce: 'n4' },
    otherwise: { kind: 'revoke', because: 'stale' },
  },
];

describe.each(TABLE)('row $row: $name', ({ session, copy, policy, otherwise, recent }) => {
  const at = (deliveredAtMs: number): Outcome =>
    decide(session === null ? null : { ...SESSION, deliveredAtMs, ...session }, { ...COPY, ...copy }, NOW_MS, {
      ...POLICY,
      ...policy,
    });

  test('an interval after the last delivery', () => expect(at(LONG_AGO_MS)).toEqual(otherwise));
  test('within the interval', () => expect(at(JUST_NOW_MS)).toEqual(recent ?? otherwise));
  test("within the interval by a clock that is behind the last writer's", () => {
    expect(at(NOW_MS + INTERVAL_MS - 1)).toEqual(recent ?? otherwise);
  });
});

describe('inactivity timeout', () => {
  const slide = (idleExpiresAtMs: number, isUserActive: boolean): Outcome =>
    decide({ ...SESSION, deliveredAtMs: NOW_MS, idleExpiresAtMs }, { ...COPY, isUserActive }, NOW_MS, POLICY);

  test("the user's own activity keeps a session alive without a rotation", () => {
    expect(slide(NOW_MS + 1_000, true)).toEqual({ kind: 'accessTokenOnly', because: 'recent', isSliding: true });
  });
  test('a background refresh does not', () => {
    expect(slide(NOW_MS + 1_000, false)).toEqual({ kind: 'accessTokenOnly', because: 'recent', isSliding: false });
  });
  test('a gain of less than an interval is not written', () => {
    expect(slide(NOW_MS + 3_600_000 - INTERVAL_MS, true)).toEqual(recentAnswer);
  });
  test('an extension that the user asked for is written even for a small gain', () => {
    const extend = (idleExpiresAtMs: number): Outcome =>
      decide({ ...SESSION, deliveredAtMs: NOW_MS, idleExpiresAtMs }, { ...COPY, isExtension: true }, NOW_MS, POLICY);
    expect(extend(NOW_MS + 3_600_000 - 1)).toEqual({ kind: 'accessTokenOnly', because: 'recent', isSliding: true });
    expect(extend(NOW_MS + 3_600_000)).toEqual(recentAnswer);
  });
});

const mostly = <Value>(usual: Value, rare: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare });
const anyGeneration = fc.oneof(fc.nat(5), fc.integer({ min: LAST_GENERATION - 5, max: LAST_GENERATION }));
const anyBehind = fc.integer({ min: -2, max: 4 });
const anyCopy: fc.Arbitrary<PresentedCopy> = fc.record({
  generation: anyGeneration,
  nonce: fc.constantFrom('a', 'b', 'c'),
  clientId: mostly('app', fc.constant('stranger')),
  scope: mostly<readonly string[] | null>(null, fc.subarray(['notes', 'profile', 'admin'])),
  jkt: mostly<string | null>(null, fc.constantFrom('k', 'x')),
  isUserActive: fc.boolean(),
  isExtension: fc.boolean(),
});
const anyTimeMs = fc.integer({ min: NOW_MS - 200_000, max: NOW_MS + 200_000 });
const anySession: fc.Arbitrary<SessionState> = fc.record({
  clientId: mostly('app', fc.constant('stranger')),
  scope: mostly<readonly string[]>(['notes', 'profile'], fc.subarray(['notes', 'profile'])),
  jkt: mostly<string | null>(null, fc.constantFrom('k', 'x')),
  generation: anyGeneration,
  rotatedBy: fc.option(fc.constantFrom('a', 'b', 'c')),
  deliveredAtMs: anyTimeMs,
  redeliveries: fc.oneof(fc.constant(0), fc.nat(40)),
  idleExpiresAtMs: mostly(NOW_MS + 3_600_000, anyTimeMs),
  expiresAtMs: mostly(NOW_MS + 86_400_000, anyTimeMs),
  lastUsedAtMs: fc.option(anyTimeMs),
  revokedReason: mostly<string | null>(null, fc.constantFrom('reuse', 'signed_out')),
});
const anyPolicy: fc.Arbitrary<RotationPolicy> = fc.record({
  rotationIntervalMs: fc.constantFrom(0, 1, INTERVAL_MS),
  promptRedeliveries: fc.constantFrom(0, 1, 32),
  aheadOfDatabase: fc.constantFrom('heal', 'refuse'),
  inactivityTimeoutSeconds: fc.constantFrom(1, 3_600),
});

/** Applies an outcome to the row, like the store. */
function apply(session: SessionState, outcome: Outcome, copy: PresentedCopy, nowMs: number): SessionState {
  switch (outcome.kind) {
    case 'rotate':
      return {
        ...session,
        generation: session.generation + 1,
        rotatedBy: copy.nonce,
        deliveredAtMs: nowMs,
        redeliveries: 0,
      };
    case 'redeliver':
      return { ...session, deliveredAtMs: nowMs, redeliveries: session.redeliveries + 1 };
    case 'heal':
      return { ...session, generation: outcome.generation, rotatedBy: null, deliveredAtMs: nowMs, redeliveries: 0 };
    case 'revoke':
      return { ...session, revokedReason: 'reuse' };
    case 'accessTokenOnly':
    case 'unavailable':
    case 'wait':
    case 'refuse':
      return session;
  }
}

describe('properties', () => {
  test('every input has an outcome, and a dead session never gets a token', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(
        fc.option(anySession, { freq: 20 }),
        anyCopy,
        anyBehind,
        anyPolicy,
        (session, copy, behind, policy) => {
          const generation = Math.min(Math.max((session?.generation ?? 0) - behind, 0), LAST_GENERATION);
          const outcome = decide(session, { ...copy, generation }, NOW_MS, policy);
          const isDead =
            session === null ||
            session.revokedReason !== null ||
            session.expiresAtMs <= NOW_MS ||
            session.idleExpiresAtMs <= NOW_MS;
          expect(isDead && outcome.kind !== 'refuse').toBe(false);
          expect(outcome.kind === 'wait' && outcome.retryAfterMs <= 0).toBe(false);
          kinds.add(outcome.kind);
        },
      ),
      { numRuns: 5_000 },
    );
    expect([...kinds].toSorted()).toEqual([
      'accessTokenOnly',
      'heal',
      'redeliver',
      'refuse',
      'revoke',
      'rotate',
      'unavailable',
      'wait',
    ]);
  });

  test('neither another client nor a wrong key changes a session', () => {
    fc.assert(
      fc.property(anySession, anyCopy, anyPolicy, (session, copy, policy) => {
        const isForeign = copy.clientId !== session.clientId || (session.jkt !== null && copy.jkt !== session.jkt);
        expect(isForeign && decide(session, copy, NOW_MS, policy).kind !== 'refuse').toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  // One holder, one store, no thief: the session goes on, with any answers lost and any pauses between tries.
  const anyTry = fc.record({
    isAnswerLost: fc.boolean(),
    pauseMs: fc.constantFrom(0, 1_000, 59_999, 60_000, 9_000_000),
  });
  test('a holder whose answers are lost is never ended, told to wait or refused', () => {
    fc.assert(
      fc.property(fc.array(anyTry, { maxLength: 60 }), (tries) => {
        let nowMs = NOW_MS;
        let nonces = 0;
        let held = { generation: 0, nonce: 'first' };
        let session: SessionState = {
          ...SESSION,
          generation: 0,
          rotatedBy: null,
          expiresAtMs: 1e15,
          idleExpiresAtMs: 1e15,
        };
        for (const { isAnswerLost, pauseMs } of tries) {
          nowMs += pauseMs;
          const copy = { ...COPY, ...held };
          const outcome = decide(session, copy, nowMs, POLICY);
          expect(['rotate', 'redeliver', 'accessTokenOnly']).toContain(outcome.kind);
          session = apply(session, outcome, copy, nowMs);
          const isDelivered = outcome.kind === 'rotate' || outcome.kind === 'redeliver';
          if (isDelivered && !isAnswerLost) held = { generation: session.generation, nonce: `n${nonces++}` };
        }
      }),
    );
  });

  test('a database that forgot the last rotations goes on with the holder', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.boolean(), (lost, isRecent) => {
        const session = { ...SESSION, deliveredAtMs: isRecent ? JUST_NOW_MS : LONG_AGO_MS };
        const copy = { ...COPY, generation: session.generation + lost, nonce: 'newest' };
        const healed = apply(session, decide(session, copy, NOW_MS, POLICY), copy, NOW_MS);
        expect(decide(healed, copy, NOW_MS + 1, POLICY).kind).toBe('accessTokenOnly');
        expect(decide(healed, copy, NOW_MS + INTERVAL_MS, POLICY).kind).toBe('rotate');
      }),
    );
  });

  test('a thief and an owner who both go on are detected', () => {
    // Both hold generation 7, and each uses what it has once per interval.
    let session: SessionState = { ...SESSION, expiresAtMs: 1e15, idleExpiresAtMs: 1e15 };
    const held = { owner: { generation: 7, nonce: 'n7' }, thief: { generation: 7, nonce: 'n7' } };
    const rotations: string[] = [];
    let nowMs = NOW_MS;
    for (let turn = 0; turn < 8 && session.revokedReason === null; turn++) {
      for (const who of ['thief', 'owner'] as const) {
        nowMs += INTERVAL_MS;
        const copy = { ...COPY, ...held[who] };
        const outcome = decide(session, copy, nowMs, POLICY);
        session = apply(session, outcome, copy, nowMs);
        if (outcome.kind === 'rotate') rotations.push(who);
        if (outcome.kind === 'rotate' || outcome.kind === 'redeliver') {
          held[who] = { generation: session.generation, nonce: `${who}${turn}` };
        }
      }
    }
    expect(session.revokedReason).toBe('reuse');
    expect(rotations.length).toBeLessThanOrEqual(2);
  });
});
