/** Counts what is under way, so that closing can wait for it. */
export type Drain = {
  readonly isClosing: () => boolean;
  /** Something begins; `leave` must follow when it ends. What enters after `close` is not waited for: ask `isClosing` first. */
  readonly enter: () => void;
  readonly leave: () => void;
  /** Resolves when nothing is under way any more. */
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
