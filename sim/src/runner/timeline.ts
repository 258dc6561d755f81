import type { Note } from '../sandbox/scheduler.ts';
import { AIM_NAMES, FAULT_NAMES, type Setup } from '../sandbox/setup.ts';

/** A run as a table: one row for each event, one column for each tab, for the server, and for everything else. */
export type Timeline = { readonly columns: readonly string[]; readonly rows: readonly TimelineRow[] };
export type TimelineRow = {
  readonly time: string;
  readonly column: number;
  readonly actor: string;
  readonly text: string;
  readonly isViolation: boolean;
};

/** Formats a time since the start of the world as hours, minutes, seconds and milliseconds. */
export function formatTime(atMs: number): string {
  const pad = (value: number, digits = 2): string => String(Math.floor(value)).padStart(digits, '0');
  const seconds = atMs / 1_000;
  return `${pad(seconds / 3_600)}:${pad((seconds / 60) % 60)}:${pad(seconds % 60)}.${pad(atMs % 1_000, 3)}`;
}

/** Cuts long fractions, so that a jittered wait shows whole milliseconds. */
const round = (text: string): string => text.replaceAll(/(\d)\.\d{3,}/g, '$1');

export function timelineOf(notes: readonly Note[]): Timeline {
  const tabs = [...new Set(notes.map(({ actor }) => actor).filter((actor) => actor.startsWith('tab ')))];
  const columns = [...tabs, 'server', 'world'];
  const columnOf = (actor: string): number => {
    const tab = tabs.indexOf(actor);
    if (tab >= 0) return tab;
    return actor === 'server' || actor === 'database' || actor.startsWith('node') ? tabs.length : tabs.length + 1;
  };
  const rows = notes.map(({ atMs, actor, text }) => ({
    time: formatTime(atMs),
    column: columnOf(actor),
    actor,
    text: round(actor.startsWith('tab ') || actor === 'server' ? text : `${actor}: ${text}`),
    isViolation: actor === 'books',
  }));
  return { columns, rows };
}

const WIDTH = 26;

/** Writes the last `limit` rows of the timeline as text for a terminal. */
export function printTimeline(notes: readonly Note[], limit = Infinity): string {
  const { columns, rows } = timelineOf(notes);
  const head = ['time'.padEnd(12), ...columns.map((column) => column.padEnd(WIDTH))].join(' ');
  const lines = rows.slice(-Math.min(limit, rows.length)).map(({ time, column, text, isViolation }) => {
    if (isViolation) return `${time} ${'*'.repeat(8)} ${text}`;
    return `${time} ${' '.repeat(column * (WIDTH + 1))}${text}`;
  });
  return [head, ...lines].join('\n');
}

/** Describes a setup in words: its parts and its faults. */
export function describeSetup(setup: Setup): string {
  const faults = FAULT_NAMES.filter((name) => setup.faults[name] > 0);
  const aims = AIM_NAMES.filter((name) => setup.aims[name] > 0).map((name) => `aimed: ${name}`);
  const thief = setup.theftAtMs === null ? [] : ['a thief'];
  const going = [...faults, ...aims, ...thief].join(', ') || 'nothing goes wrong';
  const minutes = Math.round(setup.safetyMs / 60_000);
  const tabs = setup.tabs === 1 ? '1 tab' : `${setup.tabs} tabs`;
  return `${setup.store}, ${tabs}, ${setup.nodes} nodes, ${minutes} min, access tokens of ${setup.accessTokenLifetimeSeconds} s: ${going}`;
}
