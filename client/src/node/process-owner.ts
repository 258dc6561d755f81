import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';

// Who holds a lock, as a file name: nothing has to be read to know it, so nothing can be found half written.

/** A process, told apart from a later one with the same number. */
export type Owner = {
  readonly pid: number;
  /** When the process started, in the system's own units; empty where the system does not say. */
  readonly startedAt: string;
  /** Where process numbers mean the same: this machine since its last start, and this container. */
  readonly realm: string;
};

/** `elsewhere`: its number means nothing here (another machine or container, or before the last start). */
export type OwnerState = 'alive' | 'gone' | 'elsewhere';

const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

const readLink = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

let ownRealm: string | null = null;

function realm(): string {
  const bootId = readText('/proc/sys/kernel/random/boot_id') ?? '';
  const names = [hostname(), bootId, readLink('/proc/self/ns/pid')].join('\n');
  ownRealm ??= createHash('sha256').update(names).digest('hex').slice(0, 12);
  return ownRealm;
}

/** When process `pid` started; `null` if there is none, empty if the system does not say. */
export function readStart(pid: number): string | null {
  if (readText('/proc/self/stat') !== null) {
    const stat = readText(`/proc/${pid}/stat`);
    if (stat === null) return null;
    // The name in parentheses may hold anything, also parentheses. After it: state, ..., and start time as the 20th (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isDead = fields[0] === 'Z' || fields[0] === 'X';
    return isDead ? null : (fields[19] ?? '');
  }
  try {
    process.kill(pid, 0);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? null : '';
  }
}

/** A name for one use of a lock by this process, never given twice. */
export function createOwnerName(): string {
  const { pid } = process;
  return [pid, readStart(pid) ?? '', realm(), randomBytes(8).toString('hex')].join('.');
}

/** The owner that a name tells of; `null` if it is no such name. */
export function parseOwnerName(name: string): Owner | null {
  const match = /^(\d{1,10})\.(\d*)\.([0-9a-f]{12})\.[0-9a-f]{16}$/u.exec(name);
  if (!match) return null;
  const [, pid = '', startedAt = '', realm = ''] = match;
  return { pid: Number(pid), startedAt, realm };
}

/** Whether the owner still runs. `startOf` and `here` are for tests. */
export function stateOf(owner: Owner, startOf: (pid: number) => string | null = readStart, here = realm()): OwnerState {
  if (owner.realm !== here) return 'elsewhere';
  const startedAt = startOf(owner.pid);
  if (startedAt === null) return 'gone';
  // The number went to another process.
  return startedAt !== '' && owner.startedAt !== '' && startedAt !== owner.startedAt ? 'gone' : 'alive';
}
