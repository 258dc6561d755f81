// The server's cookies in real Chromium: a page that posts by fetch, with nothing of ours in it. However often a user
// authenticates, the browser keeps few cookies; one that has many dead ones works, and loses them.
import { createHash } from 'node:crypto';
import { demoUser } from '@holdfast/demo-api';
import { beforeEach, describe, expect, it } from 'vitest';
import { mintDeadCookie } from '../../server/src/testing/browser.ts';
import { api, context, openProfile, page, useDemo } from './use-demo.ts';

const secret = 'a secret for tests that is long enough';
const attempts = { passwordAttemptsPerAccount: 1_000, passwordAttemptsPerAddress: 1_000, signInBurstPerAccount: 1_000 };

useDemo({ ...attempts, requestsPerSecond: 0 });

/** An answer of the server, as the page gets it. */
type Got = { readonly status: number; readonly body: { readonly sid?: string; readonly reason?: string } };

const post = (path: string, form: Readonly<Record<string, string>>): Promise<Got> =>
  page.evaluate(
    async ([url, fields]) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'holdfast-request': '1' },
        body: new URLSearchParams({ client_id: 'web', ...fields }),
      });
      return { status: response.status, body: (await response.json()) as Got['body'] };
    },
    [path, form] as const,
  );

const verifier = 'a-verifier-of-at-least-43-characters-for-tests-alone';

/** Authenticates and exchanges the code, as a page whose storage holds these. @returns the new session */
async function signIn(form: Readonly<Record<string, string>>): Promise<string> {
  const challenge = await post('/authorize-challenge', {
    username: demoUser.username,
    password: demoUser.password,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const { authorization_code: code = '' } = challenge.body as { authorization_code?: string };
  const { status, body } = await post('/token', {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    ...form,
  });
  expect(status).toBe(200);
  return body.sid ?? '';
}

const ours = async (): Promise<number> =>
  (await context.cookies(api.url)).filter(({ name }) => name.startsWith('__Host-holdfast-')).length;

beforeEach(async () => {
  await openProfile();
  await page.goto(`${api.url}/healthz`);
});

describe('a hundred authentications', () => {
  it('in one tab: at most two cookies, and the sign-out leaves none', { timeout: 240_000 }, async () => {
    const device = { device_secret: 'd'.repeat(43) };
    let sid = await signIn(device);
    let most = 0;
    for (let time = 0; time < 100; time++) {
      const used = time % 10 === 9 ? await post('/token', { grant_type: 'refresh_token', sid }) : null;
      expect(used?.status ?? 200).toBe(200);
      sid = await signIn({ ...device, replaces: sid });
      most = Math.max(most, await ours());
    }
    expect(most).toBe(2);
    expect(await post('/revoke', { sid })).toMatchObject({ status: 200 });
    expect(await ours()).toBe(0);
  });

  it('of pages that know of nothing before: never more than eight', { timeout: 240_000 }, async () => {
    let most = 0;
    let sid = '';
    for (let time = 0; time < 30; time++) {
      sid = await signIn({});
      most = Math.max(most, await ours());
    }
    expect(most).toBe(8);
    expect(await post('/token', { grant_type: 'refresh_token', sid })).toMatchObject({ status: 200, body: { sid } });
  });
});

it.each([100, 150])('a browser that starts with %i dead cookies works, and loses them', async (count) => {
  // Chromium takes `__Host-` from http://localhost, but its driver does not.
  const url = api.url.replace('http:', 'https:');
  const dead = Array.from({ length: count }, () => ({ ...mintDeadCookie(api.url, secret), url }));
  await context.addCookies(dead.map((cookie) => ({ ...cookie, httpOnly: true, secure: true, sameSite: 'Strict' })));
  expect(await ours()).toBe(count);
  const sid = await signIn({});
  for (let left = count - 20; left > 0; left -= 20) {
    expect(await ours()).toBe(left + 1);
    expect(await post('/token', { grant_type: 'refresh_token', sid })).toMatchObject({ status: 200, body: { sid } });
  }
  expect(await ours()).toBe(1);
  expect(await post('/revoke', { sid })).toMatchObject({ status: 200 });
  expect(await ours()).toBe(0);
});
