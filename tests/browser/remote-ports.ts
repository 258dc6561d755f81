// The ports of a tab as a test holds them, in whatever browser.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Outbox, Platform, ProofSigner, Vault } from 'holdfast';
import type { SignInCrypto } from '../../client/src/testing/crypto-contract.ts';
import type { RefreshLockHolder } from '../../client/src/testing/refresh-lock-contract.ts';
import type { Announcer, SignalsListener } from '../../client/src/testing/signals-contract.ts';
import type { Tab } from '../engines/engine.ts';
import type { PagePorts } from './page-ports.ts';
import { bundlePage } from './stage.ts';

declare global {
  var ports: PagePorts;
}

/** A server of the page that has the ports within reach. */
export type PortsPage = { readonly url: string; readonly close: () => void };

/** Starts it. */
export async function servePorts(): Promise<PortsPage> {
  const page = `<!doctype html><meta charset="utf-8"><script>${await bundlePage('page-ports')}</script>`;
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The vault of a tab. */
export const vaultOf = (tab: Tab): Vault => ({
  read: () => tab.evaluate(() => ports.platform.vault.read()),
  compareAndSwap: (version, next) =>
    tab.evaluate(([version, next]) => ports.platform.vault.compareAndSwap(version, next), [version, next] as const),
});

/** The outbox of a tab. */
export const outboxOf = (tab: Tab): Outbox => ({
  list: () => tab.evaluate(() => ports.platform.outbox.list()),
  add: (revocation) => tab.evaluate((each) => ports.platform.outbox.add(each), revocation),
  remove: (revocation) => tab.evaluate((each) => ports.platform.outbox.remove(each), revocation),
});

/** The device secret of a tab's store. */
export const deviceSecretOf =
  (tab: Tab): Platform['deviceSecret'] =>
  (candidate) =>
    tab.evaluate((each) => ports.platform.deviceSecret(each), candidate);

let lastUse = 0;

/** The lock as a tab uses it. */
export const holderOf = (tab: Tab): RefreshLockHolder => ({
  acquire: async (waitMs, level) => {
    const use = ++lastUse;
    const call = [use, waitMs, level] as const;
    const isHeld = await tab.evaluate(([use, waitMs, level]) => ports.acquire(use, waitMs, level), call);
    return isHeld ? () => tab.evaluate((use) => ports.release(use), use) : null;
  },
});

/** The signals that a tab listens to. */
export async function listenerOf(tab: Tab): Promise<SignalsListener> {
  const listener = await tab.evaluate(() => ports.listen());
  return {
    heard: () => tab.evaluate((each) => ports.heardBy(each), listener),
    stop: () => tab.evaluate((each) => ports.stop(each), listener),
  };
}

/** A tab that changes the vault, and hears of it. */
export const announcerOf = (tab: Tab): Announcer => ({
  announce: () => tab.evaluate(() => ports.platform.announce()),
  heard: () => tab.evaluate(() => ports.heard.filter((signal) => signal === 'store-changed').length),
});

/** Chance and hashes of a tab. */
export const cryptoOf = (tab: Tab): SignInCrypto => ({
  tokens: (count) => tab.evaluate((each) => ports.randomTokens(each), count),
  sha256: (text) => tab.evaluate((each) => ports.platform.sha256(each), text),
  numbers: (count) => tab.evaluate((each) => ports.randomNumbers(each), count),
});

/** The key of a tab. */
export const signerOf = (tab: Tab): ProofSigner => ({
  sign: (request) => tab.evaluate((each) => ports.signer.sign(each), request),
  onResponse: (answer) => void tab.evaluate((each) => ports.signer.onResponse(each), answer),
});
