// The demo as a process: the output of `npm start`, and the traces that are left when it stops.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoUser } from '@holdfast/demo-api';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { signInNative } from './native-session.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const running = new Set<ChildProcess>();
const dataFolder = mkdtempSync(path.join(tmpdir(), 'holdfast-start-'));

afterEach(async () => {
  await Promise.all([...running].map((child) => stop(child, 'SIGKILL')));
});

afterAll(() => {
  rmSync(dataFolder, { recursive: true, force: true });
});

type Demo = {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when the text was printed; rejects with the output when the process ends before that. */
  readonly printed: (text: string) => Promise<void>;
};

/** Starts the demo in a process group of its own, as a terminal does. */
function startDemo(environment: Readonly<Record<string, string>>): Demo {
  const { DATABASE_URL: _unused, ...inherited } = process.env;
  const child = spawn(process.execPath, [path.join(root, 'tools/start.mjs')], {
    cwd: root,
    env: { ...inherited, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.once('close', () => running.delete(child));
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      child.once('close', () => reject(new Error(`ended without printing "${text}":\n${output}`)));
      look();
    });
  return { child, output: () => output, printed };
}

/** Resolves with the exit code. */
function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('close', resolve));
}

/** Sends a signal to the whole process group, as a terminal's Ctrl-C. */
function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const end = ended(child);
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  return end;
}

/** Sends a signal to the first process alone, as `kill` does. */
function stopAlone(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const end = ended(child);
  child.kill(signal);
  return end;
}

/** The process and everything below it. */
function processTree(pid: number): readonly number[] {
  const rows = listProcesses();
  const below = (parent: number): readonly number[] =>
    rows.flatMap((row) => (row.parent === parent ? [row.pid, ...below(row.pid)] : []));
  return [pid, ...below(pid)];
}

/** Which of these run; what has ended and was not yet collected by its parent does not. */
function stillRunning(pids: readonly number[]): readonly string[] {
  return listProcesses()
    .filter((row) => pids.includes(row.pid) && !row.state.startsWith('Z'))
    .map((row) => `${row.pid} ${row.command}`);
}

function listProcesses(): readonly { pid: number; parent: number; state: string; command: string }[] {
  const output = execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' });
  return output.split('\n').map((row) => {
    const [pid, parent, state = '', ...command] = row.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state, command: command.join(' ') };
  });
}

function listenOn(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function freePort(): Promise<string> {
  const server = await listenOn(0);
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

describe('npm start', () => {
  // All on one data folder: each run also shows that it goes on from what the one before has left.
  it.each([
    ['Ctrl-C in a terminal', (child: ChildProcess) => stop(child, 'SIGINT')],
    ['a SIGTERM for all of it', (child: ChildProcess) => stop(child, 'SIGTERM')],
    ['a SIGTERM for its first process alone', (child: ChildProcess) => stopAlone(child, 'SIGTERM')],
  ])('prints one URL that works, and after %s nothing of it runs', async (_how, stopIt) => {
    const demo = startDemo({ PORT: await freePort(), HOLDFAST_DATA: dataFolder });
    await demo.printed('Ctrl-C stops everything');
    const urls = demo.output().match(/http:\S+/g) ?? [];
    expect(urls).toHaveLength(1);
    expect((await signInNative(urls[0] ?? '', demoUser)).sid).toMatch(/^[0-9a-f-]{36}$/);
    const processes = processTree(demo.child.pid ?? 0);
    // PostgreSQL is among them.
    expect(processes.length).toBeGreaterThan(2);
    expect(await stopIt(demo.child)).toBe(0);
    expect(stillRunning(processes)).toEqual([]);
  });

  it('says that it runs already, by its port or by its data folder', async () => {
    const environment = { PORT: await freePort(), HOLDFAST_DATA: dataFolder };
    const first = startDemo(environment);
    await first.printed('Ctrl-C stops everything');
    const samePort = startDemo(environment);
    expect(await ended(samePort.child)).toBe(1);
    expect(samePort.output()).toContain('is running at');
    const sameData = startDemo({ ...environment, PORT: await freePort() });
    expect(await ended(sameData.child)).toBe(1);
    expect(sameData.output()).toContain('using the data folder');
    expect(sameData.output()).not.toContain('    at ');
    expect(await stop(first.child, 'SIGINT')).toBe(0);
  });

  it('says that the port is taken, and how to go on', async () => {
    const other = await listenOn(0);
    try {
      const demo = startDemo({ PORT: String(portOf(other)), HOLDFAST_DATA: dataFolder });
      expect(await ended(demo.child)).toBe(1);
      expect(demo.output()).toContain(`Port ${portOf(other)} is taken by another program.`);
      expect(demo.output()).toMatch(/PORT=\d+ npm start/);
      expect(demo.output()).not.toContain('    at ');
    } finally {
      other.close();
    }
  });

  it('says that the database does not answer, without showing its password', async () => {
    const demo = startDemo({
      PORT: await freePort(),
      HOLDFAST_DATA: dataFolder,
      DATABASE_URL: `postgres://user:very-private@127.0.0.1:${await freePort()}/none`,
    });
    expect(await ended(demo.child)).toBe(1);
    expect(demo.output()).toContain('DATABASE_URL');
    expect(demo.output()).not.toContain('very-private');
    expect(demo.output()).not.toContain('    at ');
  });

  it.each(['abc', '70000'])('does not take the port %s', async (port) => {
    const demo = startDemo({ PORT: port, HOLDFAST_DATA: dataFolder });
    expect(await ended(demo.child)).toBe(1);
    expect(demo.output()).toContain('PORT must be a number');
  });
});
