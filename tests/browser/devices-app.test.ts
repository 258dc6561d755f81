// The list of devices in the demo: two browsers, one user. Who sees a device that is not theirs must be able to end it.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test-database.ts';
import { launchProfiles, type ProfileOptions, type Profiles } from './profiles.ts';

const windowsFirefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';

let profiles: Profiles;
let database: TestDatabase;
let api: DemoApi;
let mine: Page;
let theirs: Page;

beforeAll(async () => {
  profiles = await launchProfiles();
});

afterAll(async () => {
  await profiles?.end();
});

async function signIn(options: ProfileOptions): Promise<Page> {
  const context = await profiles.open({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${api.url}/security`);
  await page.getByRole('button', { name: 'Fill in' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('list', { name: 'Devices' }).waitFor();
  return page;
}

beforeEach(async () => {
  database = await createTestDatabase();
  const { databaseUrl } = database;
  api = await createDemoApi({ databaseUrl, secret: 'a secret for tests that is long enough', demo: true });
  theirs = await signIn({ userAgent: windowsFirefox });
  mine = await signIn({});
});

afterEach(async () => {
  await profiles.closeAll();
  await api?.close();
  await database?.drop();
});

const rows = (page: Page): ReturnType<Page['getByRole']> =>
  page.getByRole('list', { name: 'Devices' }).getByRole('listitem');

/** Renews the session and waits until the page has noticed that it is over. */
async function expectSignInNeeded(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Notes' }).click();
  await page.getByRole('button', { name: 'Renew now' }).click();
  await page.getByRole('dialog', { name: 'Sign in to go on' }).waitFor();
}

describe('the devices of a user', () => {
  it('are listed in words, this one first and without a button to end it', async () => {
    expect(await rows(mine).count()).toBe(2);
    expect(await rows(mine).nth(0).innerText()).toMatch(/Chrome on Linux[^]*This device[^]*127\.0\.0\.1 · in use now/u);
    expect(await rows(mine).nth(0).getByRole('button').count()).toBe(0);
    expect(await rows(mine).nth(1).innerText()).toMatch(/Firefox on Windows[^]*127\.0\.0\.1 · last used just now/u);
  });

  it('one is signed out: it has to sign in again, and goes on where it was', async () => {
    await mine.getByRole('button', { name: 'Sign out Firefox on Windows' }).click();
    await expect.poll(() => rows(mine).count()).toBe(1);
    await expectSignInNeeded(theirs);
    await theirs.getByRole('dialog').getByLabel('Password', { exact: true }).fill(demoUser.password);
    await theirs.getByRole('button', { name: 'Sign in and go on' }).click();
    await theirs.getByRole('dialog').waitFor({ state: 'hidden' });
    await theirs.getByText('The server has confirmed this session.').waitFor();
  });

  it('all others are signed out at once; this one stays', async () => {
    await mine.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await mine.getByText('1 other device was signed out.').waitFor();
    await expect.poll(() => rows(mine).count()).toBe(1);
    await expectSignInNeeded(theirs);
    await mine.getByRole('link', { name: 'Notes' }).click();
    await mine.getByLabel('New note').fill('Still here');
    await mine.keyboard.press('Enter');
    await mine.getByRole('list', { name: 'Notes', exact: true }).getByText('Still here').waitFor();
  });

  it('that cannot be loaded are said to be so, and come when asked for again', async () => {
    await mine.route('**/sessions', (route) => route.fulfill({ status: 500, body: 'no' }));
    await mine.reload();
    await mine.getByText('Devices could not be loaded').waitFor();
    await mine.unroute('**/sessions');
    await mine.getByRole('button', { name: 'Try again' }).click();
    await expect.poll(() => rows(mine).count()).toBe(2);
  });
});
