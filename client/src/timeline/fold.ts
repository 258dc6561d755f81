/** A time axis with folded idle stretches: a refresh of 80 ms and the next one 15 minutes later both stay visible. */
export type Fold = {
  /** Returns the place of a time on the folded axis, in ms from its beginning. */
  readonly place: (timeMs: number) => number;
  /** Returns the time at a place. */
  readonly timeAt: (place: number) => number;
  readonly length: number;
  /** The places of the folded stretches, and their real durations. */
  readonly folds: readonly { readonly from: number; readonly to: number; readonly durationMs: number }[];
  /** The stretches of time that are not folded. */
  readonly shown: readonly (readonly [number, number])[];
};

/** Joins stretches that overlap or are at most `gapMs` apart. */
function joinStretches(stretches: readonly (readonly [number, number])[], gapMs: number): [number, number][] {
  const joined: [number, number][] = [];
  for (const [from, to] of stretches.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && from - last[1] <= gapMs) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** Options of a fold. */
export type FoldOptions = {
  /** Folds stretches that are idle for longer than this, in ms. Infinity: folds none. */
  readonly idleMs: number;
  /** The length of a folded stretch on the axis, in ms. */
  readonly foldedMs: number;
  /** The time that stays unfolded before and after each stretch, in ms. */
  readonly marginMs: number;
};

/** Folds the time between `stretches`. Each has a start and an end, in ms. */
export function createFold(stretches: readonly (readonly [number, number])[], options: FoldOptions): Fold {
  const { idleMs, foldedMs, marginMs } = options;
  const wide = stretches.map(([from, to]): [number, number] => [from - marginMs, to + marginMs]);
  const shown = joinStretches(wide.length > 0 ? wide : [[0, 1]], idleMs);
  const pieces: { readonly time: number; readonly place: number; readonly durationMs: number }[] = [];
  const folds: { from: number; to: number; durationMs: number }[] = [];
  let place = 0;
  for (const [index, [from, to]] of shown.entries()) {
    const before = shown[index - 1];
    if (before) {
      folds.push({ from: place, to: place + foldedMs, durationMs: from - before[1] });
      place += foldedMs;
    }
    pieces.push({ time: from, place, durationMs: to - from });
    place += to - from;
  }
  const length = place;
  const pieceAt = (key: 'time' | 'place', value: number) =>
    pieces.findLast((piece) => piece[key] <= value) ?? { time: 0, place: 0, durationMs: 0, ...pieces[0] };
  return {
    length,
    folds,
    shown,
    place: (timeMs) => {
      const piece = pieceAt('time', timeMs);
      return piece.place + Math.min(Math.max(0, timeMs - piece.time), piece.durationMs);
    },
    timeAt: (at) => {
      const piece = pieceAt('place', at);
      return piece.time + Math.min(Math.max(0, at - piece.place), piece.durationMs);
    },
  };
}

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
  3_600_000, 7_200_000, 21_600_000, 86_400_000,
];

/** A mark on the axis. */
export type Tick = { readonly place: number; readonly timeMs: number };

/** Returns at most about `countMax` round times within the view. `stepMs` sets the precision of their labels. */
export function readTicks(
  fold: Fold,
  view: readonly [number, number],
  countMax: number,
): { readonly ticks: readonly Tick[]; readonly stepMs: number } {
  const [from, to] = view;
  const wanted = (to - from) / Math.max(1, countMax);
  const stepMs = STEPS_MS.find((step) => step >= wanted) ?? wanted;
  const ticks: Tick[] = [];
  for (const [start, end] of fold.shown) {
    const first = Math.max(start, fold.timeAt(from));
    for (let timeMs = Math.ceil(first / stepMs) * stepMs; timeMs <= end; timeMs += stepMs) {
      const place = fold.place(timeMs);
      if (place > to) break;
      if (place >= from) ticks.push({ place, timeMs });
    }
  }
  return { ticks, stepMs };
}

/** The shortest useful view. */
const VIEW_MIN_MS = 5;

/** Makes the view `factor` times as long, at most as long as the axis. Keeps `center` at its place in the view. */
export function zoomView(
  [from, to]: readonly [number, number],
  factor: number,
  center: number,
  length: number,
): readonly [number, number] {
  const wanted = Math.min(Math.max((to - from) * factor, VIEW_MIN_MS), length);
  const ratio = (center - from) / (to - from || 1);
  return moveView([center - wanted * ratio, center + wanted * (1 - ratio)], 0, length);
}

/** Moves the view by `by` ms, never beyond the axis. */
export function moveView([from, to]: readonly [number, number], by: number, length: number): readonly [number, number] {
  const width = Math.min(to - from, length);
  const start = Math.min(Math.max(0, from + by), length - width);
  return [start, start + width];
}
