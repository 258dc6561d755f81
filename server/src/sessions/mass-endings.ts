import type { Report } from '../kernel/events.ts';
import { startLoop } from '../kernel/loop.ts';
import type { Policy } from '../kernel/policy.ts';
import type { MassEndingStore } from '../storage/subject-store.ts';

/** Progress of ending many sessions. */
export type EndingProgress = {
  /** Number of sessions ended so far. */
  readonly count: number;
  /** False if the rest ends later, in the background. */
  readonly isComplete: boolean;
};

/** Ends many sessions of a user in slices. The intent is in the database, so that any node can finish it. */
export type MassEndings = {
  /**
   * Ends the sessions of an intent for at most `endingWaitMs`. Any rest ends in the background.
   *
   * @param intent null if there is no session to end
   */
  readonly finish: (intent: string | null) => Promise<EndingProgress>;
  /** Starts no further slice in the background and waits for the one under way. Other nodes finish the intents. */
  readonly close: () => Promise<void>;
};

export type MassEndingsParts = {
  readonly store: MassEndingStore;
  readonly policy: Pick<Policy, 'endingSliceSize' | 'endingWaitMs' | 'endingPollMs'>;
  readonly report: Report;
  /** Called with the error of a slice. The slice is tried again. */
  readonly onFailure: (failure: unknown) => void;
};

/** Starts the background work, which also continues intents that other nodes have left. */
export function startMassEndings({ store, policy, report, onFailure }: MassEndingsParts): MassEndings {
  /** Intents whose callers no longer wait. The background ends their sessions. */
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
      // Move the intent to the end of the queue. If it fails, it leaves the queue until a later claim, so it blocks no
      // other.
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
        // The intent is on the disk, so its sessions end later.
        onFailure(failure);
      }
      left.add(intent);
      background.nudge();
      return { count, isComplete: false };
    },
    close: () => background.stop(),
  };
}
