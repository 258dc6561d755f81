// The pages of examples/ in real Chromium, built and served by the commands that examples/README.md prints.
import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, it, type TestContext } from 'vitest';
import {
  ada,
  buildPackages,
  buildPage,
  startExampleServer,
  type Environment,
  type Example,
} from '../example-process.ts';
import { createTestDatabase } from '../test-database.ts';
import { addAuthenticator } from './authenticator.ts';
import { launchProfiles, type Profiles } from './profiles.ts';

type Server = Example & { readonly url: string };

let profiles: Profiles;

beforeAll(async () => {
  [profiles] = await Promise.all([launchProfiles(), buildPackages()]);
});
afterAll(() => profiles?.end());

/** Serves the page of an example on a database of its own until the end of the test, and opens the page. */
async function open(
  { expect, onTestFinished }: TestContext,
  example: string,
  environment: Environment = {},
): Promise<{ page: Page; server: Server }> {
  await buildPage(example);
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const server = await startExampleServer(`node examples/server.js examples/${example}/dist`, {
    DATABASE_URL: database.databaseUrl,
    ...environment,
  });
  onTestFinished(async () => expect(await server.stop()).toBe(0));
  const profile = await profiles.open({ reducedMotion: 'reduce' });
  onTestFinished(() => profiles.close(profile));
  await profile.addInitScript({ content: axe.source });
  const page = await profile.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(server.url);
  return { page, server };
}

/** Signs in by password, on the page or in its dialog. */
async function signIn(on: Page, button = 'Sign in', password = ada.password): Promise<void> {
  const form = on.locator('form').filter({ has: on.getByRole('button', { name: button, exact: true }) });
  await form.getByLabel('User name').fill(ada.username);
  await form.getByLabel('Password').fill(password);
  await form.getByRole('button', { name: button, exact: true }).click();
}

/** The violations that axe finds in light and dark, and whether anything is wider than the narrowest phone. */
async function findViolations(page: Page): Promise<readonly string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate((): Promise<AxeResults> =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({
        runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
      }),
    );
    found.push(...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${colorScheme} ${id}: ${html}`)));
  }
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  return width > 360 ? [...found, `${width} pixels wide`] : found;
}

it.concurrent('fetch: one refresh for two tabs, a reload keeps the session, a sign-out ends it in both', async (test) => {
  const { expect } = test;
  // The token is refreshed after 12 s, and again 12 s later.
  const { page, server } = await open(test, 'fetch', { ACCESS_TOKEN_SECONDS: '18' });
  await page.getByLabel('User name').waitFor();
  expect(await findViolations(page)).toEqual([]);
  await signIn(page, 'Sign in', 'not the password');
  await page.getByText('User name or password is wrong.').waitFor();
  await signIn(page);
  await page.getByText('Signed in as Ada').waitFor();
  const other = await page.context().newPage();
  await other.goto(server.url);
  await other.getByText('Signed in as Ada').waitFor();
  expect(server.count('refresh answered')).toBe(0);
  await server.printed(/^refresh answered/mu);
  // Both tabs go on with the token of the one refresh.
  for (const tab of [page, other]) await tab.getByText(/^expires in 1[3-8] s$/u).waitFor();
  await page.getByRole('button', { name: 'Call the API five times' }).click();
  await page.getByText('the API answered 200, 200, 200, 200, 200').waitFor();
  expect(server.count('refresh answered')).toBe(1);
  expect(await findViolations(page)).toEqual([]);
  await page.reload();
  await page.getByText('Signed in as Ada').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  for (const tab of [page, other]) await tab.getByLabel('User name').waitFor();
  await server.printed(/^session ended: signed_out$/mu);
});

it.concurrent('passkey: is added after a sign-in by password, and then signs in alone', async (test) => {
  const { expect } = test;
  const { page } = await open(test, 'passkey');
  const authenticator = await addAuthenticator(page);
  await signIn(page);
  await page.getByText('Signed in as Ada by password').waitFor();
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('Added the passkey “My device”.').waitFor();
  expect(await authenticator.countPasskeys()).toBe(1);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('This device has a passkey of yours already.').waitFor();
  expect(await findViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  expect(await findViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByText('Signed in as Ada by passkey').waitFor();
  await page.reload();
  await page.getByText('Signed in as Ada by passkey').waitFor();
});

it.concurrent('react: warns before the session ends, extends it, and keeps the page while the user signs in again', async (test) => {
  const { expect } = test;
  const { page, server } = await open(test, 'react', { SESSION_SECONDS: '30', ACCESS_TOKEN_SECONDS: '15' });
  await signIn(page, 'Sign in', 'not the password');
  await page.getByText('User name or password is wrong.').waitFor();
  await signIn(page);
  await page.getByText('Signed in as Ada').waitFor();
  await page.getByText('Your session ends soon.').waitFor();
  expect(await findViolations(page)).toEqual([]);
  await page.getByLabel('A note').fill('Buy rope');
  const refreshes = server.count('refresh answered');
  await page.getByRole('button', { name: 'Stay signed in' }).click();
  await expect.poll(() => server.count('refresh answered')).toBeGreaterThan(refreshes);
  // The page is left alone until the session has ended.
  const dialog = page.getByRole('dialog', { name: 'Sign in to go on' });
  await dialog.waitFor({ timeout: 60_000 });
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  expect(await findViolations(page)).toEqual([]);
  await signIn(page, 'Go on');
  await dialog.waitFor({ state: 'hidden' });
  expect(await page.getByLabel('A note').inputValue()).toBe('Buy rope');
  await page.reload();
  await page.getByText('Signed in as Ada').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
}, 120_000);
