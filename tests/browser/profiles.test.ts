// A profile that does not close: the test after it must not pay for it.
import { afterEach, expect, it, vi } from 'vitest';
import { launchProfiles, type Profiles } from './profiles.ts';

let profiles: Profiles | undefined;
afterEach(() => profiles?.end());

it('a browser that stands still is given up, stderr says so, and the next profile opens in a new browser', async () => {
  profiles = await launchProfiles({ closeLimitMs: 500 });
  const [stuck, beside] = [await profiles.open(), await profiles.open()];
  const devtools = await stuck.browser()?.newBrowserCDPSession();
  const { processInfo = [] } = (await devtools?.send('SystemInfo.getProcessInfo')) ?? {};
  const pid = processInfo.find(({ type }) => type === 'browser')?.id ?? 0;
  expect(pid).toBeGreaterThan(0);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  process.kill(pid, 'SIGSTOP');
  try {
    await profiles.closeAll();
    expect(stderr.mock.calls.map(([line]) => line)).toEqual([
      expect.stringMatching(/^A browser profile did not close within 0\.5 s after "a browser that stands still/u),
    ]);
  } finally {
    stderr.mockRestore();
    process.kill(pid, 'SIGCONT');
  }
  const next = await profiles.open();
  expect(next.browser()).not.toBe(stuck.browser());
  const page = await next.newPage();
  expect(await page.evaluate(() => 1 + 1)).toBe(2);
  // The other profile of the old browser has gone with it.
  await expect.poll(() => beside.browser()?.isConnected()).toBe(false);
});
