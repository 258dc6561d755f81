// A session that has ended, as `AuthService` shows it: the passkey that helps, the passkey that does not, and what comes then.
import type { SessionSnapshot } from 'holdfast';
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addAuthenticator, type Authenticator } from './authenticator.ts';
import { holdAnswer } from './faults.ts';
import { inContext, pageUrl, passDeviceTime, signIn, writeFromAll } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;

let tab: Page;
let authenticator: Authenticator;

useStage();
beforeEach(async () => {
  tab = await inContext(context)('about:blank');
  authenticator = await addAuthenticator(tab);
  await tab.goto(pageUrl(stage, { hasPasskeyStage: true }));
  await signIn(tab);
});

const registerPasskey = async (): Promise<void> =>
  expect(await tab.evaluate(() => scene.registerPasskey())).toBe('done');

const snapshot = (): Promise<SessionSnapshot> => tab.evaluate(() => scene.auth.getSnapshot());

/** The session ends on the server, and the page finds out by a request that is parked; resolves with what becomes of it. */
async function loseSession(): Promise<{ readonly parked: Promise<readonly (number | string)[]> }> {
  const sids = stage.events.flatMap((event) => (event.type === 'session.created' ? [event.sid] : []));
  await stage.holdfast.sessions.revoke(sids.at(-1) ?? '');
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime([tab], EXPIRY_MS);
  return { parked: writeFromAll([tab], 'parked') };
}

/** The passkey did not help: the password is asked for, and the request still waits. */
async function expectPasswordNext(): Promise<void> {
  await expect.poll(snapshot).toMatchObject({
    status: 'reauthentication-required',
    reason: 'revoked',
    stage: 'password',
    laterStages: [],
    failed: [{ stage: 'passkey', why: 'cancelled' }],
    parkedRequests: 1,
  });
}

describe('a session that has ended', () => {
  it('goes on by itself with a passkey, and the request that was parked arrives once', async () => {
    await registerPasskey();
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /authorize-challenge', fault);
    const { parked } = await loseSession();
    await arrived;
    expect(await snapshot()).toMatchObject({
      status: 'reauthentication-required',
      reason: 'revoked',
      stage: 'passkey',
      laterStages: ['password'],
      failed: [],
      parkedRequests: 1,
    });
    release();
    expect(await parked).toEqual([201]);
    expect(await snapshot()).toMatchObject({ status: 'active', freshness: 'verified', parkedRequests: 0 });
    expect(stage.notes).toEqual(['parked 0']);
  });

  it('with a passkey that does not recognise its user: the password is next, and helps', async () => {
    await registerPasskey();
    await authenticator.setUserVerified(false);
    const { parked } = await loseSession();
    await expectPasswordNext();
    await signIn(tab);
    expect(await parked).toEqual([201]);
    expect(await snapshot()).toMatchObject({ status: 'active', freshness: 'verified' });
    expect(stage.notes).toEqual(['parked 0']);
  });

  it('with a passkey that the user does not want to use: the prompt ends, and nothing comes of it later', async () => {
    await registerPasskey();
    const { fault, arrived, release } = holdAnswer();
    stage.meet('POST /authorize-challenge', fault);
    const { parked } = await loseSession();
    await arrived;
    await tab.evaluate(() => scene.auth.declineReauthentication());
    await expectPasswordNext();
    await tab.evaluate(() => scene.auth.declineReauthentication());
    expect(await snapshot()).toEqual({ status: 'signed-out', reason: 'reauthentication-failed' });
    expect(await parked).toEqual(['signed-out']);
    const asked = stage.count('POST /authorize-challenge');
    const answered = tab.waitForResponse((response) => response.url().endsWith('/authorize-challenge'));
    release();
    await (await answered).finished();
    // The user is not asked for a passkey any more, and no session is begun.
    await tab.evaluate(() => new Promise((resolve) => void setTimeout(resolve)));
    expect(stage.count('POST /authorize-challenge')).toBe(asked);
    expect(stage.events.filter(({ type }) => type === 'session.created')).toHaveLength(1);
    expect(await snapshot()).toEqual({ status: 'signed-out', reason: 'reauthentication-failed' });
    expect(stage.notes).toEqual([]);
  });

  it('without any passkey: the password is next, and who declines it is signed out and told why', async () => {
    const { parked } = await loseSession();
    await expectPasswordNext();
    await tab.evaluate(() => scene.auth.declineReauthentication());
    expect(await snapshot()).toEqual({ status: 'signed-out', reason: 'reauthentication-failed' });
    expect(await parked).toEqual(['signed-out']);
    expect(stage.notes).toEqual([]);
    // Declining waits for nothing; a page that is left before the end is written learns of it from the server once more.
    const stored = () => tab.evaluate(async () => (await scene.auth.platform.vault.read())?.session ?? null);
    await expect.poll(stored).toBeNull();
    await tab.reload();
    expect(await tab.evaluate(() => scene.auth.ready())).toEqual({
      status: 'signed-out',
      reason: 'reauthentication-failed',
    });
  });
});
