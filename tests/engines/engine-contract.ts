import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { outboxContract } from '../../client/src/testing/outbox-contract.ts';
import { refreshLockContract, refreshLockDeathContract } from '../../client/src/testing/refresh-lock-contract.ts';
import { sharedVaultContract, vaultContract } from '../../client/src/testing/vault-contract.ts';
import { holderOf, outboxOf, servePorts, vaultOf, type PortsPage } from '../browser/remote-ports.ts';
import { sealingContract } from '../browser/sealing-contract.ts';
import type { StageMode } from '../browser/stage-page.ts';
import { launchReplaceable, type Engine, type ReplaceableEngine, type Tab } from './engine.ts';
import { tabsContract } from './tabs-contract.ts';

/** The client's demands on one browser's locks, storage and channels. `modes`: how sessions can be kept there. */
export function engineContract(name: string, launch: () => Promise<Engine>, modes: readonly StageMode[]): void {
  let engine: ReplaceableEngine;
  beforeAll(async () => {
    engine = await launchReplaceable(launch);
  });
  afterAll(() => engine?.end());
  portsContract(name, () => engine);
  for (const mode of modes) tabsContract(name, () => engine, mode);
  stuckContract(name, launch);
}

/** A tab that does not close: the test after it must not pay for it. */
function stuckContract(name: string, launch: () => Promise<Engine>): void {
  it(`${name} that stands still is given up, stderr says so, and the next tab opens in a new one`, async () => {
    const page = await servePorts();
    const engine = await launchReplaceable(launch, 500);
    const stuck = engine.current();
    const tab = await stuck.open(page.url);
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    process.kill(stuck.pid, 'SIGSTOP');
    try {
      await engine.closeTabs([tab]);
      expect(stderr.mock.calls.map(([line]) => line)).toEqual([
        expect.stringContaining('A tab did not close within 0.5 s'),
      ]);
      expect(engine.current()).not.toBe(stuck);
    } finally {
      stderr.mockRestore();
      process.kill(stuck.pid, 'SIGCONT');
    }
    const next = await engine.current().open(page.url);
    expect(await next.evaluate(() => 1 + 1)).toBe(2);
    await engine.end();
    page.close();
  });
}

/** The ports alone: the contracts that every platform passes, in tabs that share one profile. */
function portsContract(name: string, engine: () => ReplaceableEngine): void {
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
        const tab = await engine().current().open(store);
        tabs.push(tab);
        return tab;
      },
      close: () => engine().closeTabs(tabs),
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

  refreshLockContract(`Web Locks in ${name}`, () => {
    const { open, close } = share();
    return Promise.resolve({ open: async () => holderOf(await open()), close });
  });

  refreshLockDeathContract(`Web Locks in ${name}`, () => {
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
