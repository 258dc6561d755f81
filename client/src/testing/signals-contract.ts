import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Platform, Signal, Signals } from '../core/ports.ts';

/** Somebody who listens to a platform's signals, here or in a page. */
export type SignalsListener = {
  heard(): Promise<readonly Signal[]>;
  stop(): Promise<void>;
};

/** A listener in this process. */
export function localListener(signals: Signals): Promise<SignalsListener> {
  const heard: Signal[] = [];
  const stop = signals((signal) => heard.push(signal));
  return Promise.resolve({ heard: () => Promise.resolve([...heard]), stop: async () => stop() });
}

/** A device on which things happen. */
export type NoticedDevice = {
  listen(): Promise<SignalsListener>;
  /** Makes that happen which the platform is to notice as `signal`. */
  cause(signal: Signal): Promise<void>;
  close(): Promise<void>;
};

const hears = (listener: SignalsListener, signal: Signal): Promise<void> =>
  expect.poll(() => listener.heard(), { timeout: 10_000 }).toContain(signal);

/** What the signals of every platform must do. `noticed`: what this one can notice. */
export function signalsContract(name: string, noticed: readonly Signal[], create: () => Promise<NoticedDevice>): void {
  describe(`${name} notices what a session has to know`, () => {
    let device: NoticedDevice;
    beforeEach(async () => {
      device = await create();
    });
    afterEach(() => device.close());

    it('nothing, while nothing happens', async () => {
      const listener = await device.listen();
      expect(await listener.heard()).toEqual([]);
    });

    it.each(noticed)('%s', async (signal) => {
      const listener = await device.listen();
      await device.cause(signal);
      await hears(listener, signal);
    });

    it.each(noticed)('%s no more once it has stopped: a disposed session is left alone', async (signal) => {
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

/** A tab or process that changes the vault, and may hear of changes. */
export type Announcer = {
  announce(): Promise<void>;
  /** How often it has heard that the vault changed. */
  heard(): Promise<number>;
};

/** One in this process. */
export async function localAnnouncer({ announce, signals }: Platform): Promise<Announcer> {
  const listener = await localListener(signals);
  return {
    announce: async () => announce(),
    heard: async () => (await listener.heard()).filter((signal) => signal === 'store-changed').length,
  };
}

/**
 * What every announcement of a changed vault must do. `isHeard`: whether this platform tells others at all; where it does not,
 * they look into the vault before each refresh.
 */
export function announceContract(
  name: string,
  isHeard: boolean,
  create: () => Promise<{ open(): Promise<Announcer>; close(): Promise<void> }>,
): void {
  describe(`${name} tells of a changed vault`, () => {
    it(`${isHeard ? 'every other one' : 'nobody'}, and never the one that changed it`, async () => {
      const tabs = await create();
      const [here, there, elsewhere] = [await tabs.open(), await tabs.open(), await tabs.open()];
      await here.announce();
      const expected = isHeard ? 1 : 0;
      await expect.poll(() => there.heard()).toBe(expected);
      await expect.poll(() => elsewhere.heard()).toBe(expected);
      // What comes back to it would have come before the answer of another one.
      await there.announce();
      await expect.poll(() => here.heard()).toBe(expected);
      expect(await there.heard()).toBe(expected);
      await tabs.close();
    });
  });
}
