// A session that ends a hundred times in one browser, with the real client: however often the user signs in again, the browser
// keeps one cookie, no request grows too large, and the user stays at work.
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { inContext, pageUrl, signIn } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

useStage();

const countCookies = async (): Promise<number> =>
  (await context.cookies(stage.url)).filter(({ name }) => name.startsWith('__Host-holdfast-')).length;

/** Ends the page's session on the server, and lets the page find out. @returns the `sid` of the session that has ended */
async function loseSession(tab: Page): Promise<string> {
  const snapshot = await tab.evaluate(() => scene.auth.getSnapshot());
  if (snapshot.status !== 'active' || snapshot.sid === null) throw new Error(`the session is ${snapshot.status}`);
  await stage.holdfast.sessions.revoke(snapshot.sid);
  await tab.evaluate(() => {
    scene.auth.extend();
    return scene.until('reauthentication-required');
  });
  return snapshot.sid;
}

it(
  'a hundred reauthentications: one cookie, another session each time, and the sign-out leaves none',
  { timeout: 240_000 },
  async () => {
    // No refresh waits for the client's own limit: an end each second is not what it is for.
    const tab = await inContext(context)(pageUrl(stage, { policy: { refreshBurst: 1_000 } }));
    await signIn(tab);
    const ended = new Set<string>();
    let most = 0;
    for (let time = 0; time < 100; time++) {
      ended.add(await loseSession(tab));
      await signIn(tab);
      most = Math.max(most, await countCookies());
    }
    expect(ended.size).toBe(100);
    expect(most).toBe(1);
    expect(await tab.evaluate(() => scene.write('still at work'))).toBe(201);
    await tab.reload();
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject({ status: 'active' });
    await tab.evaluate(() => scene.auth.signOut());
    await expect.poll(countCookies).toBe(0);
  },
);
