import { button, element } from './element.ts';
import type { TimelineEntry } from './entry.ts';
import { moveView, zoomView } from './fold.ts';
import { lengthOf, readModel, type Choices, type Model } from './model.ts';
import { listenToKeys, listenToPointer } from './navigation.ts';
import { createPlot, drawPlot, formatTime, type Plot } from './plot.ts';
import { readRecording, writeRecording } from './recording.ts';
import { isMoment, type Span, type SpanGroup } from './span.ts';
import { adoptStyle } from './style.ts';
import { createToolbar, type Commands, type Toolbar } from './toolbar.ts';
import { formatDuration } from './wording.ts';

/** The interval between two drawings while a span is open, in ms. */
const TICK_MS = 200;

/** An imported recording, shown instead of this session. */
type Recording = { readonly name: string; readonly entries: readonly TimelineEntry[]; readonly dropped: number };

/** Downloads `text` as a file. */
function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = element('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}

/** Shows the details of the span `id` below the plot. */
function drawDetails(details: HTMLElement, model: Model, id: string | null): void {
  const found = model.lanes
    .flatMap(({ lane, rows }) => rows.flat().map((span) => ({ span, label: lane.label })))
    .find(({ span }) => span.id === id);
  if (!found) {
    const hint = 'Point at something, or go there with the arrow keys, to read what it was.';
    return details.replaceChildren(element('p', { class: 'hint' }, hint));
  }
  const { span, label } = found;
  const duration = formatDuration((span.toMs ?? model.nowMs) - span.fromMs);
  const times = isMoment(span) ? [] : [span.toMs === null ? `for ${duration} so far` : duration];
  details.replaceChildren(
    element('p', { class: 'details-head' }, element('strong', {}, span.title), ` · ${label}`),
    element('p', { class: 'details-time' }, [formatTime(span.fromMs, 1), ...times].join(' · ')),
    element('p', {}, span.text),
  );
}

/** The used part of a `Timeline`. */
export type ShownTimeline = {
  readonly tab: string;
  readonly getEntries: () => readonly TimelineEntry[];
  readonly subscribe: (listener: () => void) => () => void;
  readonly clear: () => void;
};

/** The state and the elements of a panel. */
type Panel = {
  readonly timeline: ShownTimeline;
  readonly plot: Plot;
  readonly notice: HTMLElement;
  readonly details: HTMLElement;
  toolbar: Toolbar | null;
  choices: Choices;
  recording: Recording | null;
  /** The reason why the last chosen file is not shown, until another one is. */
  refusal: string | null;
  /** The span of the details. */
  pointedAt: string | null;
  timer: ReturnType<typeof setTimeout> | undefined;
};

const entriesOf = ({ recording, timeline }: Panel): readonly TimelineEntry[] =>
  recording?.entries ?? timeline.getEntries();

function modelOf(panel: Panel): Model {
  const entries = entriesOf(panel);
  return readModel(entries, panel.choices, panel.recording ? (entries.at(-1)?.atMs ?? 0) : Date.now());
}

function drawNotice({ notice, recording, refusal }: Panel, isEmpty: boolean, onBack: () => void): void {
  const parts: (string | Node)[] = refusal === null ? [] : [`${refusal} `];
  if (recording) {
    const { name, entries, dropped } = recording;
    const left = dropped === 0 ? '' : ` ${dropped} entries were not readable and are left out.`;
    parts.push(`${name}: ${entries.length} events.${left}`, button('Back to this session', onBack));
  } else if (isEmpty) parts.push('Nothing has happened yet.');
  notice.replaceChildren(...parts);
}

function draw(panel: Panel): void {
  clearTimeout(panel.timer);
  const { plot, details, toolbar, choices, recording, timeline } = panel;
  const model = modelOf(panel);
  const isEmpty = model.lanes.length === 0;
  plot.root.hidden = isEmpty;
  details.hidden = isEmpty;
  toolbar?.update({ ...choices, isFollowing: choices.view === null, isEmpty });
  drawPlot(plot, model, recording ? null : timeline.tab);
  drawDetails(details, model, panel.pointedAt);
  drawNotice(panel, isEmpty, () => show(panel, null));
  if (model.isMoving && !recording) panel.timer = setTimeout(() => draw(panel), TICK_MS);
}

function choose(panel: Panel, next: Partial<Choices>): void {
  panel.choices = { ...panel.choices, ...next };
  draw(panel);
}

/** Shows a whole recording, or this session for `null`. */
function show(panel: Panel, recording: Recording | null): void {
  panel.recording = recording;
  panel.refusal = null;
  choose(panel, { view: recording && [0, lengthOf(modelOf(panel))] });
}

function changeView(panel: Panel, change: (view: Model['view'], length: number) => Model['view']): void {
  const model = modelOf(panel);
  choose(panel, { view: change(model.view, lengthOf(model)) });
}

function zoom(panel: Panel, factor: number, at = 0.5): void {
  changeView(panel, ([from, to], length) => zoomView([from, to], factor, from + (to - from) * at, length));
}

/** Returns the place in the view where a span begins, from 0 to 1; the middle if it is outside the view. */
function partOf(model: Model, id: string | undefined): number {
  const span = model.lanes.flatMap(({ rows }) => rows.flat()).find((each) => each.id === id);
  const [from, to] = model.view;
  const part = span ? (model.fold.place(span.fromMs) - from) / (to - from) : 0.5;
  return part < 0 || part > 1 ? 0.5 : part;
}

function move(panel: Panel, part: number): void {
  changeView(panel, ([from, to], length) => moveView([from, to], (to - from) * part, length));
}

function pointAt(panel: Panel, id: string): void {
  panel.pointedAt = id;
  drawDetails(panel.details, modelOf(panel), id);
}

/** Moves a span into the view and focuses it. */
function goTo(panel: Panel, span: Span): void {
  const model = modelOf(panel);
  const [from, to] = model.view;
  const place = model.fold.place(span.fromMs);
  if (place < from || place > to)
    choose(panel, { view: moveView(model.view, place - (from + to) / 2, lengthOf(model)) });
  for (const [id, item] of panel.plot.items) item.tabIndex = id === span.id ? 0 : -1;
  panel.plot.items.get(span.id)?.focus();
}

function exportRecording(panel: Panel): void {
  const nowMs = Date.now();
  const name = `session-timeline-${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-')}.json`;
  download(name, writeRecording(entriesOf(panel), nowMs));
}

async function importRecording(panel: Panel, file: File): Promise<void> {
  const read = readRecording(await file.text());
  if (read.entries !== null) return show(panel, { name: file.name, ...read });
  panel.refusal = read.why;
  draw(panel);
}

function toggleGroup(panel: Panel, group: SpanGroup): void {
  const hidden = new Set(panel.choices.hidden);
  if (!hidden.delete(group)) hidden.add(group);
  choose(panel, { hidden });
}

const commandsOf = (panel: Panel): Commands => ({
  toggleGroup: (group) => toggleGroup(panel, group),
  toggleFolded: () => choose(panel, { isFolded: !panel.choices.isFolded, view: null }),
  zoom: (factor) => zoom(panel, factor),
  showAll: () => changeView(panel, (_view, length) => [0, length]),
  follow: () => choose(panel, { view: null }),
  exportRecording: () => exportRecording(panel),
  importRecording: (file) => void importRecording(panel, file),
  clear: () => {
    panel.timeline.clear();
    show(panel, null);
  },
});

/** Shows a timeline in `container`, in its own shadow tree. Returns the function that removes it. */
export function mountPanel(container: HTMLElement, timeline: ShownTimeline): () => void {
  const host = element('div');
  const shadow = host.attachShadow({ mode: 'open' });
  adoptStyle(shadow);
  const panel: Panel = {
    timeline,
    plot: createPlot(),
    notice: element('div', { class: 'notice', role: 'status' }),
    details: element('div', { class: 'details' }),
    toolbar: null,
    choices: { view: null, isFolded: true, hidden: new Set() },
    recording: null,
    refusal: null,
    pointedAt: null,
    timer: undefined,
  };
  const toolbar = createToolbar(commandsOf(panel));
  panel.toolbar = toolbar;
  listenToPointer(panel.plot, {
    zoom: (factor, at) => zoom(panel, factor, at),
    move: (part) => move(panel, part),
    pointAt: (id) => pointAt(panel, id),
  });
  listenToKeys(panel.plot, {
    zoom: (factor, id) => zoom(panel, factor, partOf(modelOf(panel), id)),
    move: (part) => move(panel, part),
    goTo: (span) => goTo(panel, span),
    getModel: () => modelOf(panel),
    follow: () => choose(panel, { view: null }),
  });
  shadow.append(element('div', { class: 'panel' }, toolbar.root, panel.notice, panel.plot.root, panel.details));
  container.append(host);
  // Draw once for many entries at once.
  let frame = 0;
  const drawSoon = (): void => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw(panel);
    });
  };
  const stop = timeline.subscribe(drawSoon);
  const observer = new ResizeObserver(drawSoon);
  observer.observe(host);
  draw(panel);
  return () => {
    stop();
    observer.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(panel.timer);
    host.remove();
  };
}
