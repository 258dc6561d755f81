import { describe, expect, it } from 'vitest';
import type { Signal } from '../core/ports.ts';
import { localListener, signalsContract } from '../testing/signals-contract.ts';
import { simulateTime } from '../testing/world.ts';
import { sleepSignals } from './signals.ts';

signalsContract('a program on Node', ['resumed'], () => {
  const time = simulateTime();
  return Promise.resolve({
    listen: () => localListener(sleepSignals(time.clock)),
    cause: async () => {
      time.jumpWall(8 * 3_600_000);
      await time.advance(60_000);
    },
    close: () => Promise.resolve(),
  });
});

function listen() {
  const time = simulateTime();
  const heard: Signal[] = [];
  const stop = sleepSignals(time.clock)((signal) => heard.push(signal));
  return { time, heard, stop };
}

describe('the sleep signals', () => {
  it('emit nothing while time passes normally', async () => {
    const { time, heard } = listen();
    await time.advance(3_600_000);
    expect(heard).toEqual([]);
  });

  it('emit `resumed` once after a night asleep, although the monotonic clock stopped', async () => {
    const { time, heard } = listen();
    await time.advance(60_000);
    time.jumpWall(8 * 3_600_000);
    await time.advance(60_000);
    expect(heard).toEqual(['resumed']);
  });

  it('emit `resumed` if timers stopped while the monotonic clock continued', () => {
    let monotonicMs = 0;
    let callback = (): void => {};
    const clock = {
      now: () => ({ wallMs: monotonicMs, monotonicMs }),
      wake: (_delayMs: number, woken: () => void) => {
        callback = woken;
        return () => {};
      },
    };
    const heard: Signal[] = [];
    sleepSignals(clock)((signal) => heard.push(signal));
    monotonicMs = 5_000;
    callback();
    expect(heard).toEqual([]);
    monotonicMs = 3_605_000;
    callback();
    expect(heard).toEqual(['resumed']);
  });

  it('emit nothing when the clock is set back', async () => {
    const { time, heard } = listen();
    time.jumpWall(-3_600_000);
    await time.advance(60_000);
    expect(heard).toEqual([]);
  });

  it('emit nothing after they were stopped', async () => {
    const { time, heard, stop } = listen();
    await time.advance(7_000);
    stop();
    time.jumpWall(3_600_000);
    await time.advance(60_000);
    expect(heard).toEqual([]);
  });
});
