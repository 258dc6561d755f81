// Set-up for tests of the demo: one Chromium and the demo on a database of its own.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test-database.ts';
import { launchProfiles, type ProfileOptions, type Profiles } from './profiles.ts';

let profiles: Profiles;
let database: TestDatabase;
/** The demo, as it is served. */
export let api: DemoApi;
/** The browser profile that was opened last in the test under way, and its page. */
export let context: BrowserContext;
export let page: Page;

/** Sets up what this module exports. */
export function useDemo(policy: NonNullable<Parameters<typeof createDemoApi>[0]['policy']> = {}): void {
  beforeAll(async () => {
    [profiles, database] = await Promise.all([launchProfiles(), createTestDatabase()]);
    const { databaseUrl } = database;
    api = await createDemoApi({ databaseUrl, secret: 'a secret for tests that is long enough', demo: true, policy });
  });
  afterAll(async () => {
    await profiles?.end();
    await api?.close();
    await database?.drop();
  });
  afterEach(() => profiles.closeAll());
}

/** Opens a page in a new browser profile beside the test's own, until the end of the test. */
export async function openStranger(options: ProfileOptions = {}): Promise<Page> {
  // Without motion, no colour is seen half-way to another.
  const profile = await profiles.open({ reducedMotion: 'reduce', ...options });
  const stranger = await profile.newPage();
  stranger.setDefaultTimeout(30_000);
  return stranger;
}

/** Opens the browser profile of the test under way, and its page. */
export async function openProfile(options: ProfileOptions = {}): Promise<Page> {
  page = await openStranger(options);
  context = page.context();
  return page;
}

/** Signs the demo's user in on the page. */
export async function signIn(): Promise<void> {
  await page.goto(api.url);
  await page.getByLabel('User name').fill(demoUser.username);
  await page.getByLabel('Password', { exact: true }).fill(demoUser.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Signed in as').waitFor();
}
