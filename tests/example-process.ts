// The programs of examples/ as processes, started by the commands that examples/README.md prints.
import { execFile, spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(path.join(root, 'examples/README.md'), 'utf8');

/** The user whom examples/server.js creates. */
export const ada = { username: 'ada@example.org', password: 'correct horse battery staple' };

export type Environment = Readonly<Record<string, string>>;

/** A running program. */
export type Example = {
  readonly child: ChildProcess;
  /** Its output so far, on both streams. */
  readonly output: () => string;
  /** How many lines of its output begin with `start`. */
  readonly count: (start: string) => number;
  /** Resolves with the match once the output has one; rejects with the output if the program ends before that. */
  readonly printed: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Types a line, or a key such as Ctrl-C. */
  readonly type: (line: string, end?: string) => void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  /** Ends the program as Ctrl-C does, and resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
};

/** Compiles the packages, as `npm run build` does; next to nothing when they are up to date. */
export async function buildPackages(): Promise<void> {
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-b', 'client', 'client/tsconfig.node.json', 'server']);
}

/** Builds the page of an example. */
export async function buildPage(example: string): Promise<void> {
  const [, ...args] = wordsOf(`npx vite build examples/${example}`);
  await run('npx', args);
}

const run = (command: string, args: readonly string[]): Promise<unknown> =>
  promisify(execFile)(command, args, { cwd: root });

/** The words of a command that the README prints. */
function wordsOf(command: string): readonly string[] {
  if (!readme.split('\n').includes(command)) throw new Error(`examples/README.md does not print "${command}"`);
  return command.split(' ');
}

const running = new Set<ChildProcess>();
// No program outlives a test that failed.
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a program by a command of the README. `folder` has the examples. Default: the repository. */
export function startExample(command: string, environment: Environment, folder = root): Example {
  const [, ...args] = wordsOf(command);
  return watch(command, spawn(process.execPath, args, { cwd: folder, env: all(environment), stdio: 'pipe' }));
}

/** Starts a program by a command of the README on a terminal of its own. */
export function startOnTerminal(command: string, environment: Environment): Example {
  const words = [process.execPath, ...wordsOf(command).slice(1)];
  const args = process.platform === 'darwin' ? ['-q', '/dev/null', ...words] : ['-qec', words.join(' '), '/dev/null'];
  return watch(command, spawn('script', args, { cwd: root, env: all(environment), stdio: 'pipe' }));
}

/** The variables of a program. No database: the backend starts its own unless one is given. */
function all(environment: Environment): NodeJS.ProcessEnv {
  const { DATABASE_URL: _unused, ...inherited } = process.env;
  return { ...inherited, ...environment };
}

function watch(command: string, child: ChildProcessWithoutNullStreams): Example {
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.once('close', () => running.delete(child));
  return {
    child,
    output: () => output,
    count: (start) => output.split('\n').filter((line) => line.startsWith(start)).length,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output);
          if (match !== null) resolve(match);
        };
        for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
        void ended.then(() => reject(new Error(`"${command}" ended without printing ${pattern}:\n${output}`)));
        look();
      }),
    type: (line, end = '\n') => child.stdin.write(line + end),
    ended,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

/** Starts the backend of the examples on a free port. */
export async function startExampleServer(
  command: string,
  environment: Environment,
  folder = root,
): Promise<Example & { readonly url: string }> {
  const server = startExample(command, { PORT: '0', ...environment }, folder);
  const [, url = ''] = await server.printed(/^(http:\S+)\n.*\npassword/mu);
  return { ...server, url };
}
