import { describe, expect, it } from 'vitest';
import type { Clock } from '../core/ports.ts';

/** A browser rounds its timers and its clock differently, by up to this much. */
const RESOLUTION_MS = 1;

const untilWoken = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => void clock.wake(delayMs, resolve));

/** The contract of every clock. */
export function clockContract(name: string, clock: Clock): void {
  describe(`${name} keeps time`, () => {
    it('reads the same wall clock as `Date.now`', () => {
      const before = Date.now();
      const { wallMs } = clock.now();
      expect(wallMs).toBeGreaterThanOrEqual(before - RESOLUTION_MS);
      expect(wallMs).toBeLessThanOrEqual(Date.now() + RESOLUTION_MS);
    });

    it('has a monotonic clock that never goes back', () => {
      const moments = Array.from({ length: 1_000 }, () => clock.now().monotonicMs);
      expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    });

    it.each([0, 1, 5, 20])('wakes after %d ms, never before, so that no deadline passes early', async (delayMs) => {
      const before = clock.now().monotonicMs;
      await untilWoken(clock, delayMs);
      expect(clock.now().monotonicMs - before).toBeGreaterThanOrEqual(delayMs - RESOLUTION_MS);
    });

    it('wakes in the order of the deadlines, and never before `wake` has returned', async () => {
      const woken: string[] = [];
      const done = Promise.all(
        [40, 1, 20].map((delayMs) => untilWoken(clock, delayMs).then(() => woken.push(`after ${delayMs}`))),
      );
      woken.push('asked');
      await done;
      expect(woken).toEqual(['asked', 'after 1', 'after 20', 'after 40']);
    });

    it('does not wake after a cancel', async () => {
      let isWoken = false;
      const cancel = clock.wake(5, () => {
        isWoken = true;
      });
      cancel();
      cancel();
      await untilWoken(clock, 30);
      expect(isWoken).toBe(false);
    });

    it.each([2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER])(
      'does not wake at once for a delay of %d ms',
      async (delayMs) => {
        let isWoken = false;
        const cancel = clock.wake(delayMs, () => {
          isWoken = true;
        });
        await untilWoken(clock, 30);
        cancel();
        expect(isWoken).toBe(false);
      },
    );
  });
}
