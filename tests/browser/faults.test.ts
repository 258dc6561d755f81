// "Make trouble" in the demo: each fault is a promise to the visitor who tries it. Kept when the session is still there afterwards,
// nothing written is lost, and a thief is thrown out.
import { demoUser } from '@holdfast/demo-api';
import type { Locator } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { api, context, openProfile, openStranger, page, signIn, useDemo } from './use-demo.ts';

useDemo();
beforeEach(async () => {
  await openProfile();
  await signIn();
});

const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true });
const drafts = (): Locator => page.getByRole('list', { name: 'Notes on their way' });
const notes = (): Locator => page.getByRole('list', { name: 'Notes', exact: true });
const refreshes = (name: RegExp): Locator =>
  page.getByRole('region', { name: 'Session timeline' }).getByRole('button', { name });

async function write(text: string): Promise<void> {
  await page.getByLabel('New note').fill(text);
  await page.keyboard.press('Enter');
}

/** True if a text stands out from the first colour behind it. */
const isLegible = (text: Locator): Promise<boolean> =>
  text.evaluate((element) => {
    const { color } = getComputedStyle(element);
    let behind: Element | null = element;
    const colourBehind = (): string => (behind ? getComputedStyle(behind).backgroundColor : 'rgb(255, 255, 255)');
    while (behind && colourBehind().endsWith(', 0)')) behind = behind.parentElement;
    return color !== colourBehind();
  });

describe('make trouble', () => {
  it('offline: notes wait, over a reload as well, and go through afterwards, each once', async () => {
    await button('Go offline').click();
    await page.getByText('You are offline.').waitFor();
    const panel = page.getByRole('region', { name: 'Session', exact: true });
    await panel.getByText('Offline', { exact: true }).waitFor();
    expect(await panel.getByText('The server has confirmed this session.').count()).toBe(0);
    await write('Written in a tunnel');
    await drafts().getByText('Waiting for the network').waitFor();
    await button('Come back').click();
    await notes().getByText('Written in a tunnel').waitFor();
    await button('Go offline').click();
    await write('Written before a reload');
    await drafts().getByText('Waiting for the network').waitFor();
    await page.reload();
    await notes().getByText('Written before a reload').waitFor();
    expect(await notes().getByText('Written before a reload').count()).toBe(1);
  });

  it('a server that is down: no user is signed out, and what was written arrives', async () => {
    await button('Take it down').click();
    await page.getByText('Down.').waitFor();
    await button('Renew now').click();
    await write('Written while it was down');
    await refreshes(/the server was in trouble/u)
      .first()
      .waitFor();
    // A state that says that all is well would be false, and a button that says nothing looks broken.
    await page.getByText('Server out of reach').first().waitFor();
    await page.getByText('Not renewed yet: the server is out of reach.').waitFor();
    await drafts()
      .getByText(/^Waiting for/u)
      .waitFor();
    await notes().getByText('Written while it was down').waitFor();
    await page.getByText('The server has confirmed this session.').waitFor();
  });

  it('a server that is down while the token lives: the panel says so after the first request that fails', async () => {
    const panel = page.getByRole('region', { name: 'Session', exact: true });
    await panel.getByText('The server has confirmed this session.').waitFor();
    await button('Take it down').click();
    await page.getByText('Down.').waitFor();
    await write('Written while nobody asked for a renewal');
    await panel.getByText('Server out of reach').waitFor();
    expect(await panel.getByText('The server has confirmed this session.').count()).toBe(0);
    await page.locator('.pill').getByText('Server out of reach').waitFor();
    await drafts().getByText('Waiting for the server').waitFor();
    await notes().getByText('Written while nobody asked for a renewal').waitFor();
    await panel.getByText('The server has confirmed this session.').waitFor();
  });

  it('a slow network: 20 requests are really at once, and each says how it stands without a colour', async () => {
    // The user's own colours in place of the page's.
    await page.emulateMedia({ forcedColors: 'active' });
    await button('Slow it down').click();
    await page.getByText('Slow.').waitFor();
    await button('Let it expire').click();
    await page.getByText('The page does not know yet').waitFor();
    const before = api.requestCount('GET /notes');
    await button('Fire 20 requests').click();
    const cells = page.getByRole('list', { name: 'The 20 requests' });
    for (const glyph of ['↑', '…', '↻']) {
      const cell = cells.getByText(glyph).first();
      await cell.waitFor();
      expect([glyph, await isLegible(cell)]).toEqual([glyph, true]);
    }
    // As many as Chromium has connections for were sent before the first one was answered: one after the other it would be one.
    expect(api.requestCount('GET /notes') - before).toBeGreaterThanOrEqual(6);
    await page.getByText(/^20 of 20 answered in/u).waitFor();
    expect(await cells.getByText('✓').count()).toBe(20);
    expect(await isLegible(cells.getByText('✓').first())).toBe(true);
  });

  it('a lost answer: the same refresh token is sent again, and accepted', async () => {
    const before = api.requestCount('POST /token');
    await button('Lose it').click();
    await page.getByText('Sent.').waitFor();
    await refreshes(/^Refresh \d+, .*Failed: the server could not be reached/u).waitFor();
    await expect.poll(() => api.requestCount('POST /token')).toBe(before + 2);
    await page.getByText('The server has confirmed this session.').waitFor();
  });

  it('a theft: a script finds nothing, a copied cookie is thrown out, and the owner goes on', async () => {
    await write('Buy rope');
    await notes().getByText('Buy rope').waitFor();
    const [thief] = await Promise.all([context.waitForEvent('page'), button('Steal it').click()]);
    await thief.getByText('refused: it cannot leave this browser').waitFor();
    expect(await thief.locator('.loot-row[data-tone=bad]').count()).toBe(0);
    const useCopy = async (words: string): Promise<void> => {
      await thief.getByRole('button', { name: /^Use /u }).click();
      await thief.getByRole('listitem').last().getByText(words).waitFor();
    };
    await useCopy('The thief is in, for now');
    const count = (): number => api.requestCount('POST /token');
    const before = count();
    await button('Renew now').click();
    await expect.poll(count).toBe(before + 1);
    await page.getByText('The server has confirmed this session.').waitFor();
    await useCopy('The thief is in, for now');
    await button('Renew now').click();
    const sheet = page.getByRole('dialog', { name: 'Sign in to go on' });
    await sheet.getByText('A copy of your session was used elsewhere').waitFor();
    await thief.getByRole('button', { name: 'Use it again' }).click();
    await thief.getByText('Caught: a second copy was used').waitFor();
    await sheet.getByLabel('Password', { exact: true }).fill(demoUser.password);
    await page.keyboard.press('Enter');
    await sheet.waitFor({ state: 'hidden' });
    await write('Change the locks');
    await notes().getByText('Change the locks').waitFor();
  });

  it('concerns the session that asked for it alone', async () => {
    const other = await openStranger();
    await other.goto(api.url);
    await other.getByRole('button', { name: 'Fill in' }).click();
    await other.getByRole('button', { name: 'Sign in', exact: true }).click();
    await other.getByText('Signed in as').waitFor();
    await button('Take it down').click();
    await page.getByText('Down.').waitFor();
    await other.getByLabel('New note').fill('Undisturbed');
    await other.keyboard.press('Enter');
    await other.getByRole('list', { name: 'Notes', exact: true }).getByText('Undisturbed').waitFor();
  });
});
