import { afterAll, beforeAll, expect, it } from 'vitest';
import { mutexContract, mutexDeathContract } from '../../client/src/testing/mutex-contract.ts';
import { outboxContract } from '../../client/src/testing/outbox-contract.ts';
import { sharedVaultContract, vaultContract } from '../../client/src/testing/vault-contract.ts';
import { holderOf, outboxOf, servePorts, vaultOf, type PortsPage } from '../browser/remote-ports.ts';
import { sealingContract } from '../browser/sealing-contract.ts';
import type { StageMode } from '../browser/stage-page.ts';
import type { Engine, Tab } from './engine.ts';
import { tabsContract } from './tabs-contract.ts';

/** What one browser's locks, storage and channels must do for the client. `modes`: how sessions can be kept there. */
export function engineContract(name: string, launch: () => Promise<Engine>, modes: readonly StageMode[]): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await launch();
  });
  afterAll(() => engine?.close());
  portsContract(name, () => engine);
  for (const mode of modes) tabsContract(name, () => engine, mode);
}

/** The ports alone: the contracts that every platform passes, in tabs that share one profile. */
function portsContract(name: string, engine: () => Engine): void {
  let page: PortsPage;
  let lastStore = 0;
  beforeAll(async () => {
    page = await servePorts();
  });
  afterAll(() => page?.close());

  /** A store of its own, and the tabs that share it. */
  function share(): { readonly open: () => Promise<Tab>; readonly close: () => Promise<void> } {
    const store = `${page.url}/?name=${++lastStore}`;
    const tabs: Tab[] = [];
    return {
      open: async () => {
        const tab = await engine().open(store);
        tabs.push(tab);
        return tab;
      },
      // One that was killed is closed already.
      close: async () => void (await Promise.allSettled(tabs.map((tab) => tab.close()))),
    };
  }

  vaultContract(`IndexedDB in ${name}`, async () => {
    const { open, close } = share();
    return { vault: vaultOf(await open()), close };
  });

  sharedVaultContract(`IndexedDB in ${name}`, () => {
    const { open, close } = share();
    const empty = async (): Promise<void> => (await open()).evaluate(() => ports.empty());
    return Promise.resolve({ open: async () => vaultOf(await open()), empty, close });
  });

  mutexContract(`Web Locks in ${name}`, () => {
    const { open, close } = share();
    return Promise.resolve({ open: async () => holderOf(await open()), close });
  });

  mutexDeathContract(`Web Locks in ${name}`, () => {
    const { open, close } = share();
    const openMortal = async () => {
      const tab = await open();
      return { ...holderOf(tab), kill: () => tab.close() };
    };
    return Promise.resolve({ open: openMortal, close });
  });

  outboxContract(`the outbox in ${name}`, async () => {
    const { open, close } = share();
    const outbox = outboxOf(await open());
    return { open: () => outbox, close };
  });

  sealingContract(`IndexedDB in ${name}`, () => share().open());

  it(`BroadcastChannel in ${name}: a change is announced to the other tabs`, async () => {
    const { open, close } = share();
    const [first, second] = [await open(), await open()];
    await first.evaluate(() => ports.platform.announce());
    const heard = (): string[] => ports.heard.filter((signal) => signal === 'store-changed');
    await expect.poll(() => second.evaluate(heard)).toEqual(['store-changed']);
    expect(await first.evaluate(heard)).toEqual([]);
    await close();
  });
}
