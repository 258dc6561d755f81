/** What a span or mark is about, for its colour and shape. */
export type SpanKind =
  | 'refresh'
  | 'lock'
  | 'backoff'
  | 'parked'
  | 'refused'
  | 'replayed'
  | 'reauthentication'
  | 'adopted'
  | 'session';

/** What can be shown or hidden together. */
export type SpanGroup = 'refreshes' | 'waits' | 'requests' | 'session';

/** How it went: well, it waits or waited, badly, or neither. */
export type SpanTone = 'good' | 'wait' | 'bad' | 'plain';

/** A stretch of time in which something went on, or a moment at which something happened. */
export type Span = {
  /** The same for the same thing, however often the entries are read again. */
  readonly id: string;
  readonly kind: SpanKind;
  readonly tone: SpanTone;
  readonly fromMs: number;
  /** When it ended; equal to `fromMs` for a moment, `null` while it goes on. */
  readonly toMs: number | null;
  /** `Refresh 3`, `20 requests parked`. */
  readonly title: string;
  /** What happened, in a sentence. */
  readonly text: string;
  /** How many of its kind it stands for. */
  readonly count: number;
  /** `gives`: other tabs may take over what it brought; `takes`: it took that over. */
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
  replayed: 'requests',
  reauthentication: 'session',
  adopted: 'session',
  session: 'session',
};

export const groupOf = ({ kind }: Span): SpanGroup => groups[kind];

export const isMoment = ({ fromMs, toMs }: Span): boolean => fromMs === toMs;

/** Puts spans that overlap into rows, each as far up as it fits. `nowMs` ends what goes on. */
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
