/** Faults of one kind that may overlap: their state lasts until the last of them ends. */
export type Overlapping = {
  /** Begins one fault. @returns a function that ends it */
  readonly begin: () => () => void;
  readonly isAny: () => boolean;
  /** Ends all of them. */
  readonly endAll: () => void;
};

/** @param onOver called when the last fault under way has ended */
export function createOverlapping(onOver: () => void = () => {}): Overlapping {
  const underWay = new Set<symbol>();
  return {
    begin: () => {
      const fault = Symbol('fault');
      underWay.add(fault);
      return () => {
        if (underWay.delete(fault) && underWay.size === 0) onOver();
      };
    },
    isAny: () => underWay.size > 0,
    endAll: () => {
      if (underWay.size === 0) return;
      underWay.clear();
      onOver();
    },
  };
}
