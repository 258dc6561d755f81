import type { Model } from './model.ts';
import type { Plot } from './plot.ts';
import { isMoment, type Span } from './span.ts';

/** What pointers ask for. */
type PointerCommands = {
  /** `at`: where in the view, from 0 to 1, stays where it is. */
  readonly zoom: (factor: number, at?: number) => void;
  /** By a part of the view. */
  readonly move: (part: number) => void;
  readonly pointAt: (id: string) => void;
};

const itemOf = (event: Event): HTMLElement | null =>
  event.target instanceof Element ? event.target.closest<HTMLElement>('.item') : null;

/** Hovering and focusing reads, dragging and the wheel move, the wheel with Ctrl zooms. */
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

/** What keys ask for. */
type KeyCommands = Pick<PointerCommands, 'move'> & {
  /** The span `id` stays where it is. */
  readonly zoom: (factor: number, id: string | undefined) => void;
  readonly goTo: (span: Span) => void;
  readonly getModel: () => Model;
  readonly follow: () => void;
};

/** By time. Within a millisecond a moment comes first: a refused token before the refresh that it leads to. */
const byTime = (a: Span, b: Span): number => a.fromMs - b.fromMs || Number(isMoment(b)) - Number(isMoment(a));

/** The spans of each lane, in order of time. */
const spansOf = (model: Model): readonly (readonly Span[])[] =>
  model.lanes.map(({ rows }) => rows.flat().toSorted(byTime)).filter((spans) => spans.length > 0);

/** Where an arrow key leads from the span `id`; `null`: nowhere. */
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

/** Arrows, Home and End go from span to span; plus, minus and 0 zoom; Page Up and Page Down move. */
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
