import fs from 'node:fs';
import { sumUp, type Chunk } from './worker-pool.ts';

/** The record of a run that may be interrupted: one line of JSON for each finished chunk of seeds. */
export type Record = {
  /** The commit that was played, or will be. */
  readonly commit: string;
  readonly known: readonly Chunk[];
  readonly onPlayed: (chunk: Chunk) => void;
};

/**
 * Opens the record of a run of `count` worlds, and creates it if there is none.
 *
 * @param commit the commit that would be played now
 * @throws TypeError for the unfinished record of another commit, because its chunks do not count
 */
export function openRecord(file: string, commit: string, count: number): Record {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  // A run that was killed during a write leaves half a line.
  const lines = text.split('\n').slice(0, -1);
  const known = lines.map((line) => JSON.parse(line) as Chunk & { readonly commit: string });
  const [first] = known;
  if (first && first.commit !== commit && sumUp(known).played < count)
    throw new TypeError(`${file} is a record of ${first.commit}, and this is ${commit}: name another file`);
  fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return {
    commit: first?.commit ?? commit,
    known,
    onPlayed: (chunk) => fs.appendFileSync(file, `${JSON.stringify({ commit, ...chunk })}\n`),
  };
}
