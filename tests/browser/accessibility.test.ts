// Every screen of the demo under axe, in light and dark, and by keyboard alone: who cannot see it or cannot use a mouse
// would lose what these find.
import { demoUser } from '@holdfast/demo-api';
import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addAuthenticator } from './authenticator.ts';
import type { ProfileOptions } from './profiles.ts';
import { api, context, openProfile, page, useDemo } from './use-demo.ts';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

// An inactivity timeout within the client's warning: the page warns from the start.
useDemo({ inactivityTimeoutSeconds: 240 });

async function openPage(options: ProfileOptions): Promise<void> {
  await openProfile(options);
  // Not as an element, which the page's content security policy would rightly refuse.
  await context.addInitScript({ content: axe.source });
  await page.goto(api.url);
}

/** The violations that axe finds, as `rule: element` lines; empty is good. */
async function findViolations(on = page): Promise<readonly string[]> {
  const { violations } = await on.evaluate(
    async (values): Promise<AxeResults> =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({ runOnly: { type: 'tag', values } }),
    rules,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

const dialog = (): ReturnType<Page['getByRole']> => page.getByRole('dialog', { name: 'Sign in to go on' });
const pageIsThere = (): Promise<void> => page.getByRole('heading', { name: 'Notes', exact: true }).waitFor();

async function signIn(): Promise<void> {
  await page.getByRole('button', { name: 'Fill in' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await pageIsThere();
}

async function showSecurity(): Promise<void> {
  await page.getByRole('link', { name: 'Security' }).click();
  await page.getByRole('list', { name: 'Devices' }).waitFor();
}

/** Ends the session on the server and makes the page notice. */
async function loseSession(): Promise<void> {
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await dialog().waitFor();
}

describe.each(['light', 'dark'] as const)('every screen, %s', (colorScheme) => {
  beforeEach(() => openPage({ colorScheme }));

  it('the sign-in page, before and after a wrong password', async () => {
    await page.getByLabel('User name').fill(demoUser.username);
    expect(await findViolations()).toEqual([]);
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('That did not match').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the page of a user, quiet, with a note, with the warning, and with every kind of result', async () => {
    await signIn();
    await page.getByText('Your session is about to end.').waitFor();
    expect(await findViolations()).toEqual([]);
    const text = `Ask about the tide tables (${colorScheme})`;
    await page.getByLabel('New note').fill(text);
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'Notes', exact: true }).getByText(text).waitFor();
    await page.getByRole('button', { name: 'Let it expire' }).click();
    await page.getByText('The page does not know yet').waitFor();
    await page.getByRole('button', { name: 'Fire 20 requests' }).click();
    await page.getByText(/^20 of 20 answered/u).waitFor();
    await page.getByRole('button', { name: 'Revoke', exact: true }).click();
    await page.getByText('Nothing has changed here yet').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the page while its requests are parked', async () => {
    await signIn();
    await page.getByRole('button', { name: 'Let it expire' }).click();
    await page.getByText('The page does not know yet').waitFor();
    await page.route('**/token', (route) => route.abort());
    await page.getByLabel('New note').fill('Written in a tunnel');
    await page.keyboard.press('Enter');
    await page.getByText('1 request waits for the session').waitFor();
    await page.getByText('Server out of reach').first().waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the page without a network, and what a thief sees of it', async () => {
    await signIn();
    await page.getByRole('button', { name: 'Go offline' }).click();
    await page.getByLabel('New note').fill(`Written in a tunnel (${colorScheme})`);
    await page.keyboard.press('Enter');
    await page.getByText('Waiting for the network').waitFor();
    const timeline = page.getByRole('region', { name: 'Session timeline' });
    await timeline.getByRole('button', { name: /^Signed in/u }).focus();
    expect(await findViolations()).toEqual([]);
    await page.getByRole('button', { name: 'Come back' }).click();
    const opened = context.waitForEvent('page');
    await page.getByRole('button', { name: 'Steal it' }).click();
    await page.getByText('Copied.').waitFor();
    const thief = await opened;
    await thief.getByRole('button', { name: 'Use the copy on another machine' }).click();
    await thief.getByText('The thief is in, for now').waitFor();
    expect(await findViolations(thief)).toEqual([]);
  });

  it('the re-authentication sheet, before and after a wrong password, and the page after declining it', async () => {
    await signIn();
    await loseSession();
    expect(await findViolations()).toEqual([]);
    await dialog().getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('That did not match').waitFor();
    expect(await findViolations()).toEqual([]);
    await page.getByRole('button', { name: 'Sign out instead' }).click();
    await page.getByText('You are signed out').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the security page: without a passkey, with one, and while it is renamed or removed', async () => {
    await addAuthenticator(page);
    await signIn();
    await showSecurity();
    expect(await findViolations()).toEqual([]);
    const name = `Laptop (${colorScheme})`;
    await page.getByLabel('Name of the new passkey').fill(name);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Added. Next time').waitFor();
    await page.getByRole('button', { name: `Rename ${name}` }).click();
    expect(await findViolations()).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: `Remove ${name}` }).click();
    await page.getByText('It will sign nobody in').waitFor();
    await page.getByLabel('New password').fill('x');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByText('The password of the demo account cannot be changed.').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the security page while its lists are loading, and when they cannot be loaded', async () => {
    await signIn();
    const waiting: (() => void)[] = [];
    await page.route(/\/(?:sessions|passkeys)$/u, async (route) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await route.fulfill({ status: 500, body: 'no' });
    });
    await page.getByRole('link', { name: 'Security' }).click();
    await page.getByRole('status', { name: 'Devices are loading' }).waitFor();
    expect(await findViolations()).toEqual([]);
    await expect.poll(() => waiting.length).toBe(2);
    for (const answer of waiting) answer();
    await page.getByText('Devices could not be loaded').waitFor();
    await page.getByText('Passkeys could not be loaded').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the sheet that offers a passkey first, before and after it did not help', async () => {
    const authenticator = await addAuthenticator(page);
    await signIn();
    await showSecurity();
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Added. Next time').waitFor();
    await page.getByRole('link', { name: 'Notes' }).click();
    await loseSession();
    expect(await findViolations()).toEqual([]);
    await authenticator.setUserVerified(false);
    await page.getByRole('button', { name: 'Use your passkey' }).click();
    await page.getByText('No passkey was used').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the sheet that confirms who it is, before and after a wrong password', async () => {
    await signIn();
    await showSecurity();
    await page.route('**/password', (route) =>
      route.fulfill({
        status: 401,
        headers: { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age="300"' },
      }),
    );
    await page.getByLabel('New password').fill('another wagon of lanterns');
    await page.getByRole('button', { name: 'Change password' }).click();
    const sheet = page.getByRole('dialog', { name: 'Confirm it is you' });
    await sheet.waitFor();
    expect(await findViolations()).toEqual([]);
    await sheet.getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('That did not match').waitFor();
    expect(await findViolations()).toEqual([]);
  });

  it('the page that has stopped after an error of its own, from which a reload leads back', async () => {
    await signIn();
    await page.evaluate(() => {
      const broken = (): never => {
        throw new Error('broken for this test');
      };
      Object.assign(Date.prototype, { toLocaleTimeString: broken });
    });
    // The countdown renders the page again by itself.
    await page.getByRole('heading', { name: 'This page has stopped' }).waitFor();
    expect(await findViolations()).toEqual([]);
    await page.getByRole('button', { name: 'Reload the page' }).click();
    await pageIsThere();
  });

  it('the skeleton while the session is read', async () => {
    await page.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('blocked for this test', 'UnknownError');
      };
    });
    await page.reload();
    await page.getByText('Restoring your session').waitFor();
    expect(await findViolations()).toEqual([]);
  });
});

describe('by keyboard alone', () => {
  beforeEach(() => openPage({ viewport: { width: 1_280, height: 800 } }));

  it('signs in, and arrives at the page’s heading', async () => {
    await page.getByLabel('User name').waitFor();
    await page.keyboard.type(demoUser.username);
    await page.keyboard.press('Tab');
    await page.keyboard.type(demoUser.password);
    await page.keyboard.press('Enter');
    await pageIsThere();
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('H1');
  });

  it('the sheet takes the focus, keeps it, does not go by Escape, and gives the focus back', async () => {
    await signIn();
    await page.getByRole('button', { name: 'Revoke', exact: true }).click();
    await page.getByRole('button', { name: 'Refresh now' }).waitFor();
    await page.getByRole('button', { name: 'Renew now' }).focus();
    await page.keyboard.press('Enter');
    await dialog().waitFor();
    const focusedName = (): Promise<string | null> =>
      page.evaluate(() => document.activeElement?.getAttribute('name') ?? null);
    expect(await focusedName()).toBe('password');
    for (let presses = 0; presses < 8; presses++) {
      await page.keyboard.press('Tab');
      const isOutside = await page.evaluate(() => document.activeElement?.closest('main, .page-header') !== null);
      expect(isOutside).toBe(false);
    }
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    expect(await dialog().isVisible()).toBe(true);
    await dialog().getByLabel('Password', { exact: true }).focus();
    await page.keyboard.type(demoUser.password);
    await page.keyboard.press('Enter');
    await dialog().waitFor({ state: 'hidden' });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Renew now');
  });

  it('goes to another page and arrives at its heading; Back goes back', async () => {
    await signIn();
    await page.getByRole('link', { name: 'Security' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('your devices');
    expect(await page.title()).toBe('Security · Holdfast');
    await page.goBack();
    await pageIsThere();
    expect(await page.title()).toBe('Notes · Holdfast');
  });
});

describe('on the narrowest phone', () => {
  beforeEach(() => openPage({ viewport: { width: 360, height: 740 } }));

  it('nothing is wider than the screen', async () => {
    const width = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth);
    await page.getByLabel('User name').waitFor();
    expect(await width()).toBe(360);
    await signIn();
    await page
      .getByRole('region', { name: 'Session timeline' })
      .getByRole('button', { name: /^Signed in/u })
      .waitFor();
    await page.getByRole('button', { name: 'Go offline' }).click();
    await page.getByText('You are offline.').waitFor();
    expect(await width()).toBe(360);
    await page.getByRole('button', { name: 'Come back' }).click();
    await addAuthenticator(page);
    await showSecurity();
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Added. Next time').waitFor();
    await page
      .getByRole('button', { name: /^Rename /u })
      .first()
      .click();
    expect(await width()).toBe(360);
    await page.getByRole('link', { name: 'Notes' }).click();
    await loseSession();
    expect(await width()).toBe(360);
  });
});
