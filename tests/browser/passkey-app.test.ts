// Passkeys in the demo, in real Chromium with a virtual authenticator behind it: what a person gets who uses one, who
// cannot, and who would rather not.
import type { Locator } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { signInNative } from '../native-session.ts';
import { addAuthenticator, switchOffAutofill, type Authenticator } from './authenticator.ts';
import { api, openProfile, page, useDemo } from './use-demo.ts';

let authenticator: Authenticator;
let users = 0;
let user: { readonly username: string; readonly password: string; readonly name: string };

useDemo();
beforeEach(async () => {
  users++;
  user = { username: `user-${users}@holdfast.example`, password: 'a wagon of quiet lanterns', name: `User ${users}` };
  await api.holdfast.users.create(user);
  await openProfile();
  authenticator = await addAuthenticator(page);
});

const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true });
const sheet = (name: string): Locator => page.getByRole('dialog', { name });
const signedIn = (): Promise<void> => page.getByText(`Signed in as ${user.name}`).waitFor();

async function signIn(path = '/security'): Promise<void> {
  await page.goto(api.url + path);
  await page.getByLabel('User name').fill(user.username);
  await page.getByLabel('Password', { exact: true }).fill(user.password);
  await button('Sign in').click();
  await signedIn();
}

async function addPasskey(name = 'My laptop'): Promise<void> {
  await page.getByLabel('Name of the new passkey').fill(name);
  await button('Add a passkey').click();
  await page.getByText('Added. Next time').waitFor();
  await button(`Rename ${name}`).waitFor();
}

/** The `sid` of the page's session, as the server reported it last. */
function currentSid(): string {
  const event = api.events.findLast((each) => 'sid' in each && each.sid !== null);
  if (event === undefined || !('sid' in event) || event.sid === null) throw new Error('no session was reported');
  return event.sid;
}

/** Ends the session behind the page's back, and lets the page find out by a request that is then parked. */
async function loseSession(): Promise<void> {
  await page.getByRole('link', { name: 'Notes' }).click();
  await button('Let it expire').click();
  await page.getByText('The page does not know yet').waitFor();
  await api.holdfast.sessions.revoke(currentSid(), 'admin');
  await page.getByLabel('New note').fill('Buy rope');
  await page.keyboard.press('Enter');
  await sheet('Sign in to go on').getByText('1 request is parked').waitFor();
}

const noteIsThere = (): Promise<void> =>
  page.getByRole('list', { name: 'Notes', exact: true }).getByText('Buy rope').waitFor();

describe('a passkey in the app', () => {
  it('is added, and signs its user in again by the button, without a name being typed', async () => {
    await switchOffAutofill(page);
    await signIn();
    await addPasskey();
    expect(await authenticator.countPasskeys()).toBe(1);
    await button('Sign out').click();
    await button('Sign in with a passkey').click();
    await signedIn();
    await page.getByText(/^Signed in .* by passkey$/u).waitFor();
  });

  it('that does not recognise its user at sign-in: the page says so, and the password still helps', async () => {
    await switchOffAutofill(page);
    await signIn();
    await addPasskey();
    await button('Sign out').click();
    await authenticator.setUserVerified(false);
    await button('Sign in with a passkey').click();
    await page.getByRole('alert').getByText('No passkey was used').waitFor();
    await page.getByText('Try again, or use your password.').waitFor();
    await page.getByLabel('User name').fill(user.username);
    await page.getByLabel('Password', { exact: true }).fill(user.password);
    await button('Sign in').click();
    await page.getByText(/^Signed in .* by password$/u).waitFor();
  });

  it('that the user does not touch: the page says that it waits, keeps what is parked, and lets its user go', async () => {
    await switchOffAutofill(page);
    await signIn();
    await addPasskey();
    await loseSession();
    await authenticator.setTouched(false);
    await button('Use your passkey').click();
    await button('Waiting for your passkey …').waitFor();
    await sheet('Sign in to go on').getByText('1 request is parked').waitFor();
    await button('Sign out instead').click();
    await page.getByText('You are signed out').waitFor();
    await button('Sign in with a passkey').waitFor();
  });

  it('signs in by the autofill of the user name', async () => {
    await signIn();
    await addPasskey();
    await button('Sign out').click();
    // The authenticator picks what is offered: nothing is pressed.
    await page.getByText(/^Signed in .* by passkey$/u).waitFor();
  });

  it('is renamed, and removed with the password left to sign in with', async () => {
    await signIn();
    await addPasskey();
    await button('Rename My laptop').click();
    await page.getByLabel('New name of My laptop').fill('Desk');
    await page.keyboard.press('Enter');
    await button('Remove Desk').click();
    await button('Remove it').click();
    await page.getByText('No passkey yet.').waitFor();
    await expect.poll(() => authenticator.countPasskeys()).toBe(0);
    await page.reload();
    await page.getByText('No passkey yet.').waitFor();
  });

  it('is not removed when it is the only way to sign in, and the page says so', async () => {
    await signIn();
    await addPasskey();
    const { accessToken } = await signInNative(api.url, user);
    const headers = { authorization: `Bearer ${accessToken}` };
    expect((await fetch(`${api.url}/password`, { method: 'DELETE', headers })).status).toBe(204);
    await button('Remove My laptop').click();
    await button('Remove it').click();
    await page.getByText('This is your only way to sign in.').waitFor();
    await button('Keep it').click();
    await button('Remove My laptop').waitFor();
  });

  it('is not added twice to one device, nor by a user who is not recognised, and the page says why', async () => {
    await signIn();
    await authenticator.setUserVerified(false);
    await button('Add a passkey').click();
    await page.getByText('No passkey was made').waitFor();
    await authenticator.setUserVerified(true);
    await addPasskey();
    await button('Add a passkey').click();
    await page.getByText('This device has a passkey of yours already.').waitFor();
  });
});

describe('a session that was ended on the server', () => {
  it('goes on by one touch of the passkey, and the request that was parked arrives', async () => {
    await signIn();
    await addPasskey();
    await loseSession();
    await button('Use your passkey').click();
    await sheet('Sign in to go on').waitFor({ state: 'hidden' });
    await noteIsThere();
  });

  it('goes on by password when the passkey does not recognise its user, and the page says that it did not', async () => {
    await signIn();
    await addPasskey();
    await loseSession();
    await authenticator.setUserVerified(false);
    await button('Use your passkey').click();
    const dialog = sheet('Sign in to go on');
    await dialog.getByText('No passkey was used').waitFor();
    await dialog.getByLabel('Password', { exact: true }).fill(user.password);
    await button('Sign in and go on').click();
    await dialog.waitFor({ state: 'hidden' });
    await noteIsThere();
  });

  it('with a passkey that the server does not know any more: it is told, and the password helps', async () => {
    await signIn();
    await addPasskey();
    const { accessToken } = await signInNative(api.url, user);
    const headers = { authorization: `Bearer ${accessToken}` };
    const { passkeys } = (await (await fetch(`${api.url}/passkeys`, { headers })).json()) as {
      readonly passkeys: readonly { readonly id: string }[];
    };
    await fetch(`${api.url}/passkeys/${passkeys[0]?.id ?? ''}`, { method: 'DELETE', headers });
    await page.reload();
    await signedIn();
    await page.getByRole('link', { name: 'Notes' }).click();
    await button('Revoke').click();
    await button('Refresh now').click();
    await button('Use your passkey').click();
    await page.getByText('The passkey was not accepted').waitFor();
    // The browser was told, and does not offer it again.
    await expect.poll(() => authenticator.countPasskeys()).toBe(0);
    await sheet('Sign in to go on').getByLabel('Password', { exact: true }).fill(user.password);
    await button('Sign in and go on').click();
    await sheet('Sign in to go on').waitFor({ state: 'hidden' });
  });

  it('without any passkey: the password comes first, and who wants neither is signed out', async () => {
    await signIn('/');
    await loseSession();
    await page.getByText('This browser has not used a passkey of yours yet.').waitFor();
    await button('Use a passkey').click();
    await page.getByText('No passkey was used').waitFor();
    await button('Sign out instead').click();
    await page.getByText('You are signed out').waitFor();
  });
});

describe('a change that needs a recent sign-in', () => {
  /** Makes the session one of long ago, and the page hold a token that says so. */
  async function growOld(): Promise<void> {
    const { rowCount } = await api.holdfast.database.query(
      "UPDATE holdfast.sessions SET auth_time = auth_time - interval '1 day' WHERE id = $1",
      [currentSid()],
    );
    expect(rowCount).toBe(1);
    const before = api.requestCount('POST /token');
    await page.getByRole('link', { name: 'Notes' }).click();
    await button('Renew now').click();
    await expect.poll(() => api.requestCount('POST /token')).toBe(before + 1);
    await page.getByText('The server has confirmed this session.').waitFor();
    await page.getByRole('link', { name: 'Security' }).click();
  }

  it('asks to confirm, goes on by itself after the passkey, and the page stays as it was', async () => {
    await signIn();
    await addPasskey();
    await growOld();
    await page.getByLabel('New password').fill('another wagon of lanterns');
    await button('Change password').click();
    await sheet('Confirm it is you').waitFor();
    await button('Use your passkey').click();
    await page.getByText('Changed.').waitFor();
    await sheet('Confirm it is you').waitFor({ state: 'hidden' });
    await expect(signInNative(api.url, user)).rejects.toThrow('answered 400');
  });

  it('is given up on Cancel and on Escape: nothing changes, the user stays signed in, the page can be used', async () => {
    await signIn();
    await growOld();
    for (const cancel of [() => button('Cancel').click(), () => page.keyboard.press('Escape')]) {
      await page.getByLabel('New password').fill('another wagon of lanterns');
      await button('Change password').click();
      await sheet('Confirm it is you').waitFor();
      await cancel();
      await page.getByText('you did not confirm that it is you').waitFor();
      await sheet('Confirm it is you').waitFor({ state: 'hidden' });
    }
    await page.getByRole('link', { name: 'Notes' }).click();
    await page.getByLabel('New note').fill('Buy rope');
    await page.keyboard.press('Enter');
    await noteIsThere();
    await signInNative(api.url, user);
  });
});
