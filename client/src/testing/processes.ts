import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import type { Vault } from '../core/ports.ts';
import type { RefreshLockHolder } from './refresh-lock-contract.ts';

// Real processes that share files. The test sends them commands over a channel.

/** A command to a process that uses the ports. */
export type PortCall = { readonly id: number } & (
  | { readonly kind: 'read'; readonly file: string }
  | {
      readonly kind: 'compareAndSwap';
      readonly file: string;
      readonly expectedVersion: number | null;
      readonly next: Parameters<Vault['compareAndSwap']>[1];
    }
  | { readonly kind: 'acquire'; readonly file: string; readonly waitMs: number; readonly level: number }
  | { readonly kind: 'release'; readonly acquired: number }
  | { readonly kind: 'hammer'; readonly file: string }
);

/** A command to a process that holds a session. */
export type SessionCall = { readonly id: number } & (
  | { readonly kind: 'ready' | 'sign-out' | 'send' }
  | { readonly kind: 'sign-in'; readonly username: string }
);

type Told<Call> = Call extends PortCall | SessionCall ? Omit<Call, 'id'> : never;

/** A child process that uses the ports. */
export type PortProcess = {
  readonly pid: number;
  vault(file: string): Vault;
  holder(file: string): RefreshLockHolder;
  /** Starts to write to the vault until the process is killed. Resolves after `writes` writes. */
  hammer(file: string, writes: number): Promise<void>;
  /** Kills the process, as `kill -9` does. */
  kill(): Promise<void>;
};

/** Creates a new folder in the system's temporary folder. */
export function createFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Builds the program that the processes run, because Node does not run TypeScript. */
export async function buildPortProcess(folder: string, name = 'port-process'): Promise<string> {
  const outfile = path.join(folder, `${name}.mjs`);
  const entry = path.join(import.meta.dirname, `${name}.ts`);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  return outfile;
}

type Reply = { readonly id?: number; readonly result?: unknown; readonly error?: string; readonly written?: number };

function channelTo(
  child: ChildProcess,
): (call: Told<PortCall> | Told<SessionCall>) => { readonly id: number; readonly reply: Promise<unknown> } {
  let next = 1;
  const waiting = new Map<
    number,
    { readonly resolve: (result: unknown) => void; readonly reject: (e: Error) => void }
  >();
  child.on('message', ({ id, result, error }: Reply) => {
    const each = waiting.get(id ?? 0);
    waiting.delete(id ?? 0);
    if (error === undefined) each?.resolve(result);
    else each?.reject(new Error(error));
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the process is gone'));
  });
  return (call) => {
    const id = next++;
    const reply = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
    child.send({ ...call, id });
    return { id, reply };
  };
}

/** Starts a process that runs `program`. */
export function startPortProcess(program: string): PortProcess {
  const child = fork(program, { execArgv: [] });
  const send = channelTo(child);
  return {
    pid: child.pid ?? 0,
    vault: (file) => ({
      read: () => send({ kind: 'read', file }).reply as ReturnType<Vault['read']>,
      compareAndSwap: (expectedVersion, next) =>
        send({ kind: 'compareAndSwap', file, expectedVersion, next }).reply as ReturnType<Vault['compareAndSwap']>,
    }),
    holder: (file) => ({
      acquire: async (waitMs, level) => {
        const { id, reply } = send({ kind: 'acquire', file, waitMs, level });
        const isHeld = await reply;
        return isHeld === true ? async () => void (await send({ kind: 'release', acquired: id }).reply) : null;
      },
    }),
    hammer: (file, writes) =>
      new Promise((resolve, reject) => {
        child.on('message', ({ written }: Reply) => written === writes && resolve());
        send({ kind: 'hammer', file }).reply.catch(reject);
      }),
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** A child process that holds the session in a folder. */
export type SessionProcess = {
  /** Sends a command. Resolves with its result, or with the code of its error. */
  tell(call: Told<SessionCall>): Promise<unknown>;
  kill(): Promise<void>;
};

/** Starts a process with a session in `folder`. `buildPortProcess(folder, 'session-process')` builds its `program`. */
export function startSessionProcess(program: string, issuer: string, folder: string): SessionProcess {
  const child = fork(program, [issuer, folder], { execArgv: [] });
  const send = channelTo(child);
  return { tell: (call) => send(call).reply.catch((error: Error) => error.message), kill: () => kill(child) };
}
