import fs from 'node:fs';
import type { Chunk } from './crew.ts';

/** A run that may be interrupted: a line of JSON for every chunk of seeds that is done. */
export type Record = { readonly known: readonly Chunk[]; readonly onPlayed: (chunk: Chunk) => void };

/**
 * Opens the record of a run, and begins one if there is none.
 *
 * @param commit what is played; what another commit has played does not count
 * @throws TypeError for a record of another commit
 */
export function openRecord(file: string, commit: string): Record {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  // A run that was killed while it wrote leaves half a line.
  const lines = text.split('\n').slice(0, -1);
  fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  const known = lines.map((line) => JSON.parse(line) as Chunk & { readonly commit: string });
  const other = known.find((chunk) => chunk.commit !== commit);
  if (other) throw new TypeError(`${file} is a record of ${other.commit}, and this is ${commit}: name another file`);
  return { known, onPlayed: (chunk) => fs.appendFileSync(file, `${JSON.stringify({ commit, ...chunk })}\n`) };
}
