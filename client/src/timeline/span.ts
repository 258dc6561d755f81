/** The kind of a span or mark. It sets colour and shape. */
export type SpanKind =
  | 'refresh'
  | 'lock'
  | 'backoff'
  | 'parked'
  | 'refused'
  | 'resent'
  | 'reauthentication'
  | 'adopted'
  | 'session';

/** A group of spans that is shown or hidden together. */
export type SpanGroup = 'refreshes' | 'waits' | 'requests' | 'session';

/** The outcome of a span: success, a wait, a failure, or neither. */
export type SpanTone = 'good' | 'wait' | 'bad' | 'plain';

/** A stretch of time, or a moment. */
export type Span = {
  /** A stable id: reading the entries again gives the same one. */
  readonly id: string;
  readonly kind: SpanKind;
  readonly tone: SpanTone;
  readonly fromMs: number;
  /** The end; equal to `fromMs` for a moment, `null` while the span is open. */
  readonly toMs: number | null;
  /** `Refresh 3`, `20 requests parked`. */
  readonly title: string;
  /** A description in sentences. */
  readonly text: string;
  /** The number of events that it stands for. */
  readonly count: number;
  /** `gives`: other tabs may adopt its session. `takes`: it adopted the session of another tab. */
  readonly handover: 'gives' | 'takes' | null;
};

/** One tab's part of the timeline. */
export type Lane = {
  readonly tab: string;
  /** `Tab 2`, in the order of their first entries. */
  readonly label: string;
  /** Refresh requests that this tab has sent. */
  readonly sent: number;
  readonly session: readonly Span[];
  readonly refreshes: readonly Span[];
  readonly requests: readonly Span[];
};

const groups: Readonly<Record<SpanKind, SpanGroup>> = {
  refresh: 'refreshes',
  lock: 'waits',
  backoff: 'waits',
  parked: 'requests',
  refused: 'requests',
  resent: 'requests',
  reauthentication: 'session',
  adopted: 'session',
  session: 'session',
};

export const groupOf = ({ kind }: Span): SpanGroup => groups[kind];

export const isMoment = ({ fromMs, toMs }: Span): boolean => fromMs === toMs;

/** Arranges overlapping spans in rows, each in the first row with room. Open spans end at `nowMs`. */
export function packRows(spans: readonly Span[], nowMs: number): readonly (readonly Span[])[] {
  const rows: Span[][] = [];
  const endOf = ({ toMs }: Span): number => toMs ?? nowMs;
  for (const span of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const row = rows.find((each) => each.every((other) => endOf(other) < span.fromMs || other.fromMs > endOf(span)));
    if (row) row.push(span);
    else rows.push([span]);
  }
  return rows;
}
