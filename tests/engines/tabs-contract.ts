import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { holdAnswer, loseAnswer, truncateAnswer } from '../browser/faults.ts';
import type { StageMode } from '../browser/stage-page.ts';
import { openStage, type Stage } from '../browser/stage.ts';
import {
  openSignedInTabs,
  pageUrl,
  passDeviceTime,
  tokensOf,
  untilActive,
  untilSettled,
  writeFromAll,
} from '../browser/tabs.ts';
import type { ReplaceableEngine, Tab } from './engine.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;

/** The parts that the tests of one browser work with. */
type Scenery = {
  readonly stage: () => Stage;
  /** Opens tabs of a user who has just signed in. */
  readonly openTabs: (count: number) => Promise<readonly [Tab, ...Tab[]]>;
  /** The access token of every tab expires, on the device and at the server. */
  readonly expire: (tabs: readonly Tab[]) => Promise<void>;
  /** Every tab is active with one and the same token, and nothing was done twice. */
  readonly expectToGoOn: (tabs: readonly Tab[]) => Promise<void>;
  /** Proofs need the server's nonce, which a tab learns by its first request (RFC 9449 §8): one exchange more. */
  readonly exchangesForNonce: number;
};

/** Tabs of one signed-in user, against the real server. */
export function tabsContract(name: string, engine: () => ReplaceableEngine, mode: StageMode): void {
  describe(`tabs in ${name}, ${mode}`, () => {
    const scenery = prepare(engine, mode);
    refreshContract(scenery);
    lifeContract(scenery);
  });
}

function prepare(engine: () => ReplaceableEngine, mode: StageMode): Scenery {
  let stage: Stage;
  let opened: Tab[] = [];
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  const open = async (url: string): Promise<Tab> => {
    const tab = await engine().current().open(url);
    opened.push(tab);
    return tab;
  };

  afterEach(async () => {
    // One profile for all: the next test finds no user signed in.
    const last = await open(pageUrl(stage, { mode }));
    await last.evaluate(() => scene.auth.signOut());
    await expect.poll(() => last.evaluate(() => scene.auth.platform.outbox.list())).toEqual([]);
    await engine().closeTabs(opened);
    opened = [];
    stage.restoreTime();
    stage.reset();
  });

  return {
    stage: () => stage,
    exchangesForNonce: mode === 'bound' ? 1 : 0,
    openTabs: async (count) => {
      const tabs = await openSignedInTabs(open, stage, count, { mode });
      await untilSettled(tabs);
      stage.reset();
      return tabs;
    },
    expire: async (tabs) => {
      await stage.passTime(EXPIRY_MS);
      await passDeviceTime(tabs, EXPIRY_MS);
    },
    expectToGoOn: async (tabs) => {
      await untilActive(tabs);
      expect(new Set(await tokensOf(tabs)).size).toBe(1);
      expect(stage.notes).toHaveLength(new Set(stage.notes).size);
      expect(stage.events.filter(({ type }) => type === 'session.revoked')).toEqual([]);
    },
  };
}

function refreshContract({ stage, openTabs, expire, expectToGoOn, exchangesForNonce }: Scenery): void {
  it('five tabs, one expiry: one refresh, and every request arrives once', async () => {
    const tabs = await openTabs(5);
    const [before = ''] = await tokensOf(tabs.slice(0, 1));
    await expire(tabs);
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    expect(stage().notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
    expect(stage().count('POST /token')).toBe(1 + exchangesForNonce);
    expect((await tokensOf(tabs)).includes(before)).toBe(false);
    await expectToGoOn(tabs);
  });

  it.each([
    { what: 'lost', fault: loseAnswer },
    { what: 'cut off', fault: truncateAnswer },
  ])('an answer that is $what after the server has worked: the next refresh helps all', async ({ fault }) => {
    const tabs = await openTabs(2);
    await expire(tabs);
    stage().meet('POST /token', fault);
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    expect(stage().notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
    expect(stage().count('POST /token')).toBe(2 + exchangesForNonce);
    await expectToGoOn(tabs);
  });

  it('a tab that is closed while it holds the lock and the server has answered it', async () => {
    const [victim, ...tabs] = await openTabs(3);
    await expire([victim, ...tabs]);
    const { fault, arrived } = holdAnswer();
    stage().meet('POST /token', fault);
    // Gone with its tab, whatever the driver says of it.
    writeFromAll([victim], 'abandoned').catch(() => {});
    await arrived;
    const written = writeFromAll(tabs);
    await victim.close();
    expect(await written).toEqual(tabs.map(() => 201));
    expect(stage().notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
    expect(stage().count('POST /token')).toBe(2 + exchangesForNonce);
    await expectToGoOn(tabs);
  });
}

function lifeContract({ stage, openTabs, expectToGoOn }: Scenery): void {
  it('a reload: still signed in, and the server is asked for nothing', async () => {
    const tabs = await openTabs(1);
    await tabs[0].reload();
    await expectToGoOn(tabs);
    expect(stage().count('POST /token')).toBe(0);
  });

  it('a sign-out in one tab reaches the other, which is told why', async () => {
    const [first, ...others] = await openTabs(2);
    await first.evaluate(() => scene.auth.signOut());
    const snapshots = await Promise.all(others.map((tab) => tab.evaluate(() => scene.until('signed-out'))));
    expect(snapshots).toEqual([{ status: 'signed-out', reason: 'user' }]);
    await expect.poll(() => stage().events.map(({ type }) => type)).toContain('session.revoked');
  });
}
