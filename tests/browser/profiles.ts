// Browser profiles of real Chromium for tests. A profile that cannot be closed is given up together with its browser, so one
// stuck page fails no other test.
import type { Browser, BrowserContext } from 'playwright-core';
import { launchChromium } from './chromium.ts';
import { CLOSE_LIMIT_MS, endsWithin, reportStuck } from './stuck.ts';

/** Options of a profile: its user agent, its colour scheme and so on. */
export type ProfileOptions = NonNullable<Parameters<Browser['newContext']>[0]>;

/** One Chromium at a time, and the profiles that are open in it. */
export type Profiles = {
  /** Opens a new profile. */
  readonly open: (options?: ProfileOptions) => Promise<BrowserContext>;
  /** Closes one profile. */
  readonly close: (profile: BrowserContext) => Promise<void>;
  /** Closes every profile that is still open. */
  readonly closeAll: () => Promise<void>;
  /** Ends the browser, and the browsers that were given up. */
  readonly end: () => Promise<void>;
};

/**
 * Starts Chromium.
 *
 * @param options.without defaults of the test driver that Chromium leaves out
 * @param options.closeLimitMs default: 20 s
 */
export async function launchProfiles(
  options: { readonly without?: readonly string[]; readonly closeLimitMs?: number } = {},
): Promise<Profiles> {
  const { without, closeLimitMs = CLOSE_LIMIT_MS } = options;
  let browser = await launchChromium(without);
  let opened: readonly BrowserContext[] = [];
  const endings: Promise<unknown>[] = [];

  async function close(profile: BrowserContext): Promise<void> {
    opened = opened.filter((each) => each !== profile);
    const isGivenUp = profile.browser() !== browser;
    if (isGivenUp || (await endsWithin(profile.close(), closeLimitMs))) return;
    reportStuck('A browser profile', closeLimitMs);
    // The driver kills a browser that does not end when it is asked to.
    endings.push(browser.close());
    browser = await launchChromium(without);
  }

  return {
    open: async (options) => {
      const profile = await browser.newContext(options);
      opened = [...opened, profile];
      return profile;
    },
    close,
    closeAll: async () => {
      for (const profile of opened) await close(profile);
    },
    end: async () => void (await Promise.allSettled([...endings, browser.close()])),
  };
}
