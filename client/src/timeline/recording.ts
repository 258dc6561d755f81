import { readEntry, type TimelineEntry } from './entry.ts';

const FORMAT = 'holdfast-timeline';
const VERSION = 1;

/** Writes a recording as JSON, for a bug report. It contains observations with their times, and no secret. */
export function writeRecording(entries: readonly TimelineEntry[], atMs: number): string {
  const recording = { format: FORMAT, version: VERSION, recordedAt: new Date(atMs).toISOString(), entries };
  return JSON.stringify(recording, null, 1);
}

/** The reason why a file is no recording, as a sentence. */
type Refusal = { readonly entries: null; readonly why: string };

/** Reads a recording. Drops and counts values that `readEntry` refuses. */
export function readRecording(text: string): { entries: readonly TimelineEntry[]; readonly dropped: number } | Refusal {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { entries: null, why: 'This file is no JSON.' };
  }
  const { format, version, entries } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || !Array.isArray(entries))
    return { entries: null, why: 'This file is no recording of a session timeline.' };
  if (version !== VERSION) return { entries: null, why: `This recording is of version ${String(version)}, not 1.` };
  const read = entries.map(readEntry).filter((entry) => entry !== null);
  return { entries: read, dropped: entries.length - read.length };
}
