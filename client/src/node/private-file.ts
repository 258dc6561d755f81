import { renameSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { createLock, type HeldLock } from './lock.ts';
import { readPrivateFile, storageError, type Warn } from './private-path.ts';

// One JSON file that several processes change. It is whole at every moment: a change is written beside it, forced to
// disk and renamed into place. It is never overwritten by a process that was outrun: see `commit`.

/** A value in a file. Both methods reject with `storage-unavailable`, and warn if no retry cures it. */
export type PrivateFile<T> = {
  /** The value, or `null`: never written, or removed. */
  read(): Promise<T | null>;
  /**
   * Changes the value while no other process can. `change` gets what is stored and answers what is to be stored, or `null`
   * to leave it; it may run more than once. Resolves with what is stored then, once it is on disk.
   */
  update(change: (stored: T | null) => T | null): Promise<T | null>;
};

/** What the file holds, read once. */
type Content<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'absent' | 'damaged' };

/** Format of the file. One from the future is left alone, not thrown away. */
const FORMAT = 1;

/** Shorter than the client's patience with a vault (`policy.vaultWaitMs`), so that the reason is told. */
const LOCK_WAIT_MS = 4_000;

/** Who holds the lock this long has a disk that stands still or is frozen. Safe to break: its commit then fails. */
const BREAK_AFTER_MS = 3_000;

function parse<T>(file: string, text: string, decode: (json: object) => T | null): Content<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'damaged' };
  }
  if (typeof json !== 'object' || json === null || !('format' in json)) return { kind: 'damaged' };
  const { format, ...rest } = json;
  if (typeof format === 'number' && format > FORMAT)
    throw storageError(`${file} was written by a newer version of this program`);
  const value = format === FORMAT ? decode(rest) : null;
  return value === null ? { kind: 'damaged' } : { kind: 'value', value };
}

/** Forces the new name to disk, where a system can. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows has no such thing, and needs none.
  }
}

/**
 * Writes into the holder's own file inside the lock and renames that into place: commit and release are one step. A process
 * that was frozen until its lock was broken finds its file gone, and has changed nothing. Answers whether it was in time.
 */
export async function commit(held: HeldLock, file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(held.file, 'r+');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(held.file, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await syncFolder(path.dirname(file));
  return true;
}

/**
 * A value in the JSON file `file`, readable by its owner alone. `decode` answers `null` for what cannot be such a value; a
 * damaged file is kept as `<file>.damaged`, and `lost` says what takes its place (`null`: nothing).
 */
export function privateFile<T extends object>(
  file: string,
  decode: (json: object) => T | null,
  warn: Warn,
  lost: () => T | null,
): PrivateFile<T> {
  const lock = createLock(`${file}.lock`, { breakAfterMs: BREAK_AFTER_MS });
  const load = (): Content<T> => {
    const found = readPrivateFile(file, warn);
    if (found.kind === 'text') return parse(file, found.text, decode);
    return { kind: found.kind === 'absent' ? 'absent' : 'damaged' };
  };
  const setAside = (): T | null => {
    renameSync(file, `${file}.damaged`);
    warn(`the session in ${file} was damaged and counts as lost; it is kept as ${file}.damaged`);
    return lost();
  };
  const update: PrivateFile<T>['update'] = async (change) => {
    for (;;) {
      const held = await lock(LOCK_WAIT_MS);
      if (!held) throw storageError(`another process is busy with ${file}`, undefined, true);
      try {
        const content = load();
        const instead = content.kind === 'damaged' ? setAside() : null;
        const stored = content.kind === 'value' ? content.value : instead;
        const next = change(stored) ?? instead;
        if (next === null) return stored;
        if (await commit(held, file, `${JSON.stringify({ format: FORMAT, ...next })}\n`)) return next;
      } finally {
        held.release();
      }
    }
  };
  const inWords = (work: Promise<T | null>): Promise<T | null> =>
    work.catch((cause: unknown) => {
      const error = storageError(`the session cannot be kept in ${file}`, cause);
      // The session goes on in memory after a failed write: without a warning, the next command would find none and not say why.
      if (!error.isRetryable) warn(error.message);
      throw error;
    });
  const read: PrivateFile<T>['read'] = async () => {
    const content = load();
    if (content.kind === 'value') return content.value;
    // Setting aside needs the lock: a good file may be on its way.
    return content.kind === 'absent' ? null : update(() => null);
  };
  return {
    read: () => inWords(read()),
    update: (change) => inWords(update(change)),
  };
}
