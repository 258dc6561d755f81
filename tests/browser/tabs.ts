// Tabs of one browser profile, all at once.
import type { BrowserContext, Page } from 'playwright-core';
import type { Tab } from '../engines/engine.ts';
import type { Scene, StageMode } from './stage-page.ts';
import { user, type Stage } from './stage.ts';

declare global {
  var scene: Scene;
}

/** How a page of the stage is set up. */
export type TabOptions = {
  /** Default: `cookie`. */
  readonly mode?: StageMode;
  /** How far the device's wall clock is off from the start, in ms. */
  readonly skewMs?: number;
  /** The client's policy, where it differs from the default. */
  readonly policy?: Readonly<Record<string, number>>;
  /** Names the store: a second account in one browser. */
  readonly name?: string;
  /** The app expects a cookie of which this origin knows nothing. */
  readonly mayHaveCookies?: boolean;
  /** The passkey comes first in the chain of reauthentication, by itself. */
  readonly hasPasskeyStage?: boolean;
};

/** The address of a page that is set up so. */
export function pageUrl({ url }: Pick<Stage, 'url'>, options: TabOptions = {}): string {
  const { mode = 'cookie', skewMs = 0, policy = {}, hasPasskeyStage = false, name } = options;
  const query = new URLSearchParams({ mode, skewMs: String(skewMs), policy: JSON.stringify(policy) });
  if (name !== undefined) query.set('name', name);
  if (hasPasskeyStage) query.set('passkey', '');
  if (options.mayHaveCookies) query.set('mayHaveCookies', '');
  return `${url}/?${query}`;
}

/** Opens tabs in a profile of Chromium. */
export const inContext =
  (context: BrowserContext) =>
  async (url: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };

/** Signs the user of the stage in, in that tab. */
export async function signIn(tab: Tab): Promise<void> {
  const outcome = await tab.evaluate((credential) => scene.signIn(credential), user);
  if (outcome !== 'done') throw new Error(`signing in failed: ${outcome}`);
}

/** Opens tabs of one signed-in user; each of them shows the session. */
export async function openSignedInTabs<AnyTab extends Tab>(
  open: (url: string) => Promise<AnyTab>,
  stage: Stage,
  count: number,
  options?: TabOptions,
): Promise<readonly [AnyTab, ...AnyTab[]]> {
  const url = pageUrl(stage, options);
  const first = await open(url);
  await signIn(first);
  const others = await Promise.all(Array.from({ length: count - 1 }, () => open(url)));
  await untilActive([first, ...others]);
  return [first, ...others];
}

/** Resolves when every tab shows a session. */
export async function untilActive(tabs: readonly Tab[]): Promise<void> {
  await Promise.all(tabs.map((tab) => tab.evaluate(() => scene.until('active'))));
}

/** Resolves when no tab has a refresh under way or waits to share another tab's. */
export async function untilSettled(tabs: readonly Tab[]): Promise<void> {
  const isSettled = (): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        const snapshot = scene.auth.getSnapshot();
        if (snapshot.status !== 'active' || snapshot.isRefreshing) return;
        stop();
        resolve();
      };
      const stop = scene.auth.subscribe(look);
      look();
    });
  await Promise.all(tabs.map((tab) => tab.evaluate(isSettled)));
}

/** The access token that each tab uses, refreshed first where it has to be. */
export const tokensOf = (tabs: readonly Tab[]): Promise<readonly string[]> =>
  Promise.all(tabs.map((tab) => tab.evaluate(() => scene.token())));

/** Every tab sends one note of its own: the statuses of the answers. */
export const writeFromAll = (tabs: readonly Tab[], name = 'note'): Promise<readonly (number | string)[]> =>
  Promise.all(tabs.map((tab, at) => tab.evaluate((note) => scene.write(note), `${name} ${at}`)));

/** Sets the clocks of all tabs on, as when one device sleeps. */
export async function passDeviceTime(tabs: readonly Tab[], wallMs: number, monotonicMs = wallMs): Promise<void> {
  const passTime = ({ wallMs, monotonicMs }: { readonly wallMs: number; readonly monotonicMs: number }): void =>
    scene.passTime(wallMs, monotonicMs);
  await Promise.all(tabs.map((tab) => tab.evaluate(passTime, { wallMs, monotonicMs })));
}
