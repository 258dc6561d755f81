// A tab that the browser freezes, really frozen: it holds the lock, or has slept through everything that the others did.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBareChromium, type BareChromium } from './chromium.ts';
import { holdAnswer } from './faults.ts';
import { openStage, type Stage } from './stage.ts';
import {
  inContext,
  openSignedInTabs,
  passDeviceTime,
  tokensOf,
  untilActive,
  untilSettled,
  writeFromAll,
} from './tabs.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;
const NIGHT_MS = 8 * 3_600_000;

let chromium: BareChromium;
let stage: Stage;

beforeAll(async () => {
  [chromium, stage] = await Promise.all([launchBareChromium(), openStage()]);
});
afterAll(async () => {
  await chromium?.close();
  await stage?.close();
});
beforeEach(() => {
  stage.restoreTime();
  stage.reset();
});

async function freeze(tab: Page): Promise<() => Promise<void>> {
  const devtools = await chromium.context.newCDPSession(tab);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  return async () => void (await devtools.send('Page.setWebLifecycleState', { state: 'active' }));
}

async function expire(tabs: readonly Page[]): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabs, EXPIRY_MS);
}

/** How often the server has handed out a new refresh token. */
const rotations = (): number =>
  stage.events.filter((event) => event.type === 'refresh.answered' && event.outcome === 'rotated').length;

describe.each(['cookie', 'bearer', 'bound'] as const)('a frozen tab, %s', (mode) => {
  it('that holds the lock, its answer on the way: after a bounded time one of the others refreshes for all', async () => {
    const policy = { lockWaitMs: 500 };
    const [frozen, ...tabs] = await openSignedInTabs(inContext(chromium.context), stage, 5, { mode, policy });
    const [before = ''] = await tokensOf(tabs);
    await expire([frozen, ...tabs]);
    stage.reset();
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /token', fault);
    const late = writeFromAll([frozen], 'late');
    await arrived;
    const thaw = await freeze(frozen);
    release();
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    // It still holds the lock, and no other tab has stolen it.
    expect(await tabs[0]?.evaluate(async () => (await navigator.locks.query()).held?.length)).toBe(1);
    await thaw();
    expect(await late).toEqual([201]);
    await untilActive([frozen, ...tabs]);
    expect(stage.notes.toSorted()).toEqual(['late 0', ...tabs.map((_, at) => `note ${at}`)]);
    // The late answer brought a new refresh token, which takes the place of the spent one that the others stored; they hear of it.
    const tokens = async (): Promise<ReadonlySet<string>> => new Set(await tokensOf([frozen, ...tabs]));
    await expect.poll(async () => (await tokens()).size).toBe(1);
    expect((await tokens()).has(before)).toBe(false);
    // The frozen tab has asked once, and one of the others (each once more for the nonce that a proof needs).
    expect(stage.count('POST /token')).toBeLessThanOrEqual(2 * (mode === 'bound' ? 2 : 1));
    expect(rotations()).toBe(mode === 'bound' ? 0 : 1);
    for (const tab of [frozen, ...tabs]) await tab.close();
  });

  it('that has slept for a night goes on with what the others have by then, and asks the server for nothing', async () => {
    const [frozen, ...tabs] = await openSignedInTabs(inContext(chromium.context), stage, 3, { mode });
    const thaw = await freeze(frozen);
    await stage.passTime(NIGHT_MS);
    await passDeviceTime([frozen, ...tabs], NIGHT_MS);
    stage.reset();
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    await untilSettled(tabs);
    const refreshes = stage.count('POST /token');
    await thaw();
    expect(await writeFromAll([frozen], 'late')).toEqual([201]);
    expect(new Set(await tokensOf([frozen, ...tabs])).size).toBe(1);
    expect(stage.count('POST /token')).toBe(refreshes);
    for (const tab of [frozen, ...tabs]) await tab.close();
  });
});
