// WebKitGTK by WebDriver, on an X server without a screen.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { CLOSE_LIMIT_MS, endOrKill, endsWithin } from '../browser/stuck.ts';
import { inJson, readJson, waitForOutput, type Engine, type Tab } from './engine.ts';

/** Where Debian keeps the browser that its driver drives. */
const folders = ['4.1', '4.0', '6.0'].map((version) => `/usr/lib/x86_64-linux-gnu/webkit2gtk-${version}`);
const binary = (): string => `${folders.find((folder) => existsSync(`${folder}/MiniBrowser`)) ?? ''}/MiniBrowser`;

type Driver = {
  /** Sends a command; one at a time. @see https://www.w3.org/TR/webdriver2/ */
  readonly send: <Result>(method: string, path: string, body?: object) => Promise<Result>;
  /** Runs several commands that belong together, without another in between. */
  readonly together: <Result>(work: () => Promise<Result>) => Promise<Result>;
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise<void>((resolve) => void server.once('listening', () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

function driverAt(base: string): Driver {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    send: async <Result>(method: string, path: string, body?: object) => {
      const response = await fetch(base + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
      const { value } = (await response.json()) as { readonly value: Result };
      if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
      return value;
    },
    together: (work) => {
      const done = tail.then(work);
      tail = done.catch(() => {});
      return done;
    },
  };
}

let lastWork = 0;

/**
 * A driver runs one command at a time, and a script that waits for another tab would wait for ever: it is started, and
 * looked after until it has ended.
 */
function tabOf({ send, together }: Driver, session: string, handle: string): Tab {
  const inTab = <Result>(method: string, path: string, body?: object): Promise<Result> =>
    together(async () => {
      await send('POST', `${session}/window`, { handle });
      return send<Result>(method, session + path, body);
    });
  const execute = <Result>(script: string, args: readonly unknown[]): Promise<Result> =>
    inTab('POST', '/execute/sync', { script, args });
  return {
    evaluate: async <Result>(work: unknown, argument: unknown = null): Promise<Result> => {
      const id = ++lastWork;
      const start = `(globalThis.works ??= {}), (${inJson(work)})(arguments[1]).then((json) => (works[arguments[0]] = json));`;
      await execute(start, [id, JSON.stringify(argument)]);
      for (;;) {
        const json = await execute<string | null>('return globalThis.works[arguments[0]] ?? null;', [id]);
        if (json !== null) return readJson(json) as Result;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    reload: () => inTab('POST', '/refresh', {}),
    close: () => inTab('DELETE', '/window'),
  };
}

async function startSession({ send }: Driver): Promise<{ readonly session: string; readonly version: string }> {
  const { sessionId, capabilities } = await send<{
    readonly sessionId: string;
    readonly capabilities: { readonly browserVersion: string };
  }>('POST', '/session', {
    capabilities: {
      alwaysMatch: { 'webkitgtk:browserOptions': { binary: binary(), args: ['--automation'] } },
    },
  });
  return { session: `/session/${sessionId}`, version: `WebKitGTK ${capabilities.browserVersion}` };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill();
  await endOrKill(child);
}

/** Starts WebKitGTK. WEBKIT_DRIVER_PATH names its driver. */
export async function launchWebKit(): Promise<Engine> {
  const args = ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'];
  const display = spawn('Xvfb', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const number = await waitForOutput(display, /(\d+)\n/u);
  const port = await freePort();
  const env = { ...process.env, DISPLAY: `:${number}`, GDK_BACKEND: 'x11', LIBGL_ALWAYS_SOFTWARE: '1' };
  const child = spawn(process.env['WEBKIT_DRIVER_PATH'] ?? 'WebKitWebDriver', [`--port=${port}`], {
    env,
    stdio: 'ignore',
  });
  const driver = driverAt(`http://127.0.0.1:${port}`);
  while (!(await driver.send('GET', '/status').catch(() => null)))
    await new Promise((resolve) => setTimeout(resolve, 50));
  const { session, version } = await startSession(driver);
  const home = await driver.send<string>('GET', `${session}/window`);
  return {
    version,
    pid: child.pid ?? 0,
    open: (url) =>
      driver.together(async () => {
        const select = (handle: string): Promise<unknown> => driver.send('POST', `${session}/window`, { handle });
        // A driver whose window was closed does nothing before it has another.
        await select(home);
        const { handle } = await driver.send<{ readonly handle: string }>('POST', `${session}/window/new`, {
          type: 'tab',
        });
        await select(handle);
        await driver.send('POST', `${session}/url`, { url });
        return tabOf(driver, session, handle);
      }),
    close: async () => {
      await endsWithin(
        driver.send('DELETE', session).catch(() => {}),
        CLOSE_LIMIT_MS,
      );
      await end(child);
      await end(display);
    },
  };
}
