// The browser's ports in real Chromium: the contracts that every platform passes, with pages that share one profile.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import type { Signal, Transport, Vault } from 'holdfast';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutexContract, mutexDeathContract, type MutexHolder } from '../../client/src/testing/mutex-contract.ts';
import { outboxContract } from '../../client/src/testing/outbox-contract.ts';
import { transportContract } from '../../client/src/testing/transport-contract.ts';
import { sharedVaultContract, vaultContract } from '../../client/src/testing/vault-contract.ts';
import { launchChromium } from './chromium.ts';
import type { PagePorts } from './page-ports.ts';

declare global {
  var ports: PagePorts;
}

let browser: Browser;
let server: Server;
let origin: string;

beforeAll(async () => {
  browser = await launchChromium();
  const { outputFiles } = await build({
    entryPoints: [`${import.meta.dirname}/page-ports.ts`],
    bundle: true,
    format: 'iife',
    conditions: ['@holdfast/source'],
    write: false,
    logLevel: 'error',
  });
  const page = `<!doctype html><meta charset="utf-8"><script>${outputFiles[0]?.text ?? ''}</script>`;
  server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await browser?.close();
  server?.close();
});

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  return page;
}

const vaultOf = (page: Page): Vault => ({
  read: () => page.evaluate(() => ports.platform.vault.read()),
  replace: (stamp, next) =>
    page.evaluate(([stamp, next]) => ports.platform.vault.replace(stamp, next), [stamp, next] as const),
});

let lastUse = 0;
const holderOf = (page: Page): MutexHolder => ({
  acquire: async (waitMs) => {
    const use = ++lastUse;
    const isHeld = await page.evaluate(([use, waitMs]) => ports.acquire(use, waitMs), [use, waitMs] as const);
    return isHeld ? () => page.evaluate((use) => ports.release(use), use) : null;
  },
});

vaultContract('IndexedDB', async () => {
  const context = await browser.newContext();
  return { vault: vaultOf(await openPage(context)), close: () => context.close() };
});

sharedVaultContract('IndexedDB', async () => {
  const context = await browser.newContext();
  return {
    open: async () => vaultOf(await openPage(context)),
    empty: async () => {
      const session = await context.newCDPSession(await openPage(context));
      await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
    },
    close: () => context.close(),
  };
});

mutexContract('Web Locks', async () => {
  const context = await browser.newContext();
  return { open: async () => holderOf(await openPage(context)), close: () => context.close() };
});

mutexDeathContract('Web Locks', async () => {
  const context = await browser.newContext();
  return {
    open: async () => {
      const page = await openPage(context);
      return { ...holderOf(page), kill: () => page.close() };
    },
    close: () => context.close(),
  };
});

outboxContract('the outbox in IndexedDB', async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  return {
    open: () => ({
      list: () => page.evaluate(() => ports.platform.outbox.list()),
      add: (revocation) => page.evaluate((each) => ports.platform.outbox.add(each), revocation),
      remove: (revocation) => page.evaluate((each) => ports.platform.outbox.remove(each), revocation),
    }),
    close: () => context.close(),
  };
});

let sender: Page | null = null;
const transportOfPage: Transport = async (request, signal) => {
  sender ??= await openPage(await browser.newContext());
  const page = sender;
  const exchange = ++lastUse;
  const abort = (): void => void page.evaluate((exchange) => ports.abort(exchange), exchange);
  signal.addEventListener('abort', abort);
  const { aborted } = signal;
  return page.evaluate(([exchange, request, aborted]) => ports.send(exchange, request, aborted), [
    exchange,
    request,
    aborted,
  ] as const);
};

transportContract('fetch', transportOfPage, (respond) => (request, response) => {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-headers', '*');
  response.setHeader('access-control-expose-headers', '*');
  if (request.method === 'OPTIONS') response.writeHead(204).end();
  else respond(request, response);
});

describe('between pages', () => {
  it('a change is announced to every other page, and not to the one that made it', async () => {
    const context = await browser.newContext();
    const pages = [await openPage(context), await openPage(context), await openPage(context)] as const;
    await pages[0].evaluate(() => ports.platform.announce());
    const isHeard = (): boolean => ports.heard.includes('store-changed');
    await Promise.all([pages[1].waitForFunction(isHeard), pages[2].waitForFunction(isHeard)]);
    // What comes back to it would have come before the answer of another page.
    await pages[1].evaluate(() => ports.platform.announce());
    await pages[0].waitForFunction(isHeard);
    expect(await pages[0].evaluate((): Signal[] => ports.heard)).toEqual(['store-changed']);
    await context.close();
  });

  it('the stored session cannot be read without the browser: no token is in the database in the clear', async () => {
    const context = await browser.newContext();
    const page = await openPage(context);
    await vaultOf(page).replace(null, {
      session: {
        sid: null,
        sub: null,
        refreshToken: 'refresh-in-the-clear',
        scope: null,
        startedAtMs: 0,
        expiresAtMs: null,
        access: { value: 'access-in-the-clear', tokenType: 'Bearer', expiresAtMs: 0, lifetimeMs: 0 },
      },
      endedReason: null,
    });
    const { text, keys } = await page.evaluate(() => ports.dump());
    expect(text).not.toContain('in-the-clear');
    expect(keys).toEqual([{ extractable: false, algorithm: 'AES-GCM' }]);
    await context.close();
  });

  it('the clock wakes in time and in order, and never before', async () => {
    const context = await browser.newContext();
    const page = await openPage(context);
    const { passedMs, isEarly, isMonotonic } = await page.evaluate(() => ports.measureClock([0, 5, 20, 40]));
    // Timers and clock are rounded apart.
    expect(passedMs.map(({ asked, passed }) => passed >= asked - 1)).toEqual([true, true, true, true]);
    expect({ isEarly, isMonotonic }).toEqual({ isEarly: false, isMonotonic: true });
    await context.close();
  });
});
