// Firefox by WebDriver BiDi, which it speaks itself.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WebSocket } from 'ws';
import { CLOSE_LIMIT_MS, endOrKill, endsWithin } from '../browser/stuck.ts';
import { inJson, readJson, waitForOutput, type Engine, type Tab } from './engine.ts';

type Message = { readonly id?: number; readonly type: string; readonly result?: unknown; readonly message?: string };

type Connection = {
  /** Sends a command. @see https://www.w3.org/TR/webdriver-bidi/ */
  readonly send: <Result>(method: string, params: object) => Promise<Result>;
  readonly close: () => void;
};

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  const waiting = new Map<number, (message: Message) => void>();
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.id === undefined) return;
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  let lastId = 0;
  return {
    send: async <Result>(method: string, params: object) => {
      const id = ++lastId;
      const answered = new Promise<Message>((resolve) => void waiting.set(id, resolve));
      socket.send(JSON.stringify({ id, method, params }));
      const { type, result, message } = await answered;
      if (type !== 'success') throw new Error(`${method}: ${message}`);
      return result as Result;
    },
    close: () => socket.close(),
  };
}

function tabOf({ send }: Connection, context: string): Tab {
  return {
    evaluate: async <Result>(work: unknown, argument: unknown = null): Promise<Result> => {
      const { result, exceptionDetails } = await send<{
        readonly result?: { readonly value: string };
        readonly exceptionDetails?: { readonly text: string };
      }>('script.callFunction', {
        functionDeclaration: inJson(work),
        arguments: [{ type: 'string', value: JSON.stringify(argument) }],
        awaitPromise: true,
        target: { context },
      });
      if (result === undefined) throw new Error(exceptionDetails?.text);
      return readJson(result.value) as Result;
    },
    reload: () => send('browsingContext.reload', { context, wait: 'complete' }),
    close: async () => void (await send('browsingContext.close', { context })),
  };
}

/** Starts Firefox without a window. FIREFOX_PATH names it. */
export async function launchFirefox(): Promise<Engine> {
  const profile = await mkdtemp(path.join(tmpdir(), 'holdfast-firefox-'));
  // No calls home, no first-run page.
  const preferences = ['app.normandy.enabled', 'app.update.auto', 'datareporting.policy.dataSubmissionEnabled'];
  const lines = preferences.map((name) => `user_pref("${name}", false);\n`);
  await writeFile(path.join(profile, 'user.js'), lines.join(''));
  const args = ['--headless', '--no-remote', '--remote-debugging-port=0', '--profile', profile, 'about:blank'];
  const child = spawn(process.env['FIREFOX_PATH'] ?? 'firefox-esr', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const connection = await connect(`${await waitForOutput(child, /WebDriver BiDi listening on (\S+)/u)}/session`);
  const { capabilities } = await connection.send<{
    readonly capabilities: { readonly browserVersion: string };
  }>('session.new', { capabilities: {} });
  return {
    version: `Firefox ${capabilities.browserVersion}`,
    pid: child.pid ?? 0,
    open: async (url) => {
      const { context } = await connection.send<{ readonly context: string }>('browsingContext.create', {
        type: 'tab',
      });
      await connection.send('browsingContext.navigate', { context, url, wait: 'complete' });
      return tabOf(connection, context);
    },
    close: async () => {
      await endsWithin(
        connection.send('browser.close', {}).catch(() => {}),
        CLOSE_LIMIT_MS,
      );
      connection.close();
      await endOrKill(child);
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
