// The browser's ports in real Chromium: the contracts that every platform passes, with pages that share one profile.
import type { Signal, Transport } from 'holdfast';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cryptoContract } from '../../client/src/testing/crypto-contract.ts';
import { deviceSecretContract } from '../../client/src/testing/device-secret-contract.ts';
import { outboxContract } from '../../client/src/testing/outbox-contract.ts';
import { proofSignerContract } from '../../client/src/testing/proof-signer-contract.ts';
import { refreshLockContract, refreshLockDeathContract } from '../../client/src/testing/refresh-lock-contract.ts';
import { announceContract, signalsContract } from '../../client/src/testing/signals-contract.ts';
import { transportContract } from '../../client/src/testing/transport-contract.ts';
import { sharedVaultContract, vaultContract } from '../../client/src/testing/vault-contract.ts';
import { launchBareChromium, type BareChromium } from './chromium.ts';
import { launchProfiles, type Profiles } from './profiles.ts';
import {
  announcerOf,
  cryptoOf,
  deviceSecretOf,
  holderOf,
  listenerOf,
  outboxOf,
  servePorts,
  signerOf,
  vaultOf,
  type PortsPage,
} from './remote-ports.ts';
import { sealingContract } from './sealing-contract.ts';

/** Everything that a platform can notice. */
const NOTICED = [
  'foreground',
  'background',
  'online',
  'offline',
  'resumed',
  'store-changed',
  'user-active',
] as const satisfies readonly Signal[];

let profiles: Profiles;
let page: PortsPage;
let origin: string;

beforeAll(async () => {
  profiles = await launchProfiles();
  page = await servePorts();
  origin = page.url;
});

afterAll(async () => {
  await profiles?.end();
  page?.close();
});

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  return page;
}

vaultContract('IndexedDB', async () => {
  const context = await profiles.open();
  return { vault: vaultOf(await openPage(context)), close: () => profiles.close(context) };
});

sharedVaultContract('IndexedDB', async () => {
  const context = await profiles.open();
  return {
    open: async () => vaultOf(await openPage(context)),
    empty: async () => {
      const session = await context.newCDPSession(await openPage(context));
      await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
    },
    close: () => profiles.close(context),
  };
});

refreshLockContract('Web Locks', async () => {
  const context = await profiles.open();
  return { open: async () => holderOf(await openPage(context)), close: () => profiles.close(context) };
});

refreshLockDeathContract('Web Locks', async () => {
  const context = await profiles.open();
  return {
    open: async () => {
      const page = await openPage(context);
      return { ...holderOf(page), kill: () => page.close() };
    },
    close: () => profiles.close(context),
  };
});

outboxContract('the outbox in IndexedDB', async () => {
  const context = await profiles.open();
  const outbox = outboxOf(await openPage(context));
  return { open: () => outbox, close: () => profiles.close(context) };
});

deviceSecretContract('IndexedDB', async () => {
  const context = await profiles.open();
  return { open: async () => deviceSecretOf(await openPage(context)), close: () => profiles.close(context) };
});

cryptoContract('a page', async () => cryptoOf(await openPage(await profiles.open())));

proofSignerContract('a key in IndexedDB', async () => {
  const context = await profiles.open();
  return { open: async () => signerOf(await openPage(context)), close: () => profiles.close(context) };
});

announceContract('BroadcastChannel', true, async () => {
  const context = await profiles.open();
  return { open: async () => announcerOf(await openPage(context)), close: () => profiles.close(context) };
});

describe('at a desk', () => {
  // Only a Chromium without a driver hides a page when another one is in front of it.
  let desk: BareChromium;
  beforeAll(async () => {
    desk = await launchBareChromium();
  });
  afterAll(() => desk?.close());

  signalsContract('a page', NOTICED, async () => {
    const { context } = desk;
    const page = await openPage(context);
    const other = await openPage(context);
    await page.bringToFront();
    const devtools = await context.newCDPSession(page);
    const causes: { readonly [Each in (typeof NOTICED)[number]]: () => Promise<unknown> } = {
      background: () => other.bringToFront(),
      foreground: () => other.bringToFront().then(() => page.bringToFront()),
      offline: () => context.setOffline(true),
      online: () => context.setOffline(true).then(() => context.setOffline(false)),
      resumed: async () => {
        for (const state of ['frozen', 'active'] as const) await devtools.send('Page.setWebLifecycleState', { state });
      },
      'store-changed': () => other.evaluate(() => ports.platform.announce()),
      'user-active': () => page.keyboard.press('a'),
    };
    return {
      listen: () => listenerOf(page),
      cause: async (signal) => void (await causes[signal]()),
      close: async () => {
        await context.setOffline(false);
        await Promise.all([page.close(), other.close()]);
      },
    };
  });
});

sealingContract('IndexedDB', async () => openPage(await profiles.open()));

let sender: Page | null = null;
let lastExchange = 0;
const transportOfPage: Transport = async (request, signal) => {
  sender ??= await openPage(await profiles.open());
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

describe('in a page', () => {
  it('the clock wakes in time and in order, and never before', async () => {
    const context = await profiles.open();
    const page = await openPage(context);
    const { passedMs, isEarly, isMonotonic } = await page.evaluate(() => ports.measureClock([0, 5, 20, 40]));
    // Timers and clock are rounded apart.
    expect(passedMs.map(({ asked, passed }) => passed >= asked - 1)).toEqual([true, true, true, true]);
    expect({ isEarly, isMonotonic }).toEqual({ isEarly: false, isMonotonic: true });
    await profiles.close(context);
  });
});
