// Forty tabs of one user in real Chromium, and a token endpoint that is slower than tabs wait for their lock. What it costs is
// counted at the server.
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBareChromium, type BareChromium } from './chromium.ts';
import { takeTime, type Fault } from './faults.ts';
import { openStage, type Stage } from './stage.ts';
import { inContext, openSignedInTabs, passDeviceTime, tokensOf, writeFromAll } from './tabs.ts';

const TABS = 40;
/** Longer than `lockWaitMs`, 3 s by default. */
const REFRESH_MS = 4_000;
/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;

let chromium: BareChromium;
let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());
beforeEach(async () => {
  chromium = await launchBareChromium();
});
afterEach(async () => {
  await chromium.close();
  stage.restoreTime();
  stage.reset();
});

/** Forty tabs whose access token has just expired, on the device and at the server. */
async function openExpiredTabs(): Promise<readonly [Page, Page, ...Page[]]> {
  const [first, second, ...others] = await openSignedInTabs(inContext(chromium.context), stage, TABS);
  const tabs = [first, second as Page, ...others] as const;
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabs, EXPIRY_MS);
  stage.reset();
  return tabs;
}

/** A slow refresh, and the moment at which the server has heard of it. */
function slowly(ms: number): { readonly fault: Fault; readonly arrived: Promise<void> } {
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const fault: Fault = (serve, response) => {
    arrive();
    return takeTime(ms)(serve, response);
  };
  return { fault, arrived };
}

/** Every note has arrived once, with one new token in all tabs. */
async function expectOneTokenIn(tabs: readonly Page[]): Promise<void> {
  expect(new Set(await tokensOf(tabs)).size).toBe(1);
  expect(stage.notes).toHaveLength(new Set(stage.notes).size);
  expect(stage.events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}

describe('40 tabs at a server whose refresh takes 4 s', () => {
  it('send two refreshes per expiry at most, and every request is answered', async () => {
    const tabs = await openExpiredTabs();
    stage.meetAlways('POST /token', takeTime(REFRESH_MS));
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    await expectOneTokenIn(tabs);
    expect(stage.count('POST /token')).toBeLessThanOrEqual(2);
    await stage.passTime(EXPIRY_MS);
    await passDeviceTime(tabs, EXPIRY_MS);
    expect(await writeFromAll(tabs, 'again')).toEqual(tabs.map(() => 201));
    await expectOneTokenIn(tabs);
    expect(stage.count('POST /token')).toBeLessThanOrEqual(4);
  });

  it('send one more for a holder of the lock that is frozen, and one more for one that is killed', async () => {
    const [frozen, killed, ...tabs] = await openExpiredTabs();
    const [first, second] = [slowly(3 * REFRESH_MS), slowly(REFRESH_MS)];
    stage.meetAlways('POST /token', takeTime(REFRESH_MS));
    stage.meet('POST /token', first.fault, second.fault);
    void writeFromAll([frozen], 'frozen').catch(() => {});
    await first.arrived;
    const devtools = await chromium.context.newCDPSession(frozen);
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    void writeFromAll([killed], 'killed').catch(() => {});
    const written = writeFromAll(tabs);
    await second.arrived;
    await killed.close();
    expect(await written).toEqual(tabs.map(() => 201));
    await expectOneTokenIn(tabs);
    expect(stage.count('POST /token')).toBeLessThanOrEqual(2 + 2);
    // The frozen tab has had the first lock all the time.
    const held = await tabs[0]?.evaluate(async () => (await navigator.locks.query()).held?.map(({ name }) => name));
    expect(held?.filter((name) => name?.endsWith(' 0'))).toHaveLength(1);
  });
});
