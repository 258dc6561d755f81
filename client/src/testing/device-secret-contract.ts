import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Platform } from '../core/ports.ts';

type DeviceSecret = Platform['deviceSecret'];

/**
 * The contract of every store of a device secret. `create` makes an empty one; `open` opens it in one more tab or
 * process.
 */
export function deviceSecretContract(
  name: string,
  create: () => Promise<{ readonly open: () => Promise<DeviceSecret>; readonly close: () => Promise<void> }>,
): void {
  describe(`${name} keeps one device secret`, () => {
    let open: () => Promise<DeviceSecret>;
    let close = (): Promise<void> => Promise.resolve();
    beforeEach(async () => {
      ({ open, close } = await create());
    });
    afterEach(() => close());

    it('keeps the first candidate and returns it from then on', async () => {
      expect(await (await open())('first')).toBe('first');
      expect(await (await open())('second')).toBe('first');
    });

    it('gives the same secret to all tabs or processes that start at once', async () => {
      const holders = await Promise.all(Array.from({ length: 4 }, () => open()));
      const secrets = await Promise.all(holders.map((keep, at) => keep(`candidate-${at}`)));
      expect(new Set(secrets).size).toBe(1);
      expect(secrets[0]).toMatch(/^candidate-/u);
    });
  });
}
