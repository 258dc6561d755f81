import type { Observation } from '../index.ts';
import { compareEntries, readEntry, type TimelineEntry } from './entry.ts';

/** Options of `createTimeline`. */
export type TimelineOptions = {
  /** Tabs with the same name share their observations. Default: all tabs of the origin. */
  readonly name?: string;
  /** The largest number of observations of all tabs; the oldest are dropped first. Default 5 000. */
  readonly entriesMax?: number;
};

/** Records the session's observations in this tab and in others, and shows them. */
export type Timeline = {
  /** The name of this tab, as in `TimelineEntry`. */
  readonly tab: string;
  /** Records an observation: `createAuthService({ onEvent: timeline.record })`, or `auth.observe(timeline.record)`. */
  readonly record: (observation: Observation) => void;
  /** Returns all entries in order of time. It is the same array until an entry is added. */
  readonly getEntries: () => readonly TimelineEntry[];
  /** Calls back after every change. Returns the function that stops it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Deletes the entries in this tab. */
  readonly clear: () => void;
  /** Loads the panel and shows it in `container`. Resolves with the function that removes it. */
  readonly mount: (container: HTMLElement) => Promise<() => void>;
  /** Stops recording, sharing entries with other tabs, receiving theirs and calling listeners. */
  readonly dispose: () => void;
};

/** Creates a random name for a page load. */
const randomTab = (): string => `t${Math.random().toString(36).slice(2, 10)}`;

/**
 * Opens the channel between the tabs. A new tab asks the others for their entries. Each entry is checked on arrival.
 */
function openChannel(
  name: string,
  onEntries: (entries: readonly TimelineEntry[]) => void,
  ownEntries: () => readonly TimelineEntry[],
): { readonly share: (entry: TimelineEntry) => void; readonly close: () => void } {
  if (typeof document === 'undefined' || typeof BroadcastChannel === 'undefined')
    return { share: () => {}, close: () => {} };
  const channel = new BroadcastChannel(`holdfast-timeline-${name}`);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is same-origin by nature
  const post = (message: unknown): void => channel.postMessage(message);
  channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (data === 'hello') return post(ownEntries());
    if (Array.isArray(data)) onEntries(data.map(readEntry).filter((entry) => entry !== null));
  });
  post('hello');
  let waiting: TimelineEntry[] = [];
  const flush = (): void => {
    if (waiting.length > 0) post(waiting);
    waiting = [];
  };
  return {
    share: (entry) => {
      // Send many entries of one task as one message.
      if (waiting.push(entry) === 1) queueMicrotask(flush);
    },
    close: () => {
      waiting = [];
      channel.close();
    },
  };
}

/**
 * Starts a timeline for developers: it shows which tab refreshed, when and why, in all tabs of the origin. Create it
 * before the session, so that it misses no observation. `mount` loads the panel. Observations contain no token, and the
 * timeline drops entries with text that could be one.
 *
 * @example
 * const timeline = createTimeline()
 * const auth = createAuthService({ ..., onEvent: timeline.record })
 * await timeline.mount(document.getElementById('timeline'))
 */
export function createTimeline({ name = 'default', entriesMax = 5_000 }: TimelineOptions = {}): Timeline {
  const tab = randomTab();
  const listeners = new Set<() => void>();
  const known = new Set<string>();
  let entries: readonly TimelineEntry[] = [];
  let seq = 0;
  let isDisposed = false;
  const add = (added: readonly TimelineEntry[]): void => {
    const news = added.filter((entry) => !known.has(`${entry.tab} ${entry.seq}`));
    if (news.length === 0) return;
    for (const entry of news) known.add(`${entry.tab} ${entry.seq}`);
    entries = [...entries, ...news].toSorted(compareEntries).slice(-entriesMax);
    for (const listener of listeners) listener();
  };
  const own = (): readonly TimelineEntry[] => entries.filter((entry) => entry.tab === tab);
  const channel = openChannel(name, add, own);
  const timeline: Timeline = {
    tab,
    record: (observation) => {
      if (isDisposed) return;
      const entry = readEntry({ tab, seq: ++seq, atMs: Date.now(), observation });
      if (entry === null) return;
      add([entry]);
      channel.share(entry);
    },
    getEntries: () => entries,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    clear: () => {
      entries = [];
      for (const listener of listeners) listener();
    },
    mount: async (container) => (await import('./panel.ts')).mountPanel(container, timeline),
    dispose: () => {
      isDisposed = true;
      channel.close();
      listeners.clear();
    },
  };
  return timeline;
}
