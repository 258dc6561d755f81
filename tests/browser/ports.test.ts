// The browser's ports in real Chromium: the contracts that every platform passes, with pages that share one profile.
import type { Signal, Transport } from 'holdfast';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutexContract, mutexDeathContract } from '../../client/src/testing/mutex-contract.ts';
import { outboxContract } from '../../client/src/testing/outbox-contract.ts';
import { transportContract } from '../../client/src/testing/transport-contract.ts';
import { sharedVaultContract, vaultContract } from '../../client/src/testing/vault-contract.ts';
import { launchChromium } from './chromium.ts';
import { sealingContract } from './sealing-contract.ts';
import { holderOf, outboxOf, servePorts, vaultOf, type PortsPage } from './remote-ports.ts';

let browser: Browser;
let page: PortsPage;
let origin: string;

beforeAll(async () => {
  browser = await launchChromium();
  page = await servePorts();
  origin = page.url;
});

afterAll(async () => {
  await browser?.close();
  page?.close();
});

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  return page;
}

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
  const outbox = outboxOf(await openPage(context));
  return { open: () => outbox, close: () => context.close() };
});

sealingContract('IndexedDB', async () => openPage(await browser.newContext()));

let sender: Page | null = null;
let lastExchange = 0;
const transportOfPage: Transport = async (request, signal) => {
  sender ??= await openPage(await browser.newContext());
  const page = sender;
  const exchange = ++lastExchange;
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
