// The demo in real Chromium, against the real server on a real PostgreSQL: what a person at the keyboard gets.
import { demoUser } from '@holdfast/demo-api';
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { api, context, openProfile, page, signIn, useDemo } from './use-demo.ts';

/** Long enough to do something with a token, short enough to wait for its end. */
const lifetimeSeconds = 6;

/** Before every test a new browser profile with the demo's user signed in. */
function setUp(policy: Parameters<typeof useDemo>[0]): void {
  useDemo(policy);
  beforeEach(async () => {
    await openProfile();
    await signIn();
  });
}

const tokenRequests = (): number => api.requestCount('POST /token');

/** Fires the 20 requests of the page and waits until all of them are answered. */
async function fireAll(): Promise<void> {
  await page.getByRole('button', { name: 'Fire 20 requests' }).click();
}

const answered = (): ReturnType<Page['getByText']> => page.getByText(/^20 of 20 answered/u);

/** The `sid` of the page's session, as the server reported it last. */
function currentSid(): string {
  const event = api.events.findLast((each) => 'sid' in each && each.sid !== null);
  if (event === undefined || !('sid' in event) || event.sid === null) throw new Error('no session was reported');
  return event.sid;
}

describe('with an access token that lasts', () => {
  setUp({});

  it('a refused token: 20 requests at once cost one refresh, and all of them succeed', async () => {
    await page.getByRole('button', { name: 'Let it expire' }).click();
    await page.getByText('The page does not know yet').waitFor();
    const before = tokenRequests();
    await fireAll();
    await answered().waitFor();
    expect(tokenRequests() - before).toBe(1);
  });

  it('a reload: still signed in, and the sign-in page is never shown', async () => {
    await page.addInitScript(() => {
      new MutationObserver(() => {
        if (document.querySelector('form[aria-label="Sign in"]')) document.title = 'the sign-in page was shown';
      }).observe(document, { childList: true, subtree: true });
    });
    await page.reload();
    await page.getByText('Signed in as').waitFor();
    expect(await page.title()).not.toBe('the sign-in page was shown');
  });

  it('an injected script finds no refresh token and no key that leaves the browser; a bare form cannot refresh', async () => {
    const loot = await page.evaluate(async () => {
      const ask = <T>(request: IDBRequest<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          request.addEventListener('success', () => resolve(request.result));
          request.addEventListener('error', () => reject(new Error('IndexedDB refused')));
        });
      const [found] = await indexedDB.databases();
      const store = (await ask(indexedDB.open(found?.name ?? ''))).transaction('session').objectStore('session');
      const [key, record] = await Promise.all([
        ask(store.get('key') as IDBRequest<CryptoKey>),
        ask(store.get('record') as IDBRequest<{ data: unknown }>),
      ]);
      return {
        exported: await crypto.subtle.exportKey('raw', key).then(
          () => 'exported',
          (error: Error) => error.name,
        ),
        isSealed: record.data instanceof ArrayBuffer,
        clear: JSON.stringify([document.cookie, Object.entries(localStorage), Object.entries(sessionStorage), record]),
      };
    });
    expect(loot).toMatchObject({ exported: 'InvalidAccessError', isSealed: true });
    expect(loot.clear).not.toMatch(/hfrt_|eyJ/u);
    // The other one is the page's own: it names the session, and no token.
    const cookies = (await context.cookies(api.url)).filter(({ httpOnly }) => httpOnly);
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/' });
    expect(cookies[0]?.name).toMatch(/^__Host-holdfast-[0-9a-f]{8}-[0-9a-f]{12}$/u);
    const forged = await page.evaluate(async () => {
      const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'web' });
      return (await fetch('/token', { method: 'POST', body })).status;
    });
    expect(forged).toBe(403);
  });
});

describe('with an access token of a few seconds', () => {
  setUp({ accessTokenLifetimeSeconds: lifetimeSeconds, clockToleranceSeconds: 0 });

  it('a tunnel: the token expires while there is no network; 20 parked requests cost one refresh afterwards', async () => {
    await context.setOffline(true);
    const timeLeft = page.getByRole('timer', { name: 'Access token, time left' });
    await timeLeft.getByText(/^0:00$/u).waitFor({ timeout: 4 * lifetimeSeconds * 1_000 });
    await fireAll();
    const waiting = page.locator('.cells :is([data-state="parked"], [data-state="sent"])');
    await expect.poll(() => waiting.count()).toBe(20);
    const before = tokenRequests();
    await context.setOffline(false);
    await answered().waitFor();
    expect(tokenRequests() - before).toBe(1);
  });

  it('a reload after the token has expired: one refresh, still signed in', async () => {
    const { url } = api;
    await page.goto('about:blank');
    // Real time has to pass: the server's clock cannot be made to run faster.
    await new Promise((resolve) => setTimeout(resolve, (lifetimeSeconds + 1) * 1_000));
    const before = tokenRequests();
    await page.goto(url);
    await page.getByText('Signed in as').waitFor();
    await page.getByRole('heading', { name: 'Notes', exact: true }).waitFor();
    await expect.poll(tokenRequests).toBe(before + 1);
  });

  it('revoked on the server: the app asks to sign in again, does not loop, and goes on afterwards', async () => {
    await api.holdfast.sessions.revoke(currentSid(), 'admin');
    const dialog = page.getByRole('dialog', { name: 'Sign in to go on' });
    await dialog.waitFor({ timeout: 3 * lifetimeSeconds * 1_000 });
    const asked = tokenRequests();
    // A loop would show within a few back-offs; a second is longer than the first five of them.
    await page.waitForTimeout(1_500);
    expect(tokenRequests()).toBe(asked);
    await dialog.getByLabel('Password', { exact: true }).fill(demoUser.password);
    await dialog
      .getByRole('button', { name: /sign in/iu })
      .first()
      .click();
    await dialog.waitFor({ state: 'hidden' });
    await fireAll();
    await answered().waitFor();
  });
});
