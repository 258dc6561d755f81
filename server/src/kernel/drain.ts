/** Counts the operations under way, so that closing can wait for them. */
export type Drain = {
  readonly isClosing: () => boolean;
  /**
   * Begins an operation; call `leave` when it ends. `close` may not wait for one that begins later: ask `isClosing`
   * first.
   */
  readonly enter: () => void;
  readonly leave: () => void;
  /** Resolves when no operation is under way. */
  readonly close: () => Promise<void>;
};

export function createDrain(): Drain {
  let underWay = 0;
  let isClosing = false;
  let onEmpty = (): void => {};
  const empty = new Promise<void>((resolve) => {
    onEmpty = resolve;
  });
  return {
    isClosing: () => isClosing,
    enter: () => {
      underWay++;
    },
    leave: () => {
      underWay--;
      if (isClosing && underWay === 0) onEmpty();
    },
    close: () => {
      isClosing = true;
      if (underWay === 0) onEmpty();
      return empty;
    },
  };
}
