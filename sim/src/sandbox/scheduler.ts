import { drain, outsidePromises } from './drain.ts';
import { hashText } from './random.ts';

/** One line of a run's history: time, actor, text. */
export type Note = { readonly atMs: number; readonly actor: string; readonly text: string };

/**
 * The only clock of a world. Time passes from event to event. Between two events every promise that can settle settles.
 */
export type Scheduler = {
  nowMs(): number;
  /**
   * Runs `callback` after `delayMs`, and after everything that was scheduled earlier for the same moment. Returns a
   * function that cancels it.
   */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs events until none is left up to `endMs`, or until `isOver` returns true. */
  runUntil(endMs: number, isOver: () => boolean): Promise<void>;
  /** Adds a line to the run's history. */
  note(actor: string, text: string): void;
  /** All lines so far; empty unless lines are kept. */
  readonly notes: readonly Note[];
  readonly events: () => number;
  /** The hash of the whole history; equal for equal runs. */
  traceHash(): number;
};

type Planned = { readonly atMs: number; readonly order: number; callback: (() => void) | null };

const isBefore = (a: Planned, b: Planned): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap, earliest event first. */
function createHeap(): { push(planned: Planned): void; pop(): Planned | undefined; peek(): Planned | undefined } {
  const heap: Planned[] = [];
  const at = (index: number): Planned => heap[index] as Planned;
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [at(b), at(a)];
  };
  const sink = (): void => {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) return;
      const least = left + 1 < heap.length && isBefore(at(left + 1), at(left)) ? left + 1 : left;
      if (!isBefore(at(least), at(index))) return;
      swap(least, index);
      index = least;
    }
  };
  return {
    peek: () => heap[0],
    push: (planned) => {
      heap.push(planned);
      for (let index = heap.length - 1; index > 0;) {
        const parent = (index - 1) >> 1;
        if (!isBefore(at(index), at(parent))) return;
        swap(index, parent);
        index = parent;
      }
    },
    pop: () => {
      const first = heap[0];
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) {
        heap[0] = last;
        sink();
      }
      return first;
    },
  };
}

/** More events than this at one moment are a loop. */
const CROWD_MAX = 5_000;

/**
 * @param startMs the time at which the world begins
 * @param keepsNotes true if lines are kept; otherwise they only enter the hash
 */
export function createScheduler(startMs: number, keepsNotes: boolean): Scheduler {
  const heap = createHeap();
  const notes: Note[] = [];
  let nowMs = startMs;
  let order = 0;
  let events = 0;
  let crowd = 0;
  let hash = hashText('holdfast');
  const peek = (): Planned | undefined => {
    for (let first = heap.peek(); first !== undefined; first = heap.peek()) {
      if (first.callback !== null) return first;
      heap.pop();
    }
    return undefined;
  };
  return {
    nowMs: () => nowMs,
    after: (delayMs, callback) => {
      const planned: Planned = { atMs: nowMs + Math.max(0, Math.ceil(delayMs)), order: order++, callback };
      heap.push(planned);
      return () => {
        planned.callback = null;
      };
    },
    runUntil: (endMs, isOver) =>
      outsidePromises(() => {
        drain();
        for (let first = peek(); first !== undefined && first.atMs <= endMs; first = peek()) {
          heap.pop();
          crowd = first.atMs === nowMs ? crowd + 1 : 0;
          if (crowd > CROWD_MAX) throw new Error('time stands still: something is planned again and again for now');
          nowMs = first.atMs;
          events++;
          first.callback?.();
          drain();
          if (isOver()) return;
        }
        nowMs = Math.max(nowMs, endMs);
      }),
    note: (actor, text) => {
      hash = hashText(`${nowMs} ${actor} ${text}`, hash);
      if (keepsNotes) notes.push({ atMs: nowMs - startMs, actor, text });
    },
    notes,
    events: () => events,
    traceHash: () => hash,
  };
}
