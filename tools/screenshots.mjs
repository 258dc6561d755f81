// @ts-check
// `npm run screenshots`: takes the README's pictures of the demo: the real app on a real PostgreSQL in a real Chromium.
// Needs DATABASE_URL, or takes PostgreSQL from npm like the demo.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';
import { provideChromium } from './chromium.mjs';
import { setup } from './setup.mjs';
import { CommandError, reportFailure, root, step } from './steps.mjs';

/** @typedef {import('playwright-core').Browser} Browser @typedef {import('playwright-core').Page} Page */

const folder = path.join(root, 'docs', 'images');
const dataFolder = path.join(root, 'node_modules', '.cache', 'holdfast', 'screenshots');

const desktop = { width: 1_120, height: 760 };
const phone = { width: 375, height: 720 };

/** As a page of an app that is in use. */
const notes = ['Ask about the tide tables', 'Rope for the second anchor', 'Call the harbour before eight'];

/** @param {Page} page @param {string} name */
const shoot = (page, name) => page.screenshot({ path: path.join(folder, name) });

/** @param {Page} page @param {string} url */
async function signIn(page, url) {
  await page.goto(url);
  await page.getByRole('button', { name: 'Fill in' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Signed in as').waitFor();
}

/** @param {Page} page @param {string} text */
async function write(page, text) {
  await page.getByLabel('New note').fill(text);
  await page.keyboard.press('Enter');
}

/** A refused access token and twenty requests: one refresh. @param {Page} page */
async function burst(page) {
  await page.getByRole('button', { name: 'Let it expire' }).click();
  await page.getByText('The page does not know yet').waitFor();
  await page.getByRole('button', { name: 'Fire 20 requests' }).click();
  await page.getByText(/^20 of 20 answered/u).waitFor();
}

/** Ends the session while a note waits. @param {Page} page */
async function loseSession(page) {
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByText('Nothing has changed here yet').waitFor();
  await page.getByRole('button', { name: 'Let it expire' }).click();
  await page.getByText('The page does not know yet').waitFor();
  await write(page, 'Written at the worst moment');
  await page.getByRole('dialog').getByText('1 request is parked').waitFor();
}

/**
 * @param {Browser} browser @param {'light' | 'dark'} colorScheme @param {{ width: number, height: number }} viewport
 */
async function openPage(browser, colorScheme, viewport) {
  const context = await browser.newContext({ colorScheme, viewport, reducedMotion: 'reduce', locale: 'en-GB' });
  return context.newPage();
}

/** The page, and its timeline with three tabs. @param {Browser} browser @param {string} url @param {'light' | 'dark'} scheme */
async function shootDesktop(browser, url, scheme) {
  const page = await openPage(browser, scheme, desktop);
  await signIn(page, url);
  if (scheme === 'light') for (const note of notes) await write(page, note);
  for (const _ of [1, 2]) {
    const tab = await page.context().newPage();
    await tab.goto(url);
    await tab.getByText('Signed in as').waitFor();
  }
  await page.bringToFront();
  await burst(page);
  await page.getByRole('button', { name: 'Lose it' }).click();
  await page.getByText('Sent.').waitFor();
  const timeline = page.getByRole('region', { name: 'Session timeline' });
  await timeline.getByRole('button', { name: /^Refresh \d+, .*could not be reached/u }).waitFor();
  await page.getByText('The server has confirmed this session.').waitFor();
  await page.evaluate('scrollTo(0, 0)');
  await shoot(page, `notes-${scheme}.png`);
  await timeline.scrollIntoViewIfNeeded();
  await timeline.getByRole('button', { name: /^Refresh \d+, .*requests waited/u }).focus();
  await timeline.screenshot({ path: path.join(folder, `timeline-${scheme}.png`) });
  await page.context().close();
}

/** The thief's page after a theft. @param {Browser} browser @param {string} url */
async function shootThief(browser, url) {
  const page = await openPage(browser, 'light', desktop);
  await signIn(page, url);
  const opened = page.context().waitForEvent('page');
  await page.getByRole('button', { name: 'Steal it' }).click();
  const thief = await opened;
  for (const turn of [1, 2]) {
    await thief.getByRole('button', { name: /^Use /u }).click();
    await thief
      .getByRole('listitem')
      .nth(turn - 1)
      .waitFor();
    await page.getByRole('button', { name: 'Renew now' }).click();
    await page.waitForTimeout(1_000);
  }
  await thief.getByRole('button', { name: /^Use /u }).click();
  await thief.getByText('Caught').waitFor();
  await thief.locator('main').screenshot({ path: path.join(folder, 'thief-light.png') });
  await page.context().close();
}

/** The sheet over the page that waits, on a phone. @param {Browser} browser @param {string} url */
async function shootPhone(browser, url) {
  const page = await openPage(browser, 'dark', phone);
  await signIn(page, url);
  await page.getByText(notes[0] ?? '').waitFor();
  await shoot(page, 'phone-notes-dark.png');
  await loseSession(page);
  await shoot(page, 'phone-sheet-dark.png');
  await page.context().close();
}

async function takeScreenshots() {
  await setup();
  const found = await provideChromium();
  if (!('path' in found)) throw new CommandError(found.missing);
  // Variables, because the compiled packages are not there before setup has run.
  const [serverPackage, api] = ['@holdfast/server', new URL('../apps/api/dist/api.js', import.meta.url).href];
  const { startEmbeddedPostgres } = await import(serverPackage);
  const { createDemoApi } = await import(api);
  fs.rmSync(dataFolder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const postgres = process.env['DATABASE_URL']
    ? { databaseUrl: process.env['DATABASE_URL'], stop: async () => {} }
    : await startEmbeddedPostgres({ dataDirectory: path.join(dataFolder, 'postgres') });
  const { databaseUrl } = postgres;
  const demo = await createDemoApi({ databaseUrl, secret: 'a secret for pictures that is long enough', demo: true });
  const browser = await chromium.launch({ executablePath: found.path, args: ['--no-sandbox', '--disable-quic'] });
  try {
    for (const scheme of /** @type {const} */ (['light', 'dark']))
      await step(`Pictures of the page, ${scheme}`, () => shootDesktop(browser, demo.url, scheme));
    await step('Pictures of a theft', () => shootThief(browser, demo.url));
    await step('Pictures on a phone', () => shootPhone(browser, demo.url));
  } finally {
    await browser.close();
    await demo.close();
    await postgres.stop();
    fs.rmSync(dataFolder, { recursive: true, force: true });
  }
}

await takeScreenshots().catch(reportFailure);
