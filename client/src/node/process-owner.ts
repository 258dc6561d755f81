import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';

// The holder of a lock as a file name. A process learns the holder without reading a file, so never from a half-written
// one.

/** Identifies a process, also against a later one with the same number. */
export type Owner = {
  readonly pid: number;
  /** The start time of the process, in the system's own units. Empty if the system does not report it. */
  readonly startedAt: string;
  /** The scope in which a process number is unique: this container, on this machine since its last boot. */
  readonly realm: string;
};

/** `elsewhere`: the owner is of another machine, container or boot, so its process number cannot be checked here. */
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

/** Reads the start time of process `pid`. `null`: no such process. Empty: the system does not report it. */
export function readStart(pid: number): string | null {
  if (readText('/proc/self/stat') !== null) {
    const stat = readText(`/proc/${pid}/stat`);
    if (stat === null) return null;
    // The name in parentheses may itself contain parentheses. After it come the state and, as the 20th field, the start
    // time (proc(5)).
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

/** Creates a unique name for one use of a lock by this process. */
export function createOwnerName(): string {
  const { pid } = process;
  return [pid, readStart(pid) ?? '', realm(), randomBytes(8).toString('hex')].join('.');
}

/** Reads the owner from a name; `null` if `createOwnerName` did not make it. */
export function parseOwnerName(name: string): Owner | null {
  const match = /^(\d{1,10})\.(\d*)\.([0-9a-f]{12})\.[0-9a-f]{16}$/u.exec(name);
  if (!match) return null;
  const [, pid = '', startedAt = '', realm = ''] = match;
  return { pid: Number(pid), startedAt, realm };
}

/** Tells if the owner still runs. Tests pass `startOf` and `here`. */
export function stateOf(owner: Owner, startOf: (pid: number) => string | null = readStart, here = realm()): OwnerState {
  if (owner.realm !== here) return 'elsewhere';
  const startedAt = startOf(owner.pid);
  if (startedAt === null) return 'gone';
  // Another start time: the system has given the number to another process.
  return startedAt !== '' && owner.startedAt !== '' && startedAt !== owner.startedAt ? 'gone' : 'alive';
}
