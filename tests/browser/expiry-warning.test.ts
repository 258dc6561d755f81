// The warning that a session is about to end, in the demo: what a person sees who was away, and comes back in time.
import { expect, it } from 'vitest';
import { api, openProfile, page, signIn, useDemo } from './use-demo.ts';

const TIMEOUT_SECONDS = 240;

// An inactivity timeout within the client's warning: the page warns from the start.
useDemo({ inactivityTimeoutSeconds: TIMEOUT_SECONDS });

/** The countdown, in seconds. */
async function secondsLeft(): Promise<number> {
  const warning = page.getByRole('status').filter({ hasText: 'Your session is about to end.' });
  const text = (await warning.getByRole('timer').textContent()) ?? '';
  const [minutes = NaN, seconds = NaN] = text.split(':').map(Number);
  return minutes * 60 + seconds;
}

it('counts down, and by Extend the session lasts as long as at its beginning, with the page as it was', async () => {
  await openProfile();
  await signIn();
  await page.getByText('Your session is about to end.').waitFor();
  await page.getByLabel('New note').fill('half a thought');
  const first = await secondsLeft();
  expect(first).toBeLessThanOrEqual(TIMEOUT_SECONDS);
  await expect.poll(secondsLeft, { timeout: 20_000 }).toBeLessThanOrEqual(first - 3);
  const before = await secondsLeft();
  // More than a minute of it is over at the server: less than that it does not write down.
  await api.holdfast.database.query(
    "UPDATE holdfast.sessions SET idle_expires_at = idle_expires_at - interval '2 minutes'",
    [],
  );
  const refreshes = api.requestCount('POST /token');
  await page.getByRole('button', { name: 'Extend', exact: true }).click();
  await expect.poll(() => api.requestCount('POST /token')).toBe(refreshes + 1);
  // The server has heard that it was the user, and the countdown begins anew.
  await expect.poll(secondsLeft, { timeout: 5_000, interval: 100 }).toBeGreaterThan(before + 1);
  await page.getByText(/^Extended: the session now lasts until \d\d:\d\d:\d\d, if unused\.$/u).waitFor();
  await page.getByRole('button', { name: 'Extend', exact: true }).waitFor();
  expect(await page.getByLabel('New note').inputValue()).toBe('half a thought');
});
