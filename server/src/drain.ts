/** Counts what is under way, so that closing can wait for it. */
export interface Drain {
  readonly isClosing: () => boolean;
  readonly track: <Result>(work: Promise<Result>) => Promise<Result>;
  /** Resolves when nothing is under way any more. What is tracked afterwards is not waited for: ask `isClosing` first. */
  readonly close: () => Promise<void>;
}

export function createDrain(): Drain {
  const underWay = new Set<Promise<unknown>>();
  let isClosing = false;
  return {
    isClosing: () => isClosing,
    track: async (work) => {
      underWay.add(work);
      try {
        return await work;
      } finally {
        underWay.delete(work);
      }
    },
    close: async () => {
      isClosing = true;
      await Promise.allSettled(underWay);
    },
  };
}
