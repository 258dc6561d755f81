import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { CLOSE_LIMIT_MS, endOrKill, endsWithin } from './stuck.ts';

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

const args = [
  '--no-sandbox',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Starts the real Chromium that the environment names. `without`: defaults of the test driver that it leaves out. */
export function launchChromium(without: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath, args, ignoreDefaultArgs: [...without] });
}

/** A Chromium that behaves as on a user's desk. */
export type BareChromium = { readonly context: BrowserContext; readonly close: () => Promise<void> };

/**
 * Starts Chromium without anything that a test driver changes in it: a tab in the background is hidden there, and can be
 * frozen. It has one profile, in `profile` if that is given.
 */
export async function launchBareChromium(profile?: string): Promise<BareChromium> {
  const folder = profile ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-chromium-')));
  const own = ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'];
  const child = spawn(executablePath, [...args, ...own], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const endpoint = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const listening = /DevTools listening on (\S+)/u.exec(output);
      if (listening?.[1] !== undefined) resolve(listening[1]);
    });
    void ended.then(() => reject(new Error(`Chromium ended:\n${output}`)));
  });
  const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no profile');
  return {
    context,
    close: async () => {
      // Asked to end, it writes what it has in its profile.
      const devtools = await browser.newBrowserCDPSession();
      await endsWithin(
        devtools.send('Browser.close').catch(() => {}),
        CLOSE_LIMIT_MS,
      );
      await endOrKill(child);
      if (profile === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
