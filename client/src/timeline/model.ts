import type { TimelineEntry } from './entry.ts';
import { createFold, type Fold } from './fold.ts';
import { readLanes, readLinks, type Link } from './lanes.ts';
import { groupOf, packRows, type Lane, type Span, type SpanGroup } from './span.ts';

/** What the user has chosen to see. */
export type Choices = {
  /** From and to, on the folded axis; `null`: the newest, as it comes. */
  readonly view: readonly [number, number] | null;
  readonly isFolded: boolean;
  readonly hidden: ReadonlySet<SpanGroup>;
};

/** A lane with its spans in rows, top to bottom. */
export type DrawnLane = { readonly lane: Lane; readonly rows: readonly (readonly Span[])[] };

/** Everything that is drawn, from what was observed and what is to be seen of it. */
export type Model = {
  readonly lanes: readonly DrawnLane[];
  readonly links: readonly Link[];
  readonly fold: Fold;
  readonly view: readonly [number, number];
  /** When it is, for what goes on; for a recording, when it ended. */
  readonly nowMs: number;
  /** Something goes on, so that the picture changes by itself. */
  readonly isMoving: boolean;
};

const FOLDING = { idleMs: 2_500, foldedMs: 500, marginMs: 250 };
/** How much of the newest is shown while following, in ms of the folded axis. */
const NEWEST_MS = 12_000;
/** Less would blow up a moment to the width of the screen. */
const LENGTH_MIN_MS = 2_000;

/** Makes the picture. */
export function readModel(entries: readonly TimelineEntry[], choices: Choices, nowMs: number): Model {
  const lanes = readLanes(entries);
  const isShown = (span: Span): boolean => !choices.hidden.has(groupOf(span));
  const drawn = lanes.map((lane): DrawnLane => {
    const rowsOf = (spans: readonly Span[]) => packRows(spans.filter(isShown), nowMs);
    const marks = lane.requests.filter(({ kind }) => kind !== 'parked');
    const bars = lane.requests.filter(({ kind }) => kind === 'parked');
    // Moments share the first row of the bars: they are small.
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

/** How long the axis is, for zooming and moving. */
export const lengthOf = ({ fold }: Model): number => Math.max(fold.length, LENGTH_MIN_MS);
