import { beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../bundle.mjs';
import { createDoomedAnswers } from './faults/doomed-answers.ts';
import { decide } from './rules/grace-30.ts';
import { runJob } from './runner/worker-pool.ts';
import { createOverlapping } from './sandbox/overlapping.ts';
import { createRandom } from './sandbox/random.ts';
import { createScheduler } from './sandbox/scheduler.ts';
import { drawSetup, withoutFaults, type FaultName } from './sandbox/setup.ts';
import { createOutages } from './world/outages.ts';

let worker: string;

beforeAll(async () => {
  worker = await bundle('runner/worker.ts', 'test-faults');
});

/** The texts of all notes of a world with this one fault. */
async function notesWith(fault: FaultName, perHour: number): Promise<readonly string[]> {
  const calm = withoutFaults(drawSetup(3));
  const setup = { ...calm, theftAtMs: null, tabs: 3, faults: { ...calm.faults, [fault]: perHour } };
  const { told } = await runJob(worker, { kind: 'setups', setups: [setup], options: { keepsNotes: true } });
  return told[0]?.notes.map(({ text }) => text) ?? [];
}

describe('a fault counts as struck only if it hit something', () => {
  it.each([
    ['databaseCrashed', 1_000, /^falls back/u],
    ['nodeKilled', 2_000, /^dies$/u],
    ['tabFrozen', 60, /^freezes$/u],
  ] as const)('%s', async (fault, perHour, effect) => {
    const notes = await notesWith(fault, perHour);
    const struck = notes.filter((text) => text === fault);
    expect(struck.length).toBeGreaterThan(2);
    expect(struck).toHaveLength(notes.filter((text) => effect.test(text)).length);
  });
});

describe('a fault that is aimed at the answer of a commit', () => {
  const answer = (sid: string) => ({ status: 200, headers: {}, body: JSON.stringify({ sid }) });
  const node = { isAlive: () => true };
  const otherNode = { isAlive: () => true };

  it('loses that answer, once, and no other one', () => {
    const answers = createDoomedAnswers();
    const isLost = (by: typeof node, sid: string): boolean => {
      const response = answer(sid);
      answers.onTokens(by, response);
      return answers.isDoomed(response);
    };
    answers.doom(node, 'session-1');
    expect(isLost(node, 'session-2')).toBe(false);
    expect(isLost(otherNode, 'session-1')).toBe(false);
    expect(isLost(node, 'session-1')).toBe(true);
    expect(isLost(node, 'session-1')).toBe(false);
  });
});

describe('faults of one kind that overlap', () => {
  it('last until the last of them ends', () => {
    let ends = 0;
    const faults = createOverlapping(() => ends++);
    const [endFirst, endSecond] = [faults.begin(), faults.begin()];
    endFirst();
    endFirst();
    expect([faults.isAny(), ends]).toEqual([true, 0]);
    endSecond();
    expect([faults.isAny(), ends]).toEqual([false, 1]);
    const endThird = faults.begin();
    faults.endAll();
    endThird();
    expect([faults.isAny(), ends]).toEqual([false, 2]);
  });

  it('slow the token endpoint down until the last of them ends', () => {
    const setup = drawSetup(1);
    const outages = createOutages({ scheduler: createScheduler(0, false), random: createRandom(1), setup });
    const [endFirst, endSecond] = [outages.slowDown(4_000), outages.slowDown(3_500)];
    expect(outages.slowMs()).toBe(4_000);
    endFirst();
    expect(outages.slowMs()).toBe(3_500);
    endSecond();
    expect(outages.slowMs()).toBe(0);
  });
});

describe('the grace of another rule', () => {
  const rotatedAtMs = 1_000_000;
  const session = (redeliveries: number, deliveredAtMs: number) => ({
    clientId: 'app',
    scope: [],
    jkt: null,
    generation: 4,
    rotatedBy: 'nonce-3',
    deliveredAtMs,
    redeliveries,
    idleExpiresAtMs: 9_000_000,
    expiresAtMs: 9_000_000,
    lastUsedAtMs: null,
    revokedReason: null,
  });
  const copy = {
    generation: 3,
    nonce: 'another',
    clientId: 'app',
    scope: null,
    jkt: null,
    isUserActive: false,
    isExtension: false,
  };

  it('ends after the rotation, however often the previous copy is used', () => {
    expect(decide(session(0, rotatedAtMs), copy, rotatedAtMs + 20_000).kind).toBe('redeliver');
    const again = session(1, rotatedAtMs + 20_000);
    expect(decide(again, copy, rotatedAtMs + 29_000).kind).toBe('redeliver');
    expect(decide(again, copy, rotatedAtMs + 31_000).kind).toBe('revoke');
  });
});
