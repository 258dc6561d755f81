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
  /** Slows the token endpoint down. The longest delay under way counts. @returns a function that ends it */
  slowDown(ms: number): () => void;
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
  const delays = new Map<symbol, number>();
  let overMs = -Infinity;
  const over = (): void => {
    overMs = scheduler.nowMs();
  };
  return {
    kind: () => current,
    lastKind: () => last,
    slowMs: () => Math.max(0, ...delays.values()),
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
      const delay = Symbol('delay');
      delays.set(delay, ms);
      return () => void delays.delete(delay);
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
