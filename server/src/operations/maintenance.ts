/**
 * A periodic task that every node runs. It must be harmless if several nodes run it at once, or if none does for a day.
 */
export type MaintenanceTask = {
  readonly name: string;
  /** @throws the reason of a failure; the next round tries again */
  readonly run: () => Promise<void>;
};

export type Maintenance = {
  /** Stops the rounds and waits for the one under way. Idempotent. */
  readonly stop: () => Promise<void>;
};

/** Random part of the interval, so that nodes which start together do not stay in step. */
const JITTER = 0.2;

/**
 * Runs tasks in sequence, round after round. Does not keep the process alive.
 *
 * @param intervalMs from the end of a round to the start of the next
 * @param onFailure called with each task that failed; the round continues
 */
export function startMaintenance(
  tasks: readonly MaintenanceTask[],
  intervalMs: number,
  onFailure: (task: string, error: unknown) => void,
): Maintenance {
  let isStopped = false;
  let underWay: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  const round = async (): Promise<void> => {
    for (const { name, run } of tasks) {
      if (isStopped) return;
      try {
        await run();
      } catch (error) {
        onFailure(name, error);
      }
    }
    schedule();
  };
  const schedule = (): void => {
    if (isStopped) return;
    const begin = (): void => {
      underWay = round();
    };
    timer = setTimeout(begin, intervalMs * (1 + JITTER * (Math.random() - 0.5)));
    timer.unref();
  };
  schedule();
  return {
    stop: async () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await underWay;
    },
  };
}
