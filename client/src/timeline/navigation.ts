import type { Model } from './model.ts';
import type { Plot } from './plot.ts';
import { isMoment, type Span } from './span.ts';

/** The commands of a pointer. */
type PointerCommands = {
  /** Zooms. `at`: the fixed place in the view, from 0 to 1. */
  readonly zoom: (factor: number, at?: number) => void;
  /** Moves by a part of the view. */
  readonly move: (part: number) => void;
  readonly pointAt: (id: string) => void;
};

const itemOf = (event: Event): HTMLElement | null =>
  event.target instanceof Element ? event.target.closest<HTMLElement>('.item') : null;

/** Binds the pointer: hover and focus show details, dragging and the wheel move, the wheel with Ctrl zooms. */
export function listenToPointer(plot: Plot, { zoom, move, pointAt }: PointerCommands): void {
  const { root, axis } = plot;
  for (const type of ['pointerover', 'focusin', 'click'])
    root.addEventListener(type, (event) => {
      const id = itemOf(event)?.dataset['id'];
      if (id !== undefined) pointAt(id);
    });
  root.addEventListener(
    'wheel',
    (event) => {
      const box = axis.getBoundingClientRect();
      const isZoom = event.ctrlKey || event.metaKey;
      const by = event.shiftKey ? event.deltaY : event.deltaX;
      if (!isZoom && by === 0) return;
      event.preventDefault();
      if (isZoom) zoom(Math.exp(event.deltaY / 200), (event.clientX - box.left) / box.width);
      else move(by / box.width);
    },
    { passive: false },
  );
  let draggedFrom: number | null = null;
  root.addEventListener('pointerdown', (event) => {
    if (itemOf(event) || event.button !== 0 || event.pointerType === 'touch') return;
    draggedFrom = event.clientX;
    root.setPointerCapture(event.pointerId);
  });
  root.addEventListener('pointermove', (event) => {
    if (draggedFrom === null) return;
    move((draggedFrom - event.clientX) / axis.clientWidth);
    draggedFrom = event.clientX;
  });
  for (const type of ['pointerup', 'pointercancel']) root.addEventListener(type, () => (draggedFrom = null));
}

/** The commands of the keyboard. */
type KeyCommands = Pick<PointerCommands, 'move'> & {
  /** Zooms. The span `id` stays at its place. */
  readonly zoom: (factor: number, id: string | undefined) => void;
  readonly goTo: (span: Span) => void;
  readonly getModel: () => Model;
  readonly follow: () => void;
};

/**
 * Orders spans by time, within one millisecond moments first: a refused token comes before the refresh that it causes.
 */
const byTime = (a: Span, b: Span): number => a.fromMs - b.fromMs || Number(isMoment(b)) - Number(isMoment(a));

/** Returns the spans of each lane in order of time. */
const spansOf = (model: Model): readonly (readonly Span[])[] =>
  model.lanes.map(({ rows }) => rows.flat().toSorted(byTime)).filter((spans) => spans.length > 0);

/** Returns the span that an arrow key, Home or End reaches from the span `id`; `null`: none. */
export function neighbour(model: Model, id: string, key: string): Span | null {
  const lanes = spansOf(model);
  const lane = lanes.findIndex((spans) => spans.some((span) => span.id === id));
  const spans = lanes[lane] ?? [];
  const at = spans.findIndex((span) => span.id === id);
  const here = spans[at];
  if (!here) return null;
  const nearest = (others: readonly Span[] | undefined): Span | null =>
    others?.toSorted((a, b) => Math.abs(a.fromMs - here.fromMs) - Math.abs(b.fromMs - here.fromMs))[0] ?? null;
  switch (key) {
    case 'ArrowLeft':
      return spans[at - 1] ?? null;
    case 'ArrowRight':
      return spans[at + 1] ?? null;
    case 'ArrowUp':
      return nearest(lanes[lane - 1]);
    case 'ArrowDown':
      return nearest(lanes[lane + 1]);
    case 'Home':
      return spans[0] ?? null;
    case 'End':
      return spans.at(-1) ?? null;
    default:
      return null;
  }
}

/**
 * Binds the keyboard: arrows, Home and End select spans, plus and minus zoom, 0 follows, Page Up and Page Down move.
 */
export function listenToKeys({ root }: Plot, { zoom, move, goTo, getModel, follow }: KeyCommands): void {
  const views = new Map<string, (id: string | undefined) => void>([
    ['+', (id) => zoom(0.5, id)],
    ['=', (id) => zoom(0.5, id)],
    ['-', (id) => zoom(2, id)],
    ['0', follow],
    ['PageUp', () => move(-0.8)],
    ['PageDown', () => move(0.8)],
  ]);
  root.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = itemOf(event)?.dataset['id'];
    const next = id === undefined ? null : neighbour(getModel(), id, event.key);
    if (next) goTo(next);
    else views.get(event.key)?.(id);
    if (next || views.has(event.key) || event.key.startsWith('Arrow')) event.preventDefault();
  });
}
