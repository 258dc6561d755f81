// `holdfast serve` as a process of its own, as an operator runs it.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeSession } from './native-session.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const command = path.join(root, 'server/dist/cli/main.js');

export const user = { username: 'ada@example.org', password: 'correct horse battery' };
export const secret = 'a master secret for tests, 32 bytes or more';
/** All nodes have one issuer, wherever they listen; nothing answers there. */
const issuer = 'https://localhost:1';

/** Compiles the server; next to nothing when it is up to date. */
export function buildServer(): void {
  execFileSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b', 'server'], { cwd: root });
}

export type Environment = Readonly<Record<string, string>>;

/** The variables that configure a node. */
export function serverEnvironment(databaseUrl: string, more: Environment = {}): Environment {
  return {
    HOLDFAST_ISSUER: issuer,
    HOLDFAST_DATABASE_URL: databaseUrl,
    HOLDFAST_SECRET: secret,
    HOLDFAST_CLIENTS: JSON.stringify([{ clientId: 'native', refreshTokenTransport: 'body', scopes: ['notes'] }]),
    HOLDFAST_PORT: '0',
    ...more,
  };
}

export type ServerProcess = {
  readonly url: string;
  readonly child: ChildProcess;
  /** Its output so far, on both streams. */
  readonly output: () => string;
  /** Sends a signal and resolves with the exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
};

/** Starts a node and waits until it listens. */
export async function startServer(environment: Environment): Promise<ServerProcess> {
  const child = run(['serve'], environment);
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const port = await new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const listening = /"port":(\d+)[^\n]*"msg":"listening"/.exec(output);
      if (listening !== null) resolve(Number(listening[1]));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    void ended.then((code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    output: () => output,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

export type CommandResult = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end. */
export function runCommand(args: readonly string[], environment: Environment, input = ''): Promise<CommandResult> {
  const child = run(args, environment);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin?.end(input);
  return new Promise((resolve) => child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr })));
}

function run(args: readonly string[], environment: Environment): ChildProcess {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [command, ...args], { env: { PATH, ...environment }, stdio: 'pipe' });
}

export type TokenResult = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** Uses a refresh token once, on any node. */
export async function refreshAt(
  url: string,
  { refreshToken }: Pick<NativeSession, 'refreshToken'>,
): Promise<TokenResult> {
  const form = { grant_type: 'refresh_token', client_id: 'native', refresh_token: refreshToken };
  const response = await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as TokenResult['body'] };
}
