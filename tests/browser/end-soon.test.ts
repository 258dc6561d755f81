// The fault "Session ends soon" of the demo: the warning comes within seconds, and “Extend” keeps the session and says so.
import { expect, it } from 'vitest';
import { api, openProfile, page, signIn, useDemo } from './use-demo.ts';

useDemo();

const button = (name: string): ReturnType<typeof page.getByRole> => page.getByRole('button', { name, exact: true });

it('a session that ends soon warns at once, and by “Extend” it lasts for days again', async () => {
  await openProfile();
  await signIn();
  const warning = page.getByText('Your session is about to end.');
  expect(await warning.count()).toBe(0);
  await button('End it soon').click();
  await warning.waitFor();
  await page.getByText('It ends soon.').waitFor();
  // The user sees it without scrolling, wherever the button was.
  expect(await warning.evaluate((element) => element.getBoundingClientRect().top)).toBeGreaterThanOrEqual(0);
  expect(await page.getByRole('timer', { name: 'Time left', exact: true }).textContent()).toMatch(/^1:[0-3]\d$/u);
  const extensions = api.requestCount('POST /token');
  await button('Extend').click();
  await page.getByText(/^Extended: the session now lasts until \d+ \w+, \d\d:\d\d, if unused\.$/u).waitFor();
  await warning.waitFor({ state: 'hidden' });
  expect(api.requestCount('POST /token')).toBe(extensions + 1);
  expect(await page.getByText('It ends soon.').count()).toBe(0);
});

it('“Extend” without a server says that it has not happened yet, and then that it has', async () => {
  await openProfile();
  await signIn();
  await button('End it soon').click();
  await page.getByText('Your session is about to end.').waitFor();
  await page.route('**/token', (route) => route.abort());
  await button('Extend').click();
  await page.getByText('Not extended yet: the server is out of reach. It is tried again.').waitFor();
  await page.unroute('**/token');
  await page.getByText(/^Extended: the session now lasts until/u).waitFor();
});
