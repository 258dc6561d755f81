import type { Report } from '../kernel/events.ts';
import { startLoop } from '../kernel/loop.ts';
import type { Policy } from '../kernel/policy.ts';
import type { MassEndingStore } from '../storage/subject-store.ts';

/** How far ending many sessions has got. */
export type EndingProgress = {
  /** Sessions that ended so far. */
  readonly count: number;
  /** False: the rest ends soon, without the caller. */
  readonly isComplete: boolean;
};

/** Ends many sessions of a user, slice by slice. The intent is in the database, so that any node can finish it. */
export type MassEndings = {
  /**
   * Goes on with an intent until all of its sessions have ended, for at most `endingWaitMs`; then the rest goes on in the
   * background.
   *
   * @param intent null: nothing to end
   */
  readonly finish: (intent: string | null) => Promise<EndingProgress>;
  /** Starts no further slice and waits for those under way. Other nodes finish what is left. */
  readonly close: () => Promise<void>;
};

export type MassEndingsParts = {
  readonly store: MassEndingStore;
  readonly policy: Pick<Policy, 'endingSliceSize' | 'endingWaitMs' | 'endingPollMs'>;
  readonly report: Report;
  /** Told what kept a slice in the background from being done; it is tried again. */
  readonly onFailure: (failure: unknown) => void;
};

/** Also goes on with what other nodes have left. */
export function startMassEndings({ store, policy, report, onFailure }: MassEndingsParts): MassEndings {
  /** Intents whose callers no longer wait. */
  const left = new Set<string>();
  const endSlice = async (intent: string): Promise<EndingProgress> => {
    const { ended, isComplete } = await store.endSlice(intent, policy.endingSliceSize);
    for (const fact of ended) report(fact);
    return { count: ended.length, isComplete };
  };
  const background = startLoop({
    step: async () => {
      const intent = left.values().next().value ?? (await store.claimDue());
      if (intent === null) return false;
      // To the end of the line. The next claim goes on with one that fails, so that it holds up no other.
      left.delete(intent);
      if (!(await endSlice(intent)).isComplete) left.add(intent);
      return true;
    },
    pauseMs: policy.endingPollMs,
    onFailure,
  });
  return {
    finish: async (intent) => {
      if (intent === null) return { count: 0, isComplete: true };
      const untilMs = performance.now() + policy.endingWaitMs;
      let count = 0;
      try {
        do {
          const slice = await endSlice(intent);
          count += slice.count;
          if (slice.isComplete) return { count, isComplete: true };
        } while (performance.now() < untilMs);
      } catch (failure) {
        // The intent is on the disk: the sessions end, although not now.
        onFailure(failure);
      }
      left.add(intent);
      background.nudge();
      return { count, isComplete: false };
    },
    close: () => background.stop(),
  };
}
