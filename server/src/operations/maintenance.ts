/** Work that every node does now and then. It must be harmless when several nodes do it at once, or when none does for a day. */
export type MaintenanceTask = {
  readonly name: string;
  /** @throws whatever kept it from being done; it is tried again at the next round */
  readonly run: () => Promise<void>;
};

export type Maintenance = {
  /** Ends the rounds and waits for the one under way. Idempotent. */
  readonly stop: () => Promise<void>;
};

/** How much of the interval is left to chance, so that nodes that start together do not work together for ever. */
const JITTER = 0.2;

/**
 * Runs tasks one after the other, round after round. Nothing here keeps the process alive.
 *
 * @param intervalMs between the end of a round and the start of the next
 * @param onFailure told about a task that failed; the round goes on
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
