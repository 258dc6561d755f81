import { describe, expect, test } from 'vitest';
import { HoldfastServerError } from '../kernel/errors.ts';
import { type IssuedGeneration, type RotationCandidate, type SessionStore, RowFault } from '../storage/store.ts';
import { createRotationBatches, type Attempt } from './rotation-batch.ts';

function candidate(sid: string): RotationCandidate {
  const bytes = Buffer.alloc(0);
  return {
    sid,
    generation: 0,
    nonce: bytes,
    secret: bytes,
    clientId: 'app',
    scope: null,
    isUserActive: true,
    inactivityTimeoutSeconds: 3_600,
    nextNonce: bytes,
    address: '',
    userAgent: '',
  };
}

const delivery = (sid: string): IssuedGeneration => ({
  record: { sid } as IssuedGeneration['record'],
  secret: Buffer.alloc(16),
});

/** A store that records its statements; `rotate` fails on request. The tests with PostgreSQL cover real rows. */
function recordingStore(fail: (sids: readonly string[]) => Error | null = () => null): {
  readonly store: Pick<SessionStore, 'rotate' | 'read'>;
  readonly statements: string[];
} {
  const statements: string[] = [];
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    statements,
    store: {
      rotate: async (candidates) => {
        const sids = candidates.map(({ sid }) => sid);
        statements.push(`rotate ${sids.join()}`);
        await turn();
        const failure = fail(sids);
        if (failure !== null) throw failure;
        return sids.map((sid) => (sid.startsWith('x') ? null : delivery(sid)));
      },
      read: async (copies) => {
        statements.push(`read ${copies.map(({ sid }) => sid).join()}`);
        await turn();
        return copies.map(() => null);
      },
    },
  };
}

const ONE_LANE = { maxBatchSize: 10, rotationLanes: 1 };

const kinds = (attempts: readonly Attempt[]): readonly string[] => attempts.map(({ kind }) => kind);

describe('a batch with one row that the database refuses', () => {
  test.each([
    ['a lock that another transaction holds', () => new RowFault('row fault 55P03'), 'unavailable'],
    ['text that is none', () => Object.assign(new Error('invalid byte sequence'), { code: '22021' }), '22021'],
    ['a value that cannot be sent', () => new TypeError('no such type'), undefined],
  ])('answers the ten others: %s', async (_what, fault, code) => {
    const { store } = recordingStore((sids) => (sids.includes('bad') ? fault() : null));
    const batches = createRotationBatches(store, { maxBatchSize: 11, rotationLanes: 1 });
    const sids = Array.from({ length: 11 }, (_, index) => (index === 5 ? 'bad' : `good${index}`));
    const outcomes = await Promise.allSettled(sids.map((sid) => batches.join(candidate(sid))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const bad = outcomes[5];
    if (bad?.status !== 'rejected') throw new Error('the bad one was answered');
    expect((bad.reason as { readonly code?: string }).code).toBe(code);
  });

  test('is not tried row by row in an outage: eleven tries would be eleven time-outs', async () => {
    const { store, statements } = recordingStore(() => new HoldfastServerError('unavailable', 'away'));
    const batches = createRotationBatches(store, { maxBatchSize: 11, rotationLanes: 1 });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((sid) => batches.join(candidate(sid))));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(statements).toEqual(['rotate a,b,c']);
  });
});

describe('a batch', () => {
  test('has the uses that arrive together, in the order of ids; later arrivals join the next batch', async () => {
    const { store, statements } = recordingStore();
    const batches = createRotationBatches(store, ONE_LANE);
    const first = ['c', 'a', 'b'].map((sid) => batches.join(candidate(sid)));
    await new Promise<void>((resolve) => setImmediate(resolve));
    const second = ['e', 'd'].map((sid) => batches.join(candidate(sid)));
    expect(kinds(await Promise.all([...first, ...second]))).toEqual(Array(5).fill('rotated'));
    expect(statements).toEqual(['rotate a,b,c', 'rotate d,e']);
  });

  test('has no more members than its limit', async () => {
    const { store, statements } = recordingStore();
    const batches = createRotationBatches(store, { ...ONE_LANE, maxBatchSize: 2 });
    await Promise.all(['a', 'b', 'c'].map((sid) => batches.join(candidate(sid))));
    expect(statements).toEqual(['rotate a,b', 'rotate c']);
  });

  test('rotates a session once; other uses of that session read the result', async () => {
    const { store, statements } = recordingStore();
    const batches = createRotationBatches(store, ONE_LANE);
    const attempts = await Promise.all(['a', 'a', 'x', 'a'].map((sid) => batches.join(candidate(sid))));
    expect(kinds(attempts)).toEqual(['rotated', 'read', 'read', 'read']);
    expect(statements).toEqual(['rotate a,x', 'read x,a,a']);
  });
});

// A bound session never rotates, so a try would waste a statement.
test('a use with a proof is read with the rest of the batch, without a try to rotate', async () => {
  const { store, statements } = recordingStore();
  const batches = createRotationBatches(store, ONE_LANE);
  const attempts = [
    batches.join(candidate('b'), 'read'),
    batches.join(candidate('a')),
    batches.join(candidate('c'), 'read'),
  ];
  expect(kinds(await Promise.all(attempts))).toEqual(['read', 'rotated', 'read']);
  expect(statements).toEqual(['rotate a', 'read b,c']);
  await batches.join(candidate('d'), 'read');
  expect(statements.slice(2)).toEqual(['read d']);
});

describe('a failure', () => {
  const held = 'b';

  test('of one row fails that row alone, because each row is tried again', async () => {
    const { store } = recordingStore((sids) => (sids.includes(held) ? new RowFault('held') : null));
    const batches = createRotationBatches(store, ONE_LANE);
    const settled = await Promise.allSettled(['a', held, 'c'].map((sid) => batches.join(candidate(sid))));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(settled[1]).toMatchObject({ reason: { code: 'unavailable' } });
  });

  test('of the database fails all members at once, so that retries do not multiply an outage', async () => {
    const { store, statements } = recordingStore(() => new HoldfastServerError('unavailable', 'gone'));
    const batches = createRotationBatches(store, ONE_LANE);
    const settled = await Promise.allSettled(['a', 'b', 'c'].map((sid) => batches.join(candidate(sid))));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(statements).toEqual(['rotate a,b,c']);
    expect(await Promise.allSettled([batches.join(candidate('d'))])).toMatchObject([{ status: 'rejected' }]);
  });
});

test('a lane with a hanging statement delays no other lane', async () => {
  const answers = new Map<string, () => void>();
  const store: Pick<SessionStore, 'rotate' | 'read'> = {
    rotate: (candidates) =>
      new Promise((resolve) => {
        const sids = candidates.map(({ sid }) => sid);
        answers.set(sids.join(), () => resolve(sids.map(delivery)));
      }),
    read: async (copies) => copies.map(() => null),
  };
  const batches = createRotationBatches(store, { maxBatchSize: 10, rotationLanes: 2 });
  const stuck = batches.join(candidate('00-stuck'));
  const others = [batches.join(candidate('01-other')), batches.join(candidate('03-other'))];
  await new Promise((resolve) => setImmediate(resolve));
  answers.get('01-other,03-other')?.();
  expect(kinds(await Promise.all(others))).toEqual(['rotated', 'rotated']);
  const later = batches.join(candidate('ff-later'));
  await new Promise((resolve) => setImmediate(resolve));
  answers.get('ff-later')?.();
  expect((await later).kind).toBe('rotated');
  answers.get('00-stuck')?.();
  expect((await stuck).kind).toBe('rotated');
});
