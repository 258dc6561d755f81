import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AbortSignalLike } from '../core/ports.ts';
import { createOwnerName, parseOwnerName, stateOf } from './process-owner.ts';

// A lock between processes, from what every file system does atomically. The lock is a folder that holds one file, named
// after its holder. A folder cannot be renamed onto one that is not empty, so one of many succeeds. Who breaks the lock of
// a dead process removes the file of exactly that holder, so it can never remove the lock of the next one.

/** How a lock is waited for and broken. */
export type LockOptions = {
  /** A holder that does not change for this long while somebody waits loses the lock even if it lives, in ms. Default: never. */
  readonly breakAfterMs?: number;
};

/** A lock that is held. */
export type HeldLock = {
  /** An empty file of the holder, gone once the lock was broken: renaming it away commits and releases in one step. */
  readonly file: string;
  /** Gives the lock up; does nothing if it was broken or given up before. Never throws. */
  release(): void;
};

/** Waits at most `waitMs`, or until `signal` is aborted; then `null`. Rejects only if the folder cannot be used. */
export type Lock = (waitMs: number, signal?: Pick<AbortSignalLike, 'aborted'>) => Promise<HeldLock | null>;

const POLL_MS = 10;

/** A holder on another machine cannot be asked whether it lives. No refresh takes this long. */
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

/** What a system says when the target of a rename is a folder with something in it. */
const TAKEN = ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'];
const GONE = ['ENOENT'];

/** Makes the folder that will become the lock, complete before anybody sees it. */
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
    // Somebody tidied up the whole folder.
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

/** Removes what a dead holder left. Answers the name of a holder that is to be waited for, or `null`. */
function clearAbandoned(lock: string, mayBreak: (name: string) => boolean): string | null {
  for (const name of unless(GONE, () => readdirSync(lock)) ?? []) {
    const file = path.join(lock, name);
    if (!isAbandoned(name, file) && !mayBreak(name)) return name;
    unless([...GONE, 'EISDIR', 'EPERM'], () => unlinkSync(file));
  }
  // Where a folder cannot be renamed onto an empty one.
  unless([...GONE, ...TAKEN, 'ENOTDIR'], () => rmdirSync(lock));
  return null;
}

/** Removes the candidates of processes that died while they waited. */
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
        // Broken, committed, or given up before.
      }
      try {
        rmdirSync(lock);
      } catch {
        // The next holder is in already.
      }
    },
  };
}

/** Remembers for how long one holder has been in the way. */
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
 * A lock at `lock`, whose folder must exist or be creatable. Not fair, not re-entrant. Released by the death of its
 * holder. Taken from a holder that lives only where `breakAfterMs` says so; then the holder's `file` is gone.
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
        // A lock that has just become free is worth one more try, also to those who do not wait.
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
