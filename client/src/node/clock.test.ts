import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { describe, expect, it, vi } from 'vitest';
import { clockContract } from '../testing/clock-contract.ts';
import { createFolder } from '../testing/processes.ts';
import { nodeClock } from './clock.ts';

clockContract('the clock that keeps its process running', nodeClock(true));
clockContract('the clock that lets its process end', nodeClock(false));

describe('the clock of Node', () => {
  it('sleeps through a delay longer than a timer can count, without busy looping', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const cancel = nodeClock(true).wake(2 ** 40, () => {});
    const before = timers.mock.calls.length;
    await new Promise<void>((resolve) => void nodeClock(true).wake(30, resolve));
    cancel();
    // One timer for the 30 ms, and a second one if the first fired early.
    expect(timers.mock.calls.length - before).toBeLessThanOrEqual(2);
    timers.mockRestore();
  });
});

describe('a command', () => {
  it.each([
    ['true', 'false', 'woken'],
    ['true', 'true', ''],
    ['false', 'false', ''],
  ])(
    'with `keepsAlive` %s waits for a pending wake-up, unless that is idle (%s)',
    async (keepsAlive, isIdle, output) => {
      const { folder, remove } = createFolder();
      const outfile = path.join(folder, 'command.mjs');
      const contents = `import { nodeClock } from './clock.ts'; nodeClock(${keepsAlive}).wake(20, () => console.log('woken'), ${isIdle})`;
      const stdin = { contents, resolveDir: import.meta.dirname };
      await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
      expect(spawnSync(process.execPath, [outfile], { encoding: 'utf8' }).stdout.trim()).toBe(output);
      remove();
    },
  );
});
