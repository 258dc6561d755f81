// Where no session can be, the server is asked nothing: a refused request is a red line in every visitor's console.
import { expect, it } from 'vitest';
import { pageUrl, signIn } from './tabs.ts';
import { context, emptyStorage, stage, useStage } from './use-stage.ts';

useStage();

const nobody = { status: 'signed-out', reason: 'never-signed-in' };

/** A page, and what its console has shown as an error. */
async function openWithConsole(url: string) {
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(url);
  return { page, errors };
}

it('a first visit: no token request, and no error in the console or the log', async () => {
  const { page, errors } = await openWithConsole(pageUrl(stage));
  expect(await page.evaluate(() => scene.auth.ready())).toEqual(nobody);
  expect(await page.evaluate(() => scene.observations)).toEqual([]);
  expect(stage.count('POST /token')).toBe(0);
  expect(errors).toEqual([]);
});

it('a visit after a sign-out and with emptied storage: nothing is asked', async () => {
  const { page } = await openWithConsole(pageUrl(stage));
  await signIn(page);
  await page.evaluate(() => scene.auth.signOut());
  await page.goto(`${stage.url}/healthz`);
  await emptyStorage(page);
  const asked = stage.count('POST /token');
  await page.goto(pageUrl(stage));
  expect(await page.evaluate(() => scene.auth.ready())).toEqual(nobody);
  expect(stage.count('POST /token')).toBe(asked);
});

it('a store by another name has no session until it signs in, and the first account stays signed in', async () => {
  const { page } = await openWithConsole(pageUrl(stage));
  await signIn(page);
  const second = await openWithConsole(pageUrl(stage, { name: 'account-2' }));
  expect(await second.page.evaluate(() => scene.auth.ready())).toEqual(nobody);
  await page.reload();
  expect(await page.evaluate(() => scene.auth.ready())).toMatchObject({ status: 'active' });
  expect(await page.evaluate(() => scene.write('mine'))).toBe(201);
});

it('the marker says which session there is, and nothing that a thief could use', async () => {
  const { page } = await openWithConsole(pageUrl(stage));
  await signIn(page);
  const cookie = await page.evaluate(() => document.cookie);
  const snapshot = await page.evaluate(() => scene.auth.getSnapshot());
  expect(snapshot.status === 'active' && cookie.endsWith(`=${snapshot.sid}`)).toBe(true);
  expect(cookie.split('; ')).toHaveLength(1);
});
