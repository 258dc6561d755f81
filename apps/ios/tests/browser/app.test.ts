import { mkdirSync } from 'node:fs';
import path from 'node:path';
import axe, { type AxeResults } from 'axe-core';
import { chromium, type Browser, type BrowserContext, type CDPSession, type Locator, type Page } from 'playwright-core';

// The same app in Chromium, at the size of a phone: what it looks like, and what becomes of a session in the hands of somebody who
// puts the phone away, comes back, and is asked who they are.

const serverUrl = process.env.EXPO_PUBLIC_HOLDFAST_SERVER ?? '';
const pictures = path.join(__dirname, '../../dist/screenshots');
const args = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--no-first-run'];

let browser: Browser;
let context: BrowserContext;
let page: Page;
let devtools: CDPSession;
let authenticatorId: string;
let scheme: 'light' | 'dark' = 'light';

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args });
});

afterAll(() => browser.close());

async function openPhone(): Promise<void> {
  context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
    colorScheme: scheme,
    reducedMotion: 'reduce',
  });
  page = await context.newPage();
  page.setDefaultTimeout(20_000);
  devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  } as const;
  ({ authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options }));
}

afterEach(() => context.close());

const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true });
const tab = (name: string): Promise<void> => page.getByRole('tab', { name }).click();
const see = (text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();
const picture = (name: string): Promise<unknown> =>
  page.screenshot({ path: path.join(pictures, `${scheme}-${name}.png`) });

async function signIn(url = serverUrl): Promise<void> {
  await page.goto(url);
  await button('Sign in with the demo account').click();
  await see('Signed in as Demo User');
}

/** The page is not looked at, or is again. */
async function setVisible(isVisible: boolean): Promise<void> {
  await page.evaluate(
    (state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      document.dispatchEvent(new Event('visibilitychange'));
    },
    isVisible ? 'visible' : 'hidden',
  );
}

const setFace = (isUserVerified: boolean): Promise<unknown> =>
  devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Nothing is cut off at the width of the phone, and nobody is shut out by what axe can find. */
async function expectGoodScreen(): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults, readonly string[]>(
    (runOnly) => (globalThis as unknown as { readonly axe: typeof axe }).axe.run({ runOnly: [...runOnly] }),
    rules,
  );
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`),
  ).toEqual([]);
}

describe('put away and taken up again', () => {
  it('an access token that expired meanwhile is renewed, and what the user does next goes through', async () => {
    await openPhone();
    await page.clock.install();
    await signIn();
    const refreshes: string[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/token')) refreshes.push(request.postData() ?? '');
    });
    await setVisible(false);
    await page.clock.fastForward('20:00');
    await setVisible(true);
    await tab('Session');
    await see('Active');
    await tab('Notes');
    await page.getByLabel('New note').fill('After the nap');
    await button('Add').click();
    await see('After the nap');
    expect(refreshes).toHaveLength(1);
    expect(refreshes[0]).toContain('grant_type=refresh_token');
  });
});

describe('a session that the server has ended', () => {
  it('Face ID does not recognise, the password does; then Face ID does; then the user signs out', async () => {
    await openPhone();
    await signIn();
    await tab('Security');
    await button('Add a passkey').click();
    await see('Added. Next time, sign in with it.');
    await picture('security');

    await tab('Session');
    await button('Revoke').click();
    await button('Refresh now').click();
    await see('Sign in to go on');
    await picture('sheet-face-id');
    await setFace(false);
    await button('Use Face ID or passkey').click();
    await see('No passkey was used');
    await picture('sheet-password');
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery staple');
    await button('Sign in and go on').click();
    await page.getByText('Sign in to go on').waitFor({ state: 'hidden' });

    await button('Revoke').click();
    await button('Refresh now').click();
    await see('Sign in to go on');
    await setFace(true);
    await button('Use Face ID or passkey').click();
    await page.getByText('Sign in to go on').waitFor({ state: 'hidden' });
    await tab('Security');
    await see(/by passkey/u);

    await tab('Session');
    await button('Revoke').click();
    await button('Refresh now').click();
    await button('Sign out instead').click();
    await see('You are signed out');
    await picture('signed-out');
  });
});

describe('a session that is about to end', () => {
  it('says so, aloud and with the time that is left, and is extended by a press', async () => {
    await openPhone();
    await signIn(process.env['HOLDFAST_SHORT_SERVER']);
    await see('Your session is about to end');
    expect(await page.getByRole('status').filter({ hasText: 'Your session is about to end' }).count()).toBe(1);
    await picture('expiry-warning');
    const left = (): Promise<string | null> => page.getByLabel(/^Time left: 3:\d\d$/u).textContent();
    const before = await left();
    const extended = page.waitForResponse((response) => response.url().endsWith('/token'));
    await button('Extend').click();
    expect((await extended).status()).toBe(200);
    await see(/^Extended: the session now lasts until \d\d:\d\d/u);
    expect(before).toMatch(/^3:\d\d$/u);
    await expectGoodScreen();
  });
});

describe.each(['light', 'dark'] as const)('every screen, %s', (colors) => {
  it('fits the phone', async () => {
    scheme = colors;
    await openPhone();
    await page.goto(serverUrl);
    await see('Sessions that hold.');
    await picture('sign-in');
    await expectGoodScreen();
    await page.getByLabel('User name').fill('demo@holdfast.example');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await button('Sign in').click();
    await see('That did not match');
    await picture('sign-in-wrong');
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery staple');
    await button('Sign in').click();
    await see('Signed in as Demo User');
    await page.getByLabel('New note').fill(`Rope, ${colors}`);
    await button('Add').click();
    await see(`Rope, ${colors}`);
    await picture('notes');
    await expectGoodScreen();
    await tab('Session');
    await button('Let it expire').click();
    await see(/^Done\. The app does not know yet/u);
    await button('Fire 20 requests').click();
    await see(/^20 of 20 answered/u);
    await picture('trials');
    await page.getByText('Every step of the session').scrollIntoViewIfNeeded();
    await picture('event-log');
    await tab('Notes');
    await tab('Session');
    await picture('session');
    await expectGoodScreen();
    await tab('Security');
    await see('This device');
    await picture('devices');
    await expectGoodScreen();
  });
});
