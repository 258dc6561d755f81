// The session timeline in real tabs of a real browser: who looks for a fault in it must see every tab, and may pass on what
// it shows.
import { readFile, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api, context, openProfile, openStranger, page, signIn, useDemo } from './use-demo.ts';

let folder: string;

useDemo();
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-timeline-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await openProfile({ viewport: { width: 1_280, height: 900 } });
  await signIn();
});

const panelOf = (tab: Page): Locator => tab.getByRole('region', { name: 'Session timeline' });
const laneOf = (tab: Page, name: string | RegExp): Locator => panelOf(tab).getByRole('group', { name, exact: true });

async function openTab(): Promise<Page> {
  const tab = await context.newPage();
  await tab.goto(api.url);
  await tab.getByText('Signed in as').waitFor();
  return tab;
}

/** A refused token and 20 requests at once. */
async function burst(): Promise<void> {
  await page.bringToFront();
  await page.getByRole('button', { name: 'Let it expire' }).click();
  await page.getByText('The page does not know yet').waitFor();
  await page.getByRole('button', { name: 'Fire 20 requests' }).click();
  await page.getByText(/^20 of 20 answered/u).waitFor();
}

const focusedName = (tab: Page): Promise<string | null> =>
  tab.evaluate(() => {
    let focused = document.activeElement;
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
    return focused?.getAttribute('aria-label') ?? null;
  });

async function exportRecording(tab: Page): Promise<string> {
  const [download] = await Promise.all([
    tab.waitForEvent('download'),
    panelOf(tab).getByRole('button', { name: 'Export' }).click(),
  ]);
  const file = path.join(folder, download.suggestedFilename());
  await download.saveAs(file);
  return file;
}

describe('the timeline', () => {
  it('has a lane for every tab: the one that refreshed, and the one that took it over, which was opened first', async () => {
    const other = await openTab();
    await burst();
    for (const tab of [page, other]) {
      const first = laneOf(tab, tab === page ? 'Tab 1, this tab' : 'Tab 1');
      await first
        .getByRole('button', { name: /^Refresh \d+, Tab 1.*the API had refused.*requests? waited/u })
        .waitFor();
      await first
        .getByRole('button', { name: /^\d+ requests? parked/u })
        .last()
        .waitFor();
      await first
        .getByRole('button', { name: /^\d+ requests? resent/u })
        .last()
        .waitFor();
      const second = laneOf(tab, tab === page ? 'Tab 2' : 'Tab 2, this tab');
      await second.getByRole('button', { name: /^Adopted, Tab 2/u }).waitFor();
      await second.getByText('sent no refresh').waitFor();
    }
    expect(await panelOf(page).locator('.links path').count()).toBe(1);
  });

  it('tells a tab that is opened later what the others have done', async () => {
    await burst();
    const late = await openTab();
    await laneOf(late, 'Tab 1')
      .getByRole('button', { name: /^\d+ requests? resent/u })
      .last()
      .waitFor();
  });

  it('is read and moved by the keyboard alone', async () => {
    await burst();
    // How long a machine waits for a lock is its own business.
    await panelOf(page).getByRole('button', { name: 'Waits' }).click();
    await laneOf(page, 'Tab 1, this tab')
      .getByRole('button', { name: /^\d+ requests? resent/u })
      .last()
      .focus();
    const last = await focusedName(page);
    await panelOf(page).getByText('Sent again with access token').waitFor();
    await page.keyboard.press('Home');
    // A first visit asks the server nothing: its timeline begins with the sign-in.
    expect(await focusedName(page)).toMatch(/^Signed in/u);
    await page.keyboard.press('ArrowRight');
    expect(await focusedName(page)).toMatch(/^Access token refused/u);
    await page.keyboard.press('End');
    expect(await focusedName(page)).toBe(last);
    const follow = panelOf(page).getByRole('button', { name: 'Follow' });
    await page.keyboard.press('+');
    expect(await follow.getAttribute('aria-pressed')).toBe('false');
    await page.keyboard.press('0');
    expect(await follow.getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('Tab');
    expect(await focusedName(page)).toBeNull();
  });

  it('shows less when asked to, and zooms to what a wheel points at', async () => {
    await burst();
    const refreshes = panelOf(page).getByRole('button', { name: /^Refresh \d/u });
    await panelOf(page).getByRole('button', { name: 'Refreshes' }).click();
    expect(await refreshes.count()).toBe(0);
    await panelOf(page).getByRole('button', { name: 'Refreshes' }).click();
    const refresh = refreshes.last();
    const widthOf = async (): Promise<number> => (await refresh.boundingBox())?.width ?? 0;
    const before = await widthOf();
    await refresh.hover();
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -240);
    await page.keyboard.up('Control');
    await expect.poll(widthOf).toBeGreaterThan(2 * before);
  });

  it('is exported without a secret, and shown again from the file, in a browser that was never there', async () => {
    await burst();
    const heard = await openTab();
    await heard.evaluate(() => {
      const messages: unknown[] = [];
      Object.assign(globalThis, { messages });
      new BroadcastChannel('holdfast-timeline-default').addEventListener('message', ({ data }) => messages.push(data));
    });
    await burst();
    const file = await exportRecording(page);
    const text = await readFile(file, 'utf8');
    const messages = await heard.evaluate(() =>
      JSON.stringify((globalThis as unknown as { messages: unknown }).messages),
    );
    const cookies = await context.cookies(api.url);
    for (const said of [text, messages]) {
      expect(said).toContain('refresh.succeeded');
      expect(said).not.toMatch(/hfrt_|eyJ|holdfast\.example/u);
      for (const { name, value } of cookies) {
        expect(said).not.toContain(value);
        expect(said).not.toContain(name);
      }
    }
    const stranger = await openStranger();
    await stranger.goto(api.url);
    await stranger.getByRole('button', { name: 'Fill in' }).click();
    await stranger.getByRole('button', { name: 'Sign in', exact: true }).click();
    await panelOf(stranger).getByRole('button', { name: 'Import' }).waitFor();
    const choose = panelOf(stranger).locator('input[type=file]');
    await choose.setInputFiles(file);
    await laneOf(stranger, 'Tab 1')
      .getByRole('button', { name: /^Refresh \d/u })
      .last()
      .waitFor();
    await panelOf(stranger).getByRole('button', { name: 'Back to this session' }).click();
    await laneOf(stranger, 'Tab 1, this tab').waitFor();
    const wrong = path.join(folder, 'wrong.json');
    await writeFile(wrong, '{"format":"har"}');
    await choose.setInputFiles(wrong);
    await panelOf(stranger).getByText('This file is no recording').waitFor();
    // It is still there after the panel was drawn again, which anything that happens in the session leads to.
    await panelOf(stranger).getByRole('button', { name: 'Show all' }).click();
    expect(await panelOf(stranger).getByText('This file is no recording').count()).toBe(1);
  });
});
