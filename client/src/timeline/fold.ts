/** A time axis with its idle stretches folded away: a refresh of 80 ms and the next one 15 minutes later, both to be seen. */
export type Fold = {
  /** Where a time is on the folded axis, in ms from its beginning. */
  readonly place: (timeMs: number) => number;
  /** The time at a place. */
  readonly timeAt: (place: number) => number;
  readonly length: number;
  /** The folded stretches: where they are, and how long they really were. */
  readonly folds: readonly { readonly from: number; readonly to: number; readonly durationMs: number }[];
  /** The stretches that are shown as they were, in time. */
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

/** What a fold looks like. */
export type FoldOptions = {
  /** Idle for longer than this, a stretch is folded, in ms. Infinity: none is. */
  readonly idleMs: number;
  /** How long a folded stretch is on the axis, in ms. */
  readonly foldedMs: number;
  /** How much is left unfolded before and after something, in ms. */
  readonly marginMs: number;
};

/** Folds the time between `stretches`, each from and to a time in ms. */
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

/** Round times within the view, at most `countMax`; `stepMs` says how exact their labels have to be. */
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

/** Shorter, a view shows nothing. */
const VIEW_MIN_MS = 5;

/** The view `factor` times as long, with `center` where it was; no longer than the axis. */
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

/** The view `by` ms further on, and never beyond the axis. */
export function moveView([from, to]: readonly [number, number], by: number, length: number): readonly [number, number] {
  const width = Math.min(to - from, length);
  const start = Math.min(Math.max(0, from + by), length - width);
  return [start, start + width];
}
