import { element } from './element.ts';
import { readTicks } from './fold.ts';
import type { DrawnLane, Model } from './model.ts';
import { isMoment, type Span } from './span.ts';
import { formatDuration } from './wording.ts';

/** Heights in px. They match the style sheet. */
const ROW_PX = 24;
const LANE_PADDING_PX = 10;
const ROWS_MIN = 2;
/** The width that one mark of the axis needs, in px. */
const TICK_PX = 110;

/** The smallest width for a label, in px. */
const LABEL_PX = 72;

/** The elements of the plot. Drawings reuse them, so that the focus stays. */
export type Plot = {
  readonly root: HTMLElement;
  readonly axis: HTMLElement;
  readonly lanes: HTMLElement;
  readonly items: Map<string, HTMLButtonElement>;
  readonly laneElements: Map<
    string,
    { readonly row: HTMLElement; readonly head: HTMLElement; readonly body: HTMLElement }
  >;
};

export function createPlot(): Plot {
  const axis = element('div', { class: 'axis', 'aria-hidden': 'true' });
  const lanes = element('div', { class: 'lanes' });
  const root = element(
    'div',
    { class: 'plot', role: 'group', 'aria-label': 'Events by tab. Arrow keys move between them, plus and minus zoom.' },
    element('div', { class: 'axis-row' }, element('div', { class: 'corner' }), axis),
    lanes,
  );
  return { root, axis, lanes, items: new Map(), laneElements: new Map() };
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** Formats a time of day with the precision of `stepMs`. */
export function formatTime(timeMs: number, stepMs: number): string {
  const at = new Date(timeMs);
  const minutes = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  if (stepMs >= 60_000) return minutes;
  const seconds = `${minutes}:${pad(at.getSeconds())}`;
  return stepMs >= 1_000 ? seconds : `${seconds}.${pad(at.getMilliseconds(), 3)}`;
}

/** Returns the place of a time in the view, in percent of its width. */
const percentOf = ({ fold, view: [from, to] }: Model, timeMs: number): number =>
  ((fold.place(timeMs) - from) / (to - from)) * 100;

const endOf = ({ fromMs, toMs }: Span, nowMs: number): number => Math.max(fromMs, toMs ?? nowMs);

/** Describes a span for screen readers. */
export function describeSpan(span: Span, label: string, nowMs: number): string {
  const duration = isMoment(span) ? '' : `, ${formatDuration(endOf(span, nowMs) - span.fromMs)}`;
  const open = span.toMs === null ? ', goes on' : '';
  return `${span.title}, ${label}, ${formatTime(span.fromMs, 1)}${duration}${open}. ${span.text}`;
}

function drawAxis(plot: Plot, model: Model): void {
  const { fold, view } = model;
  const width = plot.axis.clientWidth || 600;
  const { ticks, stepMs } = readTicks(fold, view, Math.max(2, Math.floor(width / TICK_PX)));
  const scale = 100 / (view[1] - view[0]);
  const marks = ticks.map(({ place, timeMs }) => {
    const mark = element('span', { class: 'tick' }, formatTime(timeMs, stepMs));
    mark.style.left = `${(place - view[0]) * scale}%`;
    return mark;
  });
  const folds = fold.folds
    .filter(({ from, to }) => to > view[0] && from < view[1])
    .map(({ from, to, durationMs }) => {
      const mark = element('span', { class: 'fold' }, element('span', {}, formatDuration(durationMs)));
      mark.style.left = `${(from - view[0]) * scale}%`;
      mark.style.width = `${(to - from) * scale}%`;
      return mark;
    });
  plot.axis.replaceChildren(...folds, ...marks);
}

const focusedIn = ({ root }: Plot): Element | null => (root.getRootNode() as ShadowRoot).activeElement;

/** Returns the label of a span: its title if there is room, or the count of a mark. */
function labelOf(span: Span, widthPx: number): string {
  if (isMoment(span)) return span.count > 1 ? `×${span.count}` : '';
  return widthPx < LABEL_PX ? '' : span.title;
}

function drawItem(plot: Plot, model: Model, { lane }: DrawnLane, span: Span, row: number): HTMLButtonElement | null {
  const from = percentOf(model, span.fromMs);
  const to = percentOf(model, endOf(span, model.nowMs));
  const known = plot.items.get(span.id);
  // Drop an item outside the view, unless it has the focus: removing it would lose the focus.
  if ((to < 0 || from > 100) && (!known || known !== focusedIn(plot))) return null;
  const item = known ?? element('button', { type: 'button', class: 'item', tabindex: '-1' });
  plot.items.set(span.id, item);
  item.dataset['id'] = span.id;
  item.dataset['kind'] = span.kind;
  item.dataset['tone'] = span.tone;
  item.dataset['moment'] = String(isMoment(span));
  item.dataset['open'] = String(span.toMs === null);
  const label = labelOf(span, ((to - from) / 100) * plot.axis.clientWidth);
  if (item.textContent !== label) item.textContent = label;
  item.setAttribute('aria-label', describeSpan(span, lane.label, model.nowMs));
  const left = Math.min(Math.max(from, -1), 101);
  item.style.left = `${left}%`;
  item.style.width = isMoment(span) ? '' : `${Math.min(Math.max(to, left), 101) - left}%`;
  item.style.top = `${LANE_PADDING_PX / 2 + row * ROW_PX}px`;
  return item;
}

const heightOf = ({ rows }: DrawnLane): number => Math.max(rows.length, ROWS_MIN) * ROW_PX + LANE_PADDING_PX;

function laneOf(plot: Plot, tab: string) {
  const known = plot.laneElements.get(tab);
  if (known) return known;
  const head = element('div', { class: 'lane-head' });
  const body = element('div', { class: 'lane-body' });
  const row = element('div', { class: 'lane', role: 'group' }, head, body);
  const made = { row, head, body };
  plot.laneElements.set(tab, made);
  return made;
}

function drawLane(plot: Plot, model: Model, drawn: DrawnLane, ownTab: string | null): HTMLElement {
  const { lane } = drawn;
  const { row, head, body } = laneOf(plot, lane.tab);
  const name = lane.tab === ownTab ? `${lane.label}, this tab` : lane.label;
  row.setAttribute('aria-label', name);
  const sent = lane.sent === 0 ? 'sent no refresh' : `sent ${lane.sent} refresh${lane.sent === 1 ? '' : 'es'}`;
  head.replaceChildren(
    element('strong', {}, lane.label),
    ...(lane.tab === ownTab ? [element('em', {}, 'this tab')] : []),
    element('span', {}, sent),
  );
  const items = drawn.rows.flatMap((spans, index) => spans.map((span) => drawItem(plot, model, drawn, span, index)));
  const shown = items.filter((item) => item !== null);
  for (const child of Array.from(body.children)) if (!shown.includes(child as HTMLButtonElement)) child.remove();
  for (const item of shown) if (item.parentNode !== body) body.append(item);
  body.style.height = `${heightOf(drawn)}px`;
  return row;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Computes the ends of the lines between lanes: the rows of the linked spans. */
function handoverPlaces(model: Model): {
  readonly height: number;
  readonly placeOf: (tab: string, atMs: number) => number;
} {
  const lanes = new Map<string, { readonly top: number; readonly drawn: DrawnLane }>();
  let height = 0;
  for (const drawn of model.lanes) {
    lanes.set(drawn.lane.tab, { top: height, drawn });
    // The line between two lanes is 1 px.
    height += heightOf(drawn) + 1;
  }
  const placeOf = (tab: string, atMs: number): number => {
    const { top = 0, drawn } = lanes.get(tab) ?? {};
    const isIt = ({ handover, fromMs, toMs }: Span): boolean => handover !== null && (toMs ?? fromMs) === atMs;
    const row = drawn?.rows.findIndex((spans) => spans.some(isIt)) ?? 0;
    return top + LANE_PADDING_PX / 2 + (Math.max(0, row) + 0.5) * ROW_PX;
  };
  return { height, placeOf };
}

/** Draws curves from the tab that refreshed or signed in to the tabs that adopted its session. */
function drawLinks(model: Model): SVGSVGElement {
  const { height, placeOf } = handoverPlaces(model);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'links');
  svg.setAttribute('viewBox', `0 0 100 ${Math.max(1, height)}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  for (const { fromTab, fromMs, toTab, toMs } of model.links) {
    const [x1, x2] = [percentOf(model, fromMs), percentOf(model, toMs)];
    if (x2 < 0 || x1 > 100) continue;
    const [y1, y2] = [placeOf(fromTab, fromMs), placeOf(toTab, toMs)];
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', `M${x1} ${y1} C${x1 + 0.4} ${(y1 + y2) / 2} ${x2 - 0.4} ${(y1 + y2) / 2} ${x2} ${y2}`);
    svg.append(path);
  }
  svg.style.height = `${height}px`;
  return svg;
}

/** Draws the model. `ownTab`: the tab of this page, `null` for a recording. */
export function drawPlot(plot: Plot, model: Model, ownTab: string | null): void {
  drawAxis(plot, model);
  const rows = model.lanes.map((drawn) => drawLane(plot, model, drawn, ownTab));
  const focused = focusedIn(plot);
  plot.lanes.querySelector('.links')?.remove();
  for (const child of Array.from(plot.lanes.children)) if (!rows.includes(child as HTMLElement)) child.remove();
  for (const [index, row] of rows.entries())
    if (plot.lanes.children[index] !== row) plot.lanes.insertBefore(row, plot.lanes.children[index] ?? null);
  plot.lanes.append(drawLinks(model));
  for (const [id, item] of plot.items) if (!item.isConnected && item !== focused) plot.items.delete(id);
  // The Tab key reaches one item, the arrow keys reach the others.
  const items = [...plot.items.values()];
  if (!items.some((item) => item.tabIndex === 0)) for (const item of items.slice(-1)) item.tabIndex = 0;
}
