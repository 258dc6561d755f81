import type { Ground } from '../sandbox/process.ts';
import type { OutageKind } from '../sandbox/setup.ts';

/** Simulates outages and slowness of the servers. */
export type Outages = {
  /** The outage under way; `null`: none. */
  kind(): OutageKind | null;
  /** The outage under way, or the previous one. */
  lastKind(): OutageKind;
  /** The extra delay of the token endpoint now, in ms. */
  slowMs(): number;
  /** Begins an outage. @returns a function that ends it */
  begin(kind: OutageKind): () => void;
  slowDown(ms: number): void;
  /** Loses the next request of this process to a resource. */
  loseNextOf(process: string): void;
  isLost(process: string): boolean;
  /** When the last outage or lost request was over, in ms of the world; now, during an outage. */
  troubledMs(): number;
};

export function createOutages({ scheduler }: Ground): Outages {
  const doomed = new Set<string>();
  let current: OutageKind | null = null;
  let last: OutageKind = 'refused';
  let slow = 0;
  let overMs = -Infinity;
  const over = (): void => {
    overMs = scheduler.nowMs();
  };
  return {
    kind: () => current,
    lastKind: () => last,
    slowMs: () => slow,
    begin: (kind) => {
      current = kind;
      last = kind;
      scheduler.note('network', `the servers are out of reach: ${kind}`);
      return () => {
        current = null;
        over();
        scheduler.note('network', 'the servers can be reached again');
      };
    },
    slowDown: (ms) => {
      slow = ms;
    },
    loseNextOf: (process) => void doomed.add(process),
    isLost: (process) => {
      const isLost = doomed.delete(process);
      if (isLost) over();
      return isLost;
    },
    troubledMs: () => (current === null ? overMs : scheduler.nowMs()),
  };
}
