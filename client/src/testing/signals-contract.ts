import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Platform, Signal, Signals } from '../core/ports.ts';

/** A listener to a platform's signals, in this process or in a page. */
export type SignalsListener = {
  heard(): Promise<readonly Signal[]>;
  stop(): Promise<void>;
};

/** Creates a listener in this process. */
export function localListener(signals: Signals): Promise<SignalsListener> {
  const heard: Signal[] = [];
  const stop = signals((signal) => heard.push(signal));
  return Promise.resolve({ heard: () => Promise.resolve([...heard]), stop: async () => stop() });
}

/** A device on which a test causes signals. */
export type NoticedDevice = {
  listen(): Promise<SignalsListener>;
  /** Causes the event that the platform reports as `signal`. */
  cause(signal: Signal): Promise<void>;
  close(): Promise<void>;
};

const hears = (listener: SignalsListener, signal: Signal): Promise<void> =>
  expect.poll(() => listener.heard(), { timeout: 10_000 }).toContain(signal);

/** The contract of every platform's signals. `noticed`: the signals that this platform can emit. */
export function signalsContract(name: string, noticed: readonly Signal[], create: () => Promise<NoticedDevice>): void {
  describe(`${name} emits signals`, () => {
    let device: NoticedDevice;
    beforeEach(async () => {
      device = await create();
    });
    afterEach(() => device.close());

    it('emits none while nothing happens', async () => {
      const listener = await device.listen();
      expect(await listener.heard()).toEqual([]);
    });

    it.each(noticed)('%s', async (signal) => {
      const listener = await device.listen();
      await device.cause(signal);
      await hears(listener, signal);
    });

    it.each(noticed)('does not emit %s to a stopped listener', async (signal) => {
      const stopped = await device.listen();
      await stopped.stop();
      await stopped.stop();
      const next = await device.listen();
      await device.cause(signal);
      await hears(next, signal);
      expect(await stopped.heard()).toEqual([]);
    });
  });
}

/** A tab or process that announces changes of the vault and may hear of others' changes. */
export type Announcer = {
  announce(): Promise<void>;
  /** Returns the number of announcements that it has heard. */
  heard(): Promise<number>;
};

/** Creates an announcer in this process. */
export async function localAnnouncer({ announce, signals }: Platform): Promise<Announcer> {
  const listener = await localListener(signals);
  return {
    announce: async () => announce(),
    heard: async () => (await listener.heard()).filter((signal) => signal === 'store-changed').length,
  };
}

/**
 * The contract of every announcement of a changed vault.
 *
 * @param isHeard `true` if this platform tells other tabs or processes. If not, they read the vault before each
 * refresh.
 */
export function announceContract(
  name: string,
  isHeard: boolean,
  create: () => Promise<{ open(): Promise<Announcer>; close(): Promise<void> }>,
): void {
  describe(`${name} announces a changed vault`, () => {
    it(`${isHeard ? 'to every other one' : 'to none'}, and never to the one that changed it`, async () => {
      const tabs = await create();
      const [here, there, elsewhere] = [await tabs.open(), await tabs.open(), await tabs.open()];
      await here.announce();
      const expected = isHeard ? 1 : 0;
      await expect.poll(() => there.heard()).toBe(expected);
      await expect.poll(() => elsewhere.heard()).toBe(expected);
      // An echo to `here` would arrive before this announcement of `there`.
      await there.announce();
      await expect.poll(() => here.heard()).toBe(expected);
      expect(await there.heard()).toBe(expected);
      await tabs.close();
    });
  });
}
