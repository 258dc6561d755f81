// @ts-check
// How the commands of this repository run their steps: one line a step, with its seconds, and every
// child process ended when the command is. Plain JavaScript, because it runs before anything is installed.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** A failure whose message is all the reader needs: it is printed without a stack. */
export class CommandError extends Error {
  /** @param {string} message @param {string} [output] what the failed program printed */
  constructor(message, output = '') {
    super(message);
    this.name = 'CommandError';
    this.output = output;
  }
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** @param {number} startedAtMs */
export function secondsSince(startedAtMs) {
  return `${((Date.now() - startedAtMs) / 1_000).toFixed(1)} s`;
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean, env?: NodeJS.ProcessEnv, cwd?: string, timeoutMs?: number }} [options] quiet: keep the
 *   output for the error; timeoutMs: end it after so long, default never
 * @returns {Promise<string>} what it printed, when quiet
 * @throws {CommandError} when it cannot be started or does not end with 0
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd || root,
      env: options.env || process.env,
      stdio: options.quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      timeout: options.timeoutMs,
      // npm is a .cmd file on Windows, which only a shell can run.
      shell: process.platform === 'win32' && command === 'npm',
    });
    children.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) stream.on('data', (/** @type {Buffer} */ chunk) => (output += chunk.toString()));
    }
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      children.delete(child);
      const reason = error.code === 'ENOENT' ? 'it is not installed or not on the PATH' : error.message;
      reject(new CommandError(`${command} could not be started: ${reason}.`));
    });
    child.on('close', (code, signal) => {
      children.delete(child);
      if (code === 0) return resolve(output);
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const what = [path.basename(command), ...args].join(' ').replaceAll(root + path.sep, '');
      reject(new CommandError(`${what} ${how}.`, output));
    });
  });
}

/**
 * Runs a program that is installed in node_modules, with the Node that runs this.
 *
 * @param {string} script path of its script inside node_modules
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runInstalled(script, args, options) {
  return run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);
}

/**
 * Runs one step and prints one line for it.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const startedAtMs = Date.now();
  process.stdout.write(`  ${title} ... `);
  try {
    const result = await work();
    process.stdout.write(`${secondsSince(startedAtMs)}\n`);
    return result;
  } catch (error) {
    process.stdout.write(`failed after ${secondsSince(startedAtMs)}\n`);
    throw error;
  }
}

const endingSignals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Ends the running programs and then this one when a signal arrives; a second signal does so at once.
 * A terminal's Ctrl-C comes twice (from the terminal and from npm), so a repeat within half a second is the same one.
 *
 * @returns {() => void} stops listening
 */
export function endOnSignals() {
  let firstAtMs = 0;
  /** @param {NodeJS.Signals} signal */
  const onSignal = (signal) => {
    if (firstAtMs && Date.now() - firstAtMs < 500) return;
    const end = () => process.exit(signal === 'SIGINT' ? 130 : 143);
    const kill = () => {
      for (const child of children) child.kill('SIGKILL');
      end();
    };
    if (firstAtMs) return kill();
    firstAtMs = Date.now();
    if (children.size === 0) return end();
    // npm takes back what it has installed so far, which is not worth the wait.
    setTimeout(kill, 3_000);
    for (const child of children) {
      child.once('close', () => children.size === 0 && end());
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill('SIGTERM');
    }
  };
  for (const signal of endingSignals) process.on(signal, onSignal);
  return () => {
    for (const signal of endingSignals) process.removeListener(signal, onSignal);
  };
}

/**
 * Sends this process a SIGTERM when the npm that started it has gone without passing a signal on: a shell between the
 * two keeps npm's signals for itself. For programs that run until they are stopped.
 */
export function endWithNpm() {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
  // Told already: a second signal would cut the stopping short.
  for (const signal of endingSignals) process.once(signal, () => clearInterval(watch));
}

/**
 * Prints why a command failed, and sets its exit code.
 *
 * @param {unknown} error
 */
export function reportFailure(error) {
  if (error instanceof CommandError) {
    if (error.output) process.stderr.write(`\n${error.output.trimEnd()}\n`);
    process.stderr.write(`\n${error.message}\n`);
  } else {
    process.stderr.write(`\n${error instanceof Error ? error.stack : String(error)}\n`);
  }
  process.exitCode = 1;
}

/** @param {string} moduleUrl the caller's import.meta.url; true when it is the program that was started */
export function isProgram(moduleUrl) {
  return process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(moduleUrl);
}
