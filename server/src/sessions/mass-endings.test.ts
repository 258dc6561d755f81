import { expect, test, vi } from 'vitest';
import { startMassEndings } from './mass-endings.ts';

const POLICY = { endingSliceSize: 10, endingWaitMs: 0, endingPollMs: 5 };

test('an intent that fails again and again does not keep other users’ sessions alive', async () => {
  const slices: string[] = [];
  const failures: unknown[] = [];
  const endings = startMassEndings({
    store: {
      endSlice: async (intent) => {
        slices.push(intent);
        if (intent === 'broken') throw new Error('a statement times out');
        return { ended: [], isComplete: slices.filter((other) => other === intent).length === 3 };
      },
      claimDue: async () => null,
    },
    policy: POLICY,
    report: () => {},
    onFailure: (failure) => failures.push(failure),
  });
  try {
    expect(await endings.finish('broken')).toMatchObject({ isComplete: false });
    expect(await endings.finish('sound')).toMatchObject({ isComplete: false });
    await vi.waitFor(() => expect(slices.filter((intent) => intent === 'sound')).toHaveLength(3), 2_000);
    expect(failures.length).toBeGreaterThan(0);
  } finally {
    await endings.close();
  }
});

test('a user with many sessions does not delay the end of another user’s few', async () => {
  const slices: string[] = [];
  const endings = startMassEndings({
    store: {
      endSlice: async (intent) => {
        slices.push(intent);
        const needed = intent === 'many' ? 100 : 3;
        return { ended: [], isComplete: slices.filter((other) => other === intent).length >= needed };
      },
      claimDue: async () => null,
    },
    policy: POLICY,
    report: () => {},
    onFailure: () => {},
  });
  try {
    await Promise.all([endings.finish('many'), endings.finish('few')]);
    await vi.waitFor(() => expect(slices.filter((intent) => intent === 'many')).toHaveLength(100), 2_000);
    expect(slices.lastIndexOf('few')).toBeLessThan(10);
  } finally {
    await endings.close();
  }
});
