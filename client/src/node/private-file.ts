import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { createLock, type HeldLock } from './lock.ts';
import { readPrivateFile, storageError, type Warn } from './private-path.ts';

// One JSON file that several processes change. It is complete at every moment: a change is written to another file,
// synced to disk and renamed into place. A process that has lost the lock never overwrites it: see `commit`.

/** A value in a file. Both methods reject with `storage-unavailable`, and warn if a retry cannot help. */
export type PrivateFile<T> = {
  /** Reads the value. `null`: it was never written, or was removed. */
  read(): Promise<T | null>;
  /**
   * Changes the value under a lock between processes. `change` receives the stored value and returns the next one, or
   * `null` to leave it as it is. It may run more than once. Resolves with the stored value once it is on disk.
   */
  update(change: (stored: T | null) => T | null): Promise<T | null>;
};

/** The result of one read of the file. */
type Content<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'absent' | 'damaged' };

/** The format of the file. A file with a newer format is neither changed nor set aside. */
const FORMAT = 1;

/** Shorter than the client's deadline for the vault (`policy.vaultWaitMs`), so that the error tells the reason. */
const LOCK_WAIT_MS = 4_000;

/**
 * The time after which a holder counts as frozen, or its disk as hung. Breaking the lock is safe: its commit then
 * fails.
 */
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

/** Syncs the new name to disk, if the system supports it. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows cannot sync a folder, and need not.
  }
}

/**
 * Writes to the holder's own file inside the lock and renames it into place: commit and release are one step. A process
 * that was frozen until its lock was broken finds its file gone and changes nothing: then the result is `false`.
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
 * Sets a copy of a damaged file aside. The copy becomes `<file>.damaged` only with a commit: a process that was frozen
 * until its lock was broken may have copied the next holder's file.
 */
function copyDamaged(file: string, held: HeldLock): { readonly keep: () => void; readonly drop: () => void } {
  const copy = `${file}.damaged.${path.basename(held.file)}`;
  copyFileSync(file, copy);
  return { keep: () => renameSync(copy, `${file}.damaged`), drop: () => rmSync(copy, { force: true }) };
}

/**
 * Stores a value in the JSON file `file`, readable by its owner alone. A damaged file is kept as `<file>.damaged`.
 *
 * @param decode returns the value, or `null` if the JSON is none
 * @param lost returns the value that replaces a damaged file; `null`: none, so the file stays until a change writes
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
  /** Changes the value once. `false`: the lock was broken before the commit, and nothing has changed. */
  const attempt = async (held: HeldLock, change: (stored: T | null) => T | null): Promise<T | null | false> => {
    const content = load();
    const damaged = content.kind === 'damaged' ? copyDamaged(file, held) : null;
    try {
      const instead = damaged && lost();
      const stored = content.kind === 'value' ? content.value : instead;
      const next = change(stored) ?? instead;
      if (next === null) return stored;
      if (!(await commit(held, file, `${JSON.stringify({ format: FORMAT, ...next })}\n`))) return false;
      damaged?.keep();
      if (damaged) warn(`the session in ${file} was damaged and counts as lost; it is kept as ${file}.damaged`);
      return next;
    } finally {
      damaged?.drop();
    }
  };
  const update: PrivateFile<T>['update'] = async (change) => {
    for (;;) {
      const held = await lock(LOCK_WAIT_MS);
      if (!held) throw storageError(`another process is busy with ${file}`, undefined, true);
      try {
        const outcome = await attempt(held, change);
        if (outcome !== false) return outcome;
      } finally {
        held.release();
      }
    }
  };
  const inWords = (work: Promise<T | null>): Promise<T | null> =>
    work.catch((cause: unknown) => {
      const error = storageError(`the session cannot be kept in ${file}`, cause);
      // After a failed write the session continues in memory. Warn: otherwise the next command would find no session
      // without a reason.
      if (!error.isRetryable) warn(error.message);
      throw error;
    });
  const read: PrivateFile<T>['read'] = async () => {
    const content = load();
    if (content.kind === 'value') return content.value;
    // Take the lock to set a damaged file aside: another process may be about to replace it.
    return content.kind === 'absent' ? null : update(() => null);
  };
  return {
    read: () => inWords(read()),
    update: (change) => inWords(update(change)),
  };
}
