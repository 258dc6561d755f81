import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AbortSignalLike } from '../core/ports.ts';
import { createOwnerName, parseOwnerName, stateOf } from './process-owner.ts';

// A lock between processes, built on an operation that is atomic on every file system. The lock is a folder with one
// file, named after its holder. A folder cannot be renamed onto a folder that is not empty, so only one of many renames
// succeeds. To break the lock of a dead process, a process removes the file of exactly that holder, never the next
// holder's.

/** Options of a lock. */
export type LockOptions = {
  /**
   * Breaks the lock of a holder, even a live one, after another process has waited this long for it, in ms. Default:
   * never.
   */
  readonly breakAfterMs?: number;
};

/** An acquired lock. */
export type HeldLock = {
  /** The holder's own empty file. It is gone once the lock is broken. Renaming it commits and releases in one step. */
  readonly file: string;
  /** Releases the lock. Does nothing if the lock was broken or released before. Never throws. */
  release(): void;
};

/** Acquires the lock. `null` after `waitMs`, or if `signal` is aborted. Rejects only if the folder cannot be used. */
export type Lock = (waitMs: number, signal?: Pick<AbortSignalLike, 'aborted'>) => Promise<HeldLock | null>;

const POLL_MS = 10;

/**
 * The age at which a holder on another machine counts as dead: its process cannot be checked. No refresh takes this
 * long.
 */
const ELSEWHERE_AFTER_MS = 600_000;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** Runs `work`; `null` if it fails with one of `codes`. */
function unless<T>(codes: readonly string[], work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (codes.includes(codeOf(error))) return null;
    throw error;
  }
}

/** Codes of a rename onto a folder that is not empty. */
const TAKEN = ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'];
const GONE = ['ENOENT'];

/** Creates the folder that will become the lock, with its file already inside. */
function makeCandidate(candidate: string, name: string): void {
  mkdirSync(candidate, { recursive: true, mode: 0o700 });
  writeFileSync(path.join(candidate, name), '', { mode: 0o600 });
}

/** Moves the candidate into place; `false` if the lock is held. */
function take(candidate: string, name: string, lock: string): boolean {
  try {
    renameSync(candidate, lock);
    return true;
  } catch (error) {
    // Another process removed the whole folder: create the candidate again.
    if (codeOf(error) === 'ENOENT') makeCandidate(candidate, name);
    else if (!TAKEN.includes(codeOf(error))) throw error;
    return false;
  }
}

const ageMs = (file: string): number => unless(GONE, () => Date.now() - statSync(file).mtimeMs) ?? 0;

function isAbandoned(name: string, file: string): boolean {
  const owner = parseOwnerName(name);
  if (!owner) return true;
  const state = stateOf(owner);
  return state === 'gone' || (state === 'elsewhere' && ageMs(file) > ELSEWHERE_AFTER_MS);
}

/** Removes the files of dead holders. Returns the name of a live holder that must be waited for, or `null`. */
function clearAbandoned(lock: string, mayBreak: (name: string) => boolean): string | null {
  for (const name of unless(GONE, () => readdirSync(lock)) ?? []) {
    const file = path.join(lock, name);
    if (!isAbandoned(name, file) && !mayBreak(name)) return name;
    unless([...GONE, 'EISDIR', 'EPERM'], () => unlinkSync(file));
  }
  // Some systems cannot rename a folder onto an empty one: remove the empty folder.
  unless([...GONE, ...TAKEN, 'ENOTDIR'], () => rmdirSync(lock));
  return null;
}

/** Removes the candidates of processes that died while waiting. */
function sweepCandidates(lock: string): void {
  const prefix = `${path.basename(lock)}.`;
  for (const entry of unless(GONE, () => readdirSync(path.dirname(lock))) ?? []) {
    const candidate = path.join(path.dirname(lock), entry);
    const name = entry.slice(prefix.length);
    if (entry.startsWith(prefix) && parseOwnerName(name) && isAbandoned(name, candidate))
      rmSync(candidate, { recursive: true, force: true });
  }
}

function hold(lock: string, name: string): HeldLock {
  const file = path.join(lock, name);
  return {
    file,
    release: () => {
      try {
        unlinkSync(file);
      } catch {
        // The lock was broken, committed or released before.
      }
      try {
        rmdirSync(lock);
      } catch {
        // The next holder already has the lock.
      }
    },
  };
}

/** Measures how long the same holder has kept the lock. Tells if that is `breakAfterMs` or longer. */
function watchHolder(breakAfterMs: number): (name: string) => boolean {
  let watched = '';
  let sinceMs = 0;
  return (name) => {
    if (name !== watched) {
      watched = name;
      sinceMs = performance.now();
    }
    return performance.now() - sinceMs >= breakAfterMs;
  };
}

/**
 * Creates a lock at `lock`, whose parent folder must exist or be creatable. It is neither fair nor re-entrant. The
 * death of its holder releases it. With `breakAfterMs` a live holder can lose it; then the holder's `file` is gone.
 */
export function createLock(lock: string, { breakAfterMs = Infinity }: LockOptions = {}): Lock {
  let isSwept = false;
  return async (waitMs, signal) => {
    const name = createOwnerName();
    const candidate = `${lock}.${name}`;
    const mayBreak = watchHolder(breakAfterMs);
    const deadlineMs = performance.now() + waitMs;
    let isLastTry = false;
    if (!isSwept) sweepCandidates(lock);
    isSwept = true;
    makeCandidate(candidate, name);
    try {
      for (;;) {
        if (take(candidate, name, lock)) return hold(lock, name);
        const isHeld = clearAbandoned(lock, mayBreak) !== null;
        // Try once more if the lock has just become free, also with a `waitMs` of 0.
        const isOver = performance.now() >= deadlineMs;
        if ((isOver && (isHeld || isLastTry)) || signal?.aborted) return null;
        isLastTry = isOver;
        await sleep(isHeld ? POLL_MS * (0.5 + Math.random()) : 1);
      }
    } finally {
      rmSync(candidate, { recursive: true, force: true });
    }
  };
}
