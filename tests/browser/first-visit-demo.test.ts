// A visitor who looks at the demo for the first time, with the console open: nothing has gone wrong, so nothing is red.
import { expect, it } from 'vitest';
import { addAuthenticator } from './authenticator.ts';
import { api, openProfile, page, useDemo } from './use-demo.ts';

useDemo();

it('the sign-in page offers passkeys, with no failed request and no error in the console', async () => {
  await openProfile();
  const authenticator = await addAuthenticator(page);
  await authenticator.setTouched(false);
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('requestfailed', (request) => errors.push(`${request.method()} ${request.url()} failed`));
  page.on('response', (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));
  const isOffered = page.waitForResponse(`${api.url}/authorize-challenge`);
  await page.goto(api.url);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  await (await isOffered).finished();
  // The user's next steps, once the first answers are there.
  await page.getByLabel('User name').fill('ada');
  await page.getByRole('button', { name: 'Show password' }).click();
  expect(errors).toEqual([]);
});
