// Set-up for tests on a stage: one Chromium and one stage for the file, a new browser profile for each test.
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launchProfiles, type Profiles } from './profiles.ts';
import { openStage, type Stage } from './stage.ts';

let profiles: Profiles;
/** The stage of this file. */
export let stage: Stage;
/** The browser profile of the test under way. */
export let context: BrowserContext;

/** Sets up what this module exports. `without`: defaults of the test driver that Chromium leaves out. */
export function useStage(without: readonly string[] = []): void {
  beforeAll(async () => {
    [profiles, stage] = await Promise.all([launchProfiles({ without }), openStage()]);
  });
  afterAll(async () => {
    await profiles?.end();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await profiles.open();
  });
  afterEach(async () => {
    await profiles.closeAll();
    stage.restoreTime();
    stage.reset();
  });
}

/** Empties the script storage of the stage's origin, as browsers do. Cookies stay. */
export async function emptyStorage(tab: Page): Promise<void> {
  const devtools = await context.newCDPSession(tab);
  await devtools.send('Storage.clearDataForOrigin', { origin: stage.url, storageTypes: 'indexeddb' });
}
