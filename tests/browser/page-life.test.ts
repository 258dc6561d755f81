// A browser does more with pages than show them: it keeps them to come back to, throws them away, puts a service worker in
// between or a frame around them. The session must be the same afterwards.
import type { CDPSession, Frame, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { StageMode } from './stage-page.ts';
import { inContext, openSignedInTabs, pageUrl, passDeviceTime, tokensOf, untilSettled, writeFromAll } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;
const modes: readonly StageMode[] = ['cookie', 'bearer', 'bound'];

// The driver's default is a browser that never keeps a page to come back to.
useStage(['--disable-back-forward-cache']);

async function expire(tabs: readonly Page[]): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabs, EXPIRY_MS);
}

/** Runs an expression in whatever page the tab shows: the driver itself loses sight of one that was kept and comes back. */
async function evaluateIn(devtools: CDPSession, expression: string): Promise<unknown> {
  const { result } = await devtools.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  return result.value as unknown;
}

describe.each(modes)('a page, %s', (mode) => {
  it('that comes back from the back/forward cache has what the others have by then, and asks for nothing', async () => {
    const [left, ...others] = await openSignedInTabs(inContext(context), stage, 2, { mode });
    const devtools = await context.newCDPSession(left);
    await evaluateIn(devtools, "addEventListener('pageshow', (event) => (globalThis.isKept = event.persisted))");
    await left.goto(`${stage.url}/healthz`);
    await expire(others);
    // A message to the other tabs is sent meanwhile; one that was heard would have ended the page that is kept.
    const tokens = await tokensOf(others);
    await untilSettled(others);
    const refreshes = stage.count('POST /token');
    await evaluateIn(devtools, 'history.back()');
    await expect.poll(() => evaluateIn(devtools, 'globalThis.isKept')).toBe(true);
    await expect.poll(() => evaluateIn(devtools, 'scene.token()')).toBe(tokens[0]);
    expect(stage.count('POST /token')).toBe(refreshes);
  });

  it('with a service worker in between that answers everything from what it has: it signs no user out', async () => {
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    // It takes the page over and answers a refresh with a page of its own, once.
    await tab.evaluate(async () => {
      await navigator.serviceWorker.register('/worker.js');
      await new Promise<void>((resolve) => {
        if (navigator.serviceWorker.controller) resolve();
        else navigator.serviceWorker.addEventListener('controllerchange', () => resolve());
      });
    });
    await expire([tab]);
    expect(await writeFromAll([tab])).toEqual([201]);
    const causes = (): unknown[] => scene.observations.map((each) => ('cause' in each ? each.cause : null));
    expect(await tab.evaluate(causes)).toContain('not-json');
    expect(stage.notes).toEqual(['note 0']);
    expect(await tab.evaluate(() => scene.auth.getSnapshot().status)).toBe('active');
  });

  it('in a frame of no origin is told that no user is signed in, and the page around it keeps its session', async () => {
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await tab.evaluate(
      (src) => {
        const frame = document.createElement('iframe');
        frame.sandbox.add('allow-scripts');
        frame.src = src;
        document.body.append(frame);
      },
      pageUrl(stage, { mode }),
    );
    const findInside = (): Frame | undefined => tab.frames().find((each) => each.parentFrame() !== null);
    await expect.poll(findInside).toBeDefined();
    const inside = findInside();
    await inside?.waitForFunction(() => 'scene' in globalThis);
    expect(await inside?.evaluate(() => scene.auth.ready())).toMatchObject({ status: 'signed-out' });
    await expire([tab]);
    expect(await writeFromAll([tab])).toEqual([201]);
  });
});
