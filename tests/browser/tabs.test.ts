// Many tabs of one user in real Chromium, and one refresh that goes wrong. What a user would lose is counted at the server.
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import {
  answerInstead,
  captivePortal,
  holdAnswer,
  loseAnswer,
  loseRequest,
  truncateAnswer,
  type Fault,
} from './faults.ts';
import type { StageMode } from './stage-page.ts';
import {
  inContext,
  openSignedInTabs,
  passDeviceTime,
  tokensOf,
  untilActive,
  writeFromAll,
  type TabOptions,
} from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

const MINUTE_MS = 60_000;
/** Longer than an access token lives. */
const EXPIRY_MS = 16 * MINUTE_MS;

useStage();

async function openTabs(count: number, options?: TabOptions): Promise<readonly [Page, ...Page[]]> {
  const tabs = await openSignedInTabs(inContext(context), stage, count, options);
  stage.reset();
  return tabs;
}

/** The access token of every tab expires, on the device and at the server. */
async function expire(tabs: readonly Page[]): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabs, EXPIRY_MS);
}

/** All tabs write at once, and all of it arrives, each note once; then every tab goes on with one new token. */
async function expectToGoOn(tabs: readonly Page[], before: string): Promise<void> {
  expect(await writeFromAll(tabs, 'after')).toEqual(tabs.map(() => 201));
  await untilActive(tabs);
  const tokens = new Set(await tokensOf(tabs));
  expect(tokens.size).toBe(1);
  expect(tokens.has(before)).toBe(false);
  expect(stage.notes).toHaveLength(new Set(stage.notes).size);
  expect(stage.events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}

const MODES = ['cookie', 'bearer', 'bound'] as const;

/** Proofs need the server's nonce, which a tab learns by its first request (RFC 9449 §8): one exchange more. */
const exchangesForNonce = (mode: StageMode): number => (mode === 'bound' ? 1 : 0);

describe('one expiry', () => {
  it.each(MODES)(
    'in 25 tabs costs one refresh: every tab goes on with the same new token, and every request arrives once, %s',
    async (mode) => {
      const tabs = await openTabs(25, { mode });
      const [before = ''] = await tokensOf(tabs.slice(0, 1));
      await expire(tabs);
      expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
      expect(stage.count('POST /token')).toBe(1 + exchangesForNonce(mode));
      expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`).toSorted());
      await expectToGoOn(tabs, before);
      expect(stage.count('POST /token')).toBe(1 + exchangesForNonce(mode));
    },
  );

  it('without user activity: the tabs notice by themselves, and one of them refreshes for all', async () => {
    const tabs = await openTabs(25, { policy: { tickMs: 500 } });
    const [before = ''] = await tokensOf(tabs.slice(0, 1));
    await expire(tabs);
    const isNew = (before: string) => scene.token().then((token) => token !== before);
    await expect.poll(() => Promise.all(tabs.map((tab) => tab.evaluate(isNew, before)))).toEqual(tabs.map(() => true));
    expect(stage.count('POST /token')).toBe(1);
  });
});

describe.each(MODES)('a sign-out in one tab, %s', (mode) => {
  it('is one in every tab, at once, and none of them sends anything more', async () => {
    const [leaving, ...others] = await openTabs(5, { mode });
    await leaving.evaluate(() => scene.auth.signOut());
    const snapshots = await Promise.all(others.map((tab) => tab.evaluate(() => scene.until('signed-out'))));
    expect(snapshots).toEqual(others.map(() => ({ status: 'signed-out', reason: 'user' })));
    expect(await writeFromAll(others)).toEqual(others.map(() => 'signed-out'));
    expect(stage.notes).toEqual([]);
    expect(stage.count('POST /token')).toBe(0);
  });
});

const json = { 'content-type': 'application/json' };
const unavailable = '{"error":"temporarily_unavailable","reason":"unavailable"}';

/** Faults between a refresh and its answer. */
const faults: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'an answer that is lost after the server has worked', fault: loseAnswer },
  { name: 'a request that is lost', fault: loseRequest },
  { name: 'an answer that is cut off in the middle of its JSON', fault: truncateAnswer },
  { name: 'a captive portal that answers in its place', fault: captivePortal },
  {
    name: 'a redirect to a sign-in page of a proxy',
    fault: answerInstead(302, { location: 'https://proxy.invalid/' }, ''),
  },
  { name: '503 with Retry-After', fault: answerInstead(503, { ...json, 'retry-after': '1' }, unavailable) },
  { name: '429 with Retry-After', fault: answerInstead(429, { ...json, 'retry-after': '1' }, unavailable) },
  { name: "a proxy's 502 in HTML", fault: answerInstead(502, { 'content-type': 'text/html' }, '<h1>Bad gateway</h1>') },
  { name: "a proxy's 401 in HTML", fault: answerInstead(401, { 'content-type': 'text/html' }, '<h1>Who is it?</h1>') },
];

describe.each(MODES)('a refresh that meets trouble, %s', (mode) => {
  it.each(faults)('$name: every tab goes on, nothing is lost, nothing is sent twice', async ({ fault }) => {
    const tabs = await openTabs(3, { mode });
    const [before = ''] = await tokensOf(tabs.slice(0, 1));
    await expire(tabs);
    stage.meet('POST /token', fault, fault);
    expect(await writeFromAll(tabs)).toEqual(tabs.map(() => 201));
    expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
    // Two met trouble, the third helped all.
    expect(stage.count('POST /token')).toBe(3 + exchangesForNonce(mode));
    await expectToGoOn(tabs, before);
  });

  const ends: readonly { readonly how: string; readonly end: (tab: Page) => Promise<unknown> }[] = [
    { how: 'closed', end: (tab) => tab.close() },
    {
      how: 'killed by a crash',
      end: async (tab) => {
        const crashed = tab.waitForEvent('crash');
        const devtools = await context.newCDPSession(tab);
        // The process that should answer is the one that ends.
        devtools.send('Page.crash').catch(() => {});
        await crashed;
      },
    },
  ];

  it.each(ends)('a tab that is $how while it holds the lock and the server has answered it', async ({ end }) => {
    const [victim, ...tabs] = await openTabs(4, { mode });
    const [before = ''] = await tokensOf(tabs.slice(0, 1));
    await expire([victim, ...tabs]);
    const { fault, arrived } = holdAnswer();
    stage.meet('POST /token', fault);
    const abandoned = writeFromAll([victim], 'abandoned').catch(() => 'gone with its tab');
    await arrived;
    const written = writeFromAll(tabs);
    await end(victim);
    expect(await abandoned).toBe('gone with its tab');
    expect(await written).toEqual(tabs.map(() => 201));
    expect(stage.count('POST /token')).toBe(2 + exchangesForNonce(mode));
    expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
    await expectToGoOn(tabs, before);
  });
});
