import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { HoldfastError } from '../core/errors.ts';

// Files that no other user may read. On a system without owners and modes (Windows), the user's own folder protects
// them.

/** Receives a warning for the user: one sentence without secrets. */
export type Warn = (message: string) => void;

const OTHERS_MAY_READ = 0o077;
const OTHERS_MAY_WRITE = 0o022;

/**
 * Codes of faults that the user has to repair: missing rights, links, a folder in place of a file or the reverse. On
 * Windows EACCES and EPERM also mean that another program has the file open for a moment.
 */
const FOR_GOOD = ['ELOOP', 'ENOTDIR', 'EISDIR', 'EROFS', ...(process.platform === 'win32' ? [] : ['EACCES', 'EPERM'])];

/**
 * Creates the error for a failure of the store. Returns `cause` itself if it is a `HoldfastError`.
 *
 * @param isRetryable Default: `false` without a `cause` or with a system code in `FOR_GOOD`, else `true`
 */
export function storageError(what: string, cause?: unknown, isRetryable?: boolean): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new HoldfastError('storage-unavailable', code === undefined ? what : `${what} (${code})`, {
    cause,
    isRetryable: isRetryable ?? !(cause === undefined || FOR_GOOD.includes(code ?? '')),
  });
}

/** Throws if another user owns this file or folder: that user could have written the content. */
export function assertOwn(name: string, stat: Pick<Stats, 'uid'>, ownUid = process.getuid?.()): void {
  // Accept a file of the administrator, who controls the machine anyway.
  if (ownUid === undefined || stat.uid === ownUid || stat.uid === 0) return;
  throw storageError(`${name} belongs to another user, so the session is not kept there`);
}

/** Creates the folder for the user alone, or checks an existing one. Throws `storage-unavailable`. */
export function preparePrivateFolder(folder: string): void {
  let stat: Stats;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    stat = statSync(folder);
  } catch (cause) {
    throw storageError(`the folder ${folder} for the session cannot be created`, cause);
  }
  assertOwn(`the folder ${folder}`, stat);
  if (process.getuid !== undefined && (stat.mode & OTHERS_MAY_WRITE) !== 0)
    throw storageError(`others may write to the folder ${folder}, so the session is not kept there: chmod 700 it`);
}

/** File systems count time in steps: a second write within this time may leave the same modification time. */
const STEP_MS = 20;

let looks = 0;

/** Returns a value that differs from the previous one if the file may have been written since. Costs one `lstat`. */
export function versionOf(file: string): string {
  try {
    const stat = lstatSync(file, { bigint: true, throwIfNoEntry: false });
    if (!stat) return 'absent';
    const isRecent = Math.abs(Date.now() - Number(stat.mtimeMs)) < STEP_MS;
    return `${stat.ino} ${stat.mtimeNs} ${stat.size} ${isRecent ? looks++ : ''}`;
  } catch (error) {
    return String(error);
  }
}

/** Throws if the folder of `file` is not writable: a rotated refresh token could not be stored. */
export function assertWritable(file: string): void {
  const folder = path.dirname(file);
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw storageError(
      `the session in ${file} cannot be renewed, because the folder ${folder} cannot be written to`,
      cause,
    );
  }
}

/** Larger than any stored session. A larger file counts as damaged. */
const LARGEST_BYTES = 1_000_000;

/** The text of a file, or the reason why there is none. */
export type PrivateText = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'absent' | 'too-large' };

/**
 * Reads a file that only its owner may read. If others could read it, restricts its mode and warns: they may know its
 * content. Throws `storage-unavailable` for a link, for anything but a file, for another user's file and for an
 * unreadable one.
 */
export function readPrivateFile(file: string, warn: Warn): PrivateText {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw storageError(`${file} is not a file, so no session is read from it`);
    assertOwn(file, stat);
    if (process.getuid !== undefined && (stat.mode & OTHERS_MAY_READ) !== 0) {
      fchmodSync(descriptor, 0o600);
      warn(
        `others could read the session in ${file} until now; if somebody else uses this machine, sign out and in again`,
      );
    }
    if (stat.size > LARGEST_BYTES) return { kind: 'too-large' };
    return { kind: 'text', text: readFileSync(descriptor, 'utf8') };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'absent' };
    if (code === 'ELOOP') throw storageError(`${file} is a link, so no session is read through it`, cause);
    throw storageError(`the session in ${file} cannot be read`, cause);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
