/** A background loop that runs until it is stopped. */
export type Loop = {
  /**
   * Ends the pause under way. A pause after a failure runs to its end, so that an outage does not cause a flood of
   * tries.
   */
  nudge(): void;
  /** Starts no further step and waits for the one under way. */
  stop(): Promise<void>;
};

export type LoopParts = {
  /** One step. @returns true if there is more to do at once */
  readonly step: () => Promise<boolean>;
  /** Pause while there is nothing more to do, in milliseconds. */
  readonly pauseMs: number;
  /** Called with the error of a step; the loop goes on after a pause. */
  readonly onFailure: (failure: unknown) => void;
};

type Progress = 'more' | 'done' | 'failed';

/** Starts a loop. Its pauses never keep the process alive. */
export function startLoop({ step, pauseMs, onFailure }: LoopParts): Loop {
  const stopping = new AbortController();
  let isNudged = false;
  let endPause: ((cause: 'nudge' | 'stop') => void) | null = null;
  const attempt = async (): Promise<Progress> => {
    try {
      return (await step()) ? 'more' : 'done';
    } catch (failure) {
      onFailure(failure);
      return 'failed';
    }
  };
  const pause = (isDeaf: boolean): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs).unref();
      endPause = (cause) => {
        if (isDeaf && cause === 'nudge') return;
        clearTimeout(timer);
        resolve();
      };
    });
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      isNudged = false;
      const progress = await attempt();
      const isDue = progress === 'more' || (progress === 'done' && isNudged);
      if (isDue || stopping.signal.aborted) continue;
      await pause(progress === 'failed');
      endPause = null;
    }
  };
  const finished = run();
  return {
    nudge: () => {
      isNudged = true;
      endPause?.('nudge');
    },
    stop: () => {
      stopping.abort();
      endPause?.('stop');
      return finished;
    },
  };
}
