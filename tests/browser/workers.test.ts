// A worker, or a service worker, holds the session in real Chromium. The page signs out, and the next user signs in: nothing of
// the first user leaves the worker any more, though its token is good for another quarter of an hour.
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StageMode } from './stage-page.ts';
import type { Told } from './stage-worker.ts';
import type { user } from './stage.ts';
import { inContext, pageUrl, signIn } from './tabs.ts';
import { context, stage, useStage } from './use-stage.ts';

useStage();

const bob = { username: 'bob@example.org', password: 'another battery staple', name: 'Bob' } as const;
let adaSub = '';
let bobSub = '';

/** Something that holds the session beside the page. */
type Kind = 'worker' | 'service worker';
type Holder = { tell(what: Told): Promise<unknown> };

beforeAll(async () => {
  await stage.holdfast.users.create(bob);
});

/** Starts one that belongs to `page`. */
async function start(page: Page, kind: Kind, mode: StageMode): Promise<Holder> {
  const source = `/session-worker.js?mode=${mode}`;
  await page.evaluate(
    async ([kind, source]) => {
      const asked = async (): Promise<{ postMessage(message: unknown, ports: Transferable[]): void }> => {
        if (kind === 'worker') return new Worker(source);
        await navigator.serviceWorker.register(source);
        const { active } = await navigator.serviceWorker.ready;
        if (!active) throw new Error('no service worker');
        return active;
      };
      const holder = await asked();
      Object.assign(globalThis, {
        tell: (what: string) =>
          new Promise((resolve) => {
            const { port1, port2 } = new MessageChannel();
            port1.addEventListener('message', (event) => resolve(event.data));
            port1.start();
            holder.postMessage(what, [port2]);
          }),
      });
    },
    [kind, source] as const,
  );
  return {
    tell: (what) =>
      page.evaluate((what) => (globalThis as unknown as { tell(what: string): Promise<unknown> }).tell(what), what),
  };
}

const kinds = ['worker', 'service worker'] as const;
const modes = ['cookie', 'bearer', 'bound'] as const;
const cases = kinds.flatMap((kind) => modes.map((mode) => ({ kind, mode })));

const signInAs = (page: Page, { username, password }: typeof bob | typeof user): Promise<string> =>
  page.evaluate((credential) => scene.signIn(credential), { username, password });
const signOut = (page: Page): Promise<void> => page.evaluate(() => scene.auth.signOut());
const subOf = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const snapshot = scene.auth.getSnapshot();
    return snapshot.status === 'active' ? String(snapshot.user.sub) : snapshot.status;
  });

describe.each(cases)('a $kind with the session ($mode)', ({ kind, mode }) => {
  it('that was made before the sign-in hears of it, and of the sign-out, and of the next user', async () => {
    const page = await inContext(context)(pageUrl(stage, { mode }));
    const holder = await start(page, kind, mode);
    await expect.poll(() => holder.tell('status')).toBe('signed-out');
    await signIn(page);
    adaSub = await subOf(page);
    await expect.poll(() => holder.tell('status')).toBe('active');
    expect(await holder.tell('send')).toBe(adaSub);
    await signOut(page);
    await expect.poll(() => holder.tell('status')).toBe('signed-out');
    await signInAs(page, bob);
    bobSub = await subOf(page);
    await expect.poll(() => holder.tell('status')).toBe('active');
    expect(await holder.tell('send')).toBe(bobSub);
  });

  it('sends nothing of the first user from the moment on when the news has arrived', async () => {
    const page = await inContext(context)(pageUrl(stage, { mode }));
    await signIn(page);
    adaSub = await subOf(page);
    const holder = await start(page, kind, mode);
    expect(await holder.tell('send')).toBe(adaSub);
    await holder.tell('sentAfterNews');
    await signOut(page);
    await signInAs(page, bob);
    bobSub = await subOf(page);
    await expect.poll(() => holder.tell('send')).toBe(bobSub);
    const afterNews = (await holder.tell('sentAfterNews')) as readonly string[];
    expect(afterNews.length).toBeGreaterThan(0);
    expect(afterNews.filter((each) => each === adaSub)).toEqual([]);
  });
});

it('a worker that no news reaches finds out by itself, after a pause of a second', async () => {
  const page = await inContext(context)(pageUrl(stage));
  await signIn(page);
  adaSub = await subOf(page);
  const holder = await start(page, 'worker', 'cookie');
  expect(await holder.tell('send')).toBe(adaSub);
  // A page whose channel says nothing, as where there is none.
  await page.evaluate(() => {
    BroadcastChannel.prototype.postMessage = () => {};
  });
  await signOut(page);
  await page.waitForTimeout(1_100);
  expect(await holder.tell('send')).toBe('signed-out');
});
