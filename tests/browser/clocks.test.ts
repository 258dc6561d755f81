// Time in real Chromium: a lid that is closed for the night, a device whose clock is a year off, a long tunnel. The page's
// clocks are set on, and the server's with them where time passes for both; timers stay real, as they do while a device sleeps.
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { holdAnswer } from './faults.ts';
import {
  inContext,
  openSignedInTabs,
  passDeviceTime,
  tokensOf,
  untilActive,
  untilSettled,
  writeFromAll,
  type TabOptions,
} from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

const MINUTE_MS = 60_000;
const NIGHT_MS = 8 * 60 * MINUTE_MS;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;
/** Longer than an access token lives. */
const EXPIRY_MS = 16 * MINUTE_MS;

const MODES = ['cookie', 'bearer', 'bound'] as const;

useStage();

async function openTabs(options?: TabOptions): Promise<readonly [Page, ...Page[]]> {
  const tabs = await openSignedInTabs(inContext(context), stage, 5, options);
  stage.reset();
  return tabs;
}

/** All tabs write, and all of it arrives, each note once; every tab is active with one and the same token that is not `before`. */
async function expectToGoOn(tabs: readonly Page[], before: string): Promise<void> {
  expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
  expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
  await untilActive(tabs);
  const tokens = new Set(await tokensOf(tabs));
  expect(tokens.size).toBe(1);
  expect(tokens.has(before)).toBe(false);
  expect(stage.events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}

describe.each([
  // A request that was parked in the evening has a deadline, by the monotonic clock: its caller is told, and it is not sent.
  { kind: 'that counts while it sleeps (Windows)', asleepMs: NIGHT_MS, parked: 'deadline-exceeded' },
  { kind: 'that stands still while it sleeps (macOS, Linux)', asleepMs: 0, parked: 201 },
])('a night of eight hours, on a monotonic clock $kind', ({ asleepMs, parked }) => {
  it.each(MODES)('costs one refresh in the morning, %s', async (mode) => {
    const tabs = await openTabs({ mode });
    const [before = ''] = await tokensOf(tabs);
    await stage.passTime(NIGHT_MS);
    await passDeviceTime(tabs, NIGHT_MS, asleepMs);
    await expectToGoOn(tabs, before);
    // The nonce that the tab knew is of yesterday (RFC 9449 §8).
    expect(stage.count('POST /token')).toBe(mode === 'bound' ? 2 : 1);
  });

  it.each(MODES)('begins between a refresh and its answer: that is not used, the next one is, %s', async (mode) => {
    const tabs = await openTabs({ mode });
    const [before = ''] = await tokensOf(tabs);
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime(tabs, EXPIRY_MS);
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /token', fault);
    const written = writeFromAll(tabs, 'evening');
    await arrived;
    await stage.passTime(NIGHT_MS);
    await passDeviceTime(tabs, NIGHT_MS, asleepMs);
    release();
    expect(await written).toEqual(tabs.map(() => parked));
    expect(stage.notes.toSorted()).toEqual(parked === 201 ? tabs.map((_, at) => `evening ${at}`) : []);
    stage.reset();
    await expectToGoOn(tabs, before);
  });
});

describe.each([
  { direction: 'ahead', skewMs: YEAR_MS },
  { direction: 'behind', skewMs: -YEAR_MS },
])('a device clock that is a year $direction', ({ skewMs }) => {
  it.each(MODES)('signs in, expires and reloads as any other, %s', async (mode) => {
    const tabs = await openTabs({ mode, skewMs });
    const [before = ''] = await tokensOf(tabs);
    // The token is used for as long as it lives: no tab refreshes before that.
    expect(stage.count('POST /token')).toBe(0);
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime(tabs, EXPIRY_MS);
    await expectToGoOn(tabs, before);
    expect(stage.count('POST /token')).toBe(mode === 'bound' ? 2 : 1);
    // The time that has passed on this device is gone with the reload: the token is of the future, and still good.
    await Promise.all(tabs.map((tab) => tab.reload()));
    await untilActive(tabs);
    expect(await writeFromAll(tabs, 'reloaded')).toEqual(tabs.map(() => 201));
    expect(stage.count('POST /token')).toBe(mode === 'bound' ? 2 : 1);
  });

  it.each(MODES)('from one moment to the next: no user is signed out, and refreshes stay few, %s', async (mode) => {
    const tabs = await openTabs({ mode });
    // A proof without the server's nonce is asked for again; a tab that knows it from before asks once.
    const refresh = mode === 'bound' ? [1, 2] : [1];
    await passDeviceTime(tabs, skewMs, 0);
    expect(await writeFromAll(tabs, 'jumped')).toEqual(tabs.map(() => 201));
    await untilSettled(tabs);
    // Ahead, the token looks expired; behind, the monotonic clock tells its end.
    expect(skewMs > 0 ? refresh : [0]).toContain(stage.count('POST /token'));
    const [before = ''] = await tokensOf(tabs);
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime(tabs, EXPIRY_MS);
    stage.reset();
    await expectToGoOn(tabs, before);
    expect(refresh).toContain(stage.count('POST /token'));
  });
});

describe.each(MODES)('ten minutes without a network, %s', (mode) => {
  it('all requests wait, and one refresh is enough when it is back', async () => {
    const tabs = await openTabs({ mode, policy: { deadlineMs: 20 * MINUTE_MS } });
    const [before = ''] = await tokensOf(tabs);
    await context.setOffline(true);
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime(tabs, EXPIRY_MS);
    const written = writeFromAll(tabs, 'offline');
    const snapshots = async (): Promise<readonly unknown[]> =>
      Promise.all(tabs.map((tab) => tab.evaluate(() => scene.auth.getSnapshot())));
    // The session is there, and known to be out of reach.
    await expect
      .poll(snapshots)
      .toMatchObject(tabs.map(() => ({ status: 'active', freshness: 'offline', parkedRequests: 1 })));
    await passDeviceTime(tabs, 10 * MINUTE_MS);
    expect(stage.count('POST /token')).toBe(0);
    // Here the network comes back to one tab after the other; at a desk, to all of them at once.
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /token', fault);
    await context.setOffline(false);
    await arrived;
    release();
    expect(await written).toEqual(tabs.map(() => 201));
    expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `offline ${at}`));
    expect(stage.count('POST /token')).toBe(mode === 'bound' ? 2 : 1);
    stage.reset();
    await expectToGoOn(tabs, before);
  });
});
