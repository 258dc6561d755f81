import type { TimelineEntry } from './entry.ts';
import { createFold, type Fold } from './fold.ts';
import { readLanes, readLinks, type Link } from './lanes.ts';
import { groupOf, packRows, type Lane, type Span, type SpanGroup } from './span.ts';

/** The user's choices for the panel. */
export type Choices = {
  /** Start and end on the folded axis. `null`: follow the newest entries. */
  readonly view: readonly [number, number] | null;
  readonly isFolded: boolean;
  readonly hidden: ReadonlySet<SpanGroup>;
};

/** A lane with its spans in rows, from top to bottom. */
export type DrawnLane = { readonly lane: Lane; readonly rows: readonly (readonly Span[])[] };

/** Everything that the panel draws, made of the entries and the user's choices. */
export type Model = {
  readonly lanes: readonly DrawnLane[];
  readonly links: readonly Link[];
  readonly fold: Fold;
  readonly view: readonly [number, number];
  /** The end of open spans, in ms since 1970: now or, for a recording, its end. */
  readonly nowMs: number;
  /** True if a span is open, so that the picture changes with time. */
  readonly isMoving: boolean;
};

const FOLDING = { idleMs: 2_500, foldedMs: 500, marginMs: 250 };
/** The length of the view while it follows the newest entries, in ms of the folded axis. */
const NEWEST_MS = 12_000;
/** The shortest axis: a shorter one would stretch a moment to the width of the screen. */
const LENGTH_MIN_MS = 2_000;

/** Makes the model of the panel. */
export function readModel(entries: readonly TimelineEntry[], choices: Choices, nowMs: number): Model {
  const lanes = readLanes(entries);
  const isShown = (span: Span): boolean => !choices.hidden.has(groupOf(span));
  const drawn = lanes.map((lane): DrawnLane => {
    const rowsOf = (spans: readonly Span[]) => packRows(spans.filter(isShown), nowMs);
    const marks = lane.requests.filter(({ kind }) => kind !== 'parked');
    const bars = lane.requests.filter(({ kind }) => kind === 'parked');
    // Moments are small, so they share the first row of the bars.
    const [firstBars = [], ...laterBars] = rowsOf(bars);
    const requests = [[...firstBars, ...marks.filter(isShown)], ...laterBars].filter((row) => row.length > 0);
    const session = lane.session.filter(isShown);
    return { lane, rows: [...(session.length > 0 ? [session] : []), ...rowsOf(lane.refreshes), ...requests] };
  });
  const spans = drawn.flatMap(({ rows }) => rows.flat());
  const isMoving = spans.some(({ toMs }) => toMs === null || toMs > nowMs);
  const stretches = spans.map(({ fromMs, toMs }) => [fromMs, Math.max(fromMs, toMs ?? nowMs)] as const);
  const fold = createFold(stretches, choices.isFolded ? FOLDING : { ...FOLDING, idleMs: Infinity });
  const length = Math.max(fold.length, LENGTH_MIN_MS);
  const view = choices.view ?? [Math.max(0, length - NEWEST_MS), length];
  return { lanes: drawn, links: readLinks(lanes), fold, view, nowMs, isMoving };
}

/** Returns the length of the axis, for zooming and moving. */
export const lengthOf = ({ fold }: Model): number => Math.max(fold.length, LENGTH_MIN_MS);
