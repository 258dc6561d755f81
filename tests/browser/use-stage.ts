// What tests on a stage begin with: one Chromium and one stage for the file, a new browser profile for each test.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launchChromium } from './chromium.ts';
import { openStage, type Stage } from './stage.ts';

let browser: Browser;
/** The stage of this file. */
export let stage: Stage;
/** The browser profile of the test under way. */
export let context: BrowserContext;

/** Sets up what this module exports. `without`: defaults of the test driver that Chromium leaves out. */
export function useStage(without: readonly string[] = []): void {
  beforeAll(async () => {
    [browser, stage] = await Promise.all([launchChromium(without), openStage()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    stage.restoreTime();
    stage.reset();
  });
}

/** Empties the script storage of the stage's origin, as browsers do. Cookies stay. */
export async function emptyStorage(tab: Page): Promise<void> {
  const devtools = await context.newCDPSession(tab);
  await devtools.send('Storage.clearDataForOrigin', { origin: stage.url, storageTypes: 'indexeddb' });
}
