// Script storage that browsers empty, while the cookie of the session stays. A page looks for the session until the server has said
// for good that there is none: what a reload would find, it finds by itself.
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { answerInstead, captivePortal, loseAnswer, loseRequest, type Fault } from './faults.ts';
import { inContext, pageUrl, passDeviceTime, signIn, writeFromAll, type TabOptions } from './tabs.ts';
import { context, emptyStorage, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;

useStage();

let tab: Page;
beforeEach(async () => {
  tab = await inContext(context)(pageUrl(stage));
  await signIn(tab);
});

async function expire(): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime([tab], EXPIRY_MS);
}

/** The user authenticates again, as a resource wants it: with or without a refresh in between. */
async function stepUp(times: number, isUsed: boolean): Promise<void> {
  for (let time = 1; time <= times; time++) {
    if (isUsed) {
      await expire();
      await tab.evaluate(() => scene.token());
    }
    await signIn(tab);
  }
}

/** Storage goes while no page is open; with `marker`, what the page's own cookie says goes as well. */
async function loseStorage(marker: 'marker stays' | 'marker goes', options: TabOptions = {}): Promise<void> {
  await tab.goto(`${stage.url}/healthz`);
  await emptyStorage(tab);
  if (marker === 'marker goes') await context.clearCookies({ name: /^holdfast-/u });
  await tab.goto(pageUrl(stage, options));
}

const found = { status: 'active', freshness: 'verified' };

describe.each([1, 2, 3, 5])('after %i step-ups', (times) => {
  it.each([true, false])('each of them used (%s): the session is found, without a reload', async (isUsed) => {
    await stepUp(times, isUsed);
    const { sid } = (await tab.evaluate(() => scene.auth.getSnapshot())) as { readonly sid: string };
    await loseStorage('marker stays');
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject({ ...found, sid });
    expect(await writeFromAll([tab])).toEqual([201]);
  });

  it('and the marker is gone: an app that expects cookies finds it', async () => {
    await stepUp(times, false);
    await loseStorage('marker goes', { mayHaveCookies: true });
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject(found);
    expect(await writeFromAll([tab])).toEqual([201]);
  });

  it('storage goes while the page is open: it goes on', async () => {
    await stepUp(times, false);
    await emptyStorage(tab);
    for (const name of ['first', 'second']) {
      await expire();
      expect(await writeFromAll([tab], name)).toEqual([201]);
    }
    expect(await tab.evaluate(() => scene.auth.getSnapshot())).toMatchObject({ status: 'active' });
  });

  it('and the browser has lost the newest cookie: the session before it is found', async () => {
    const names = async (): Promise<readonly string[]> =>
      (await context.cookies(stage.url)).map(({ name }) => name).filter((name) => name.startsWith('__Host-'));
    await stepUp(times - 1, true);
    const before = await names();
    await stepUp(1, false);
    const newest = (await names()).find((name) => !before.includes(name));
    await context.clearCookies({ name: newest ?? 'none' });
    await loseStorage('marker stays');
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject(found);
    expect(await writeFromAll([tab])).toEqual([201]);
  });
});

const unanswered: readonly (readonly [string, Fault])[] = [
  ['was lost', loseRequest],
  ['whose answer was lost', loseAnswer],
  ['was answered 503', answerInstead(503, {}, '')],
  ['was answered 429', answerInstead(429, { 'retry-after': '1' }, '{"error":"slow_down"}')],
  ["was answered by a hotel's page", captivePortal],
];

it.each(unanswered)(
  'a first look that %s: the user is not shown as signed out, and the session is found',
  async (_name, fault) => {
    await stepUp(2, false);
    stage.meet('POST /token', fault, fault);
    await loseStorage('marker stays');
    await tab.evaluate(() => scene.until('active'));
    expect(await tab.evaluate(() => scene.observations.filter(({ type }) => type === 'signed-out'))).toEqual([]);
    expect(await writeFromAll([tab])).toEqual([201]);
  },
);
