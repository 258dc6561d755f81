import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { Account } from './embedded-installation.ts';

/** Time limit for the start, including crash recovery. */
const START_TIMEOUT_MS = 60_000;
/** Time limit for a fast shutdown; after it the server is killed. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Runs PostgreSQL until descriptor 3 closes, which also happens if our process is killed. Then stops it, and repeats
 * the signal until it is gone, because a server that just started does not handle signals yet.
 */
const SUPERVISOR = `
"$@" 3<&- &
postgres=$!
( read -r _ <&3 || :
  while kill -INT "$postgres" 2>/dev/null; do sleep 0.1; done ) &
watcher=$!
exec 3<&-
wait "$postgres"
code=$?
kill "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$code"`;

export type SupervisedServer = {
  /** Resolves once the server and its supervisor are gone. */
  stop(): Promise<void>;
};

export type ServerStart =
  | { readonly kind: 'running'; readonly server: SupervisedServer }
  | { readonly kind: 'port_taken' | 'in_use' | 'failed'; readonly lastLines: string };

export type ServerCommand = {
  readonly executable: string;
  readonly account: Account | null;
  readonly cluster: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
};

/** Starts a server. Resolves when it accepts connections or has failed. */
export function superviseServer({ executable, account, cluster, settings, log }: ServerCommand): Promise<ServerStart> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'holdfast-postgres', executable, '-D', cluster, ...flags], {
    ...processOptions(account),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A separate process group: we handle a terminal's Ctrl-C ourselves, after requests under way are answered.
    detached: true,
  });
  const [, , stderr, lifeline] = child.stdio as unknown as [null, null, Readable, Writable];
  // The server lives as long as this process and must not keep it alive.
  child.unref();
  unref(stderr);
  unref(lifeline);
  lifeline.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  child.once('exit', () => lifeline.end());
  const server: SupervisedServer = { stop: () => stopServer(child, lifeline, closed) };

  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const deadline = setTimeout(() => {
      void server.stop();
      resolve({ kind: 'failed', lastLines: `not ready after ${START_TIMEOUT_MS} ms` });
    }, START_TIMEOUT_MS);
    createInterface({ input: stderr }).on('line', (line) => {
      log(line);
      if (lines.push(line) > 5) lines.shift();
      if (!line.includes('database system is ready to accept connections')) return;
      clearTimeout(deadline);
      resolve({ kind: 'running', server });
    });
    child.once('error', (cause) => {
      clearTimeout(deadline);
      reject(new HoldfastServerError('postgres-failed', 'PostgreSQL could not be run: /bin/sh is needed', { cause }));
    });
    child.once('close', () => {
      clearTimeout(deadline);
      resolve({ kind: whyEnded(lines), lastLines: lines.join('\n') });
    });
  });
}

function whyEnded(lines: readonly string[]): 'port_taken' | 'in_use' | 'failed' {
  const text = lines.join('\n');
  if (text.includes('could not create any TCP/IP sockets')) return 'port_taken';
  if (text.includes('lock file "postmaster.pid" already exists')) return 'in_use';
  return 'failed';
}

async function stopServer(child: ChildProcess, lifeline: Writable, closed: Promise<void>): Promise<void> {
  lifeline.end();
  const deadline = setTimeout(() => {
    // Kill the group: supervisor and server. Crash recovery restores what the server loses now.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, STOP_TIMEOUT_MS);
  await closed;
  clearTimeout(deadline);
}

/**
 * Runs a program to its end.
 *
 * @throws HoldfastServerError `postgres-failed` with the program's error output
 */
export async function runToEnd(
  executable: string,
  account: Account | null,
  parameters: readonly string[],
): Promise<void> {
  try {
    await promisify(execFile)(executable, parameters, processOptions(account));
  } catch (cause) {
    const said = (cause as { readonly stderr?: string }).stderr?.trim() ?? '';
    throw new HoldfastServerError('postgres-failed', `${executable} failed: ${said || String(cause)}`, { cause });
  }
}

function processOptions(account: Account | null): {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
} {
  // The other account may have no access to our working directory, and must not see our environment.
  return { cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }, ...account };
}

/** Child pipes are sockets with `unref`; the stream types omit it. */
function unref(stream: Readable | Writable): void {
  (stream as { unref?: () => void }).unref?.();
}
