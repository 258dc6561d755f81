// What tests of the demo begin with: one Chromium and the demo on a database of its own.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test-database.ts';
import { launchChromium } from './chromium.ts';

export let browser: Browser;
let database: TestDatabase;
let contexts: readonly BrowserContext[] = [];
/** The demo, as it is served. */
export let api: DemoApi;
/** The browser profile that was opened last in the test under way, and its page. */
export let context: BrowserContext;
export let page: Page;

/** Sets up what this module exports. */
export function useDemo(policy: NonNullable<Parameters<typeof createDemoApi>[0]['policy']> = {}): void {
  beforeAll(async () => {
    [browser, database] = await Promise.all([launchChromium(), createTestDatabase()]);
    const { databaseUrl } = database;
    api = await createDemoApi({ databaseUrl, secret: 'a secret for tests that is long enough', demo: true, policy });
  });
  afterAll(async () => {
    await browser?.close();
    await api?.close();
    await database?.drop();
  });
  afterEach(async () => {
    for (const each of contexts) await each.close();
    contexts = [];
  });
}

/** Opens a browser that was never there, until the end of the test. Without motion: a colour is never seen half-way to another. */
export async function openProfile(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  contexts = [...contexts, context];
  page = await context.newPage();
  page.setDefaultTimeout(30_000);
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
