import { describe, expect, it } from 'vitest';
import { outcome } from '../testing/trouble.ts';
import { createWorld } from '../testing/world.ts';
import { unlessAborted, within } from './timeouts.ts';

const never = (): Promise<never> => new Promise(() => {});

/** A signal of an engine that has no `reason`. */
function signalWithoutReason(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  const { signal } = controller;
  Object.defineProperty(signal, 'reason', { value: undefined });
  return { signal, abort: () => controller.abort() };
}

describe('a port that may never answer', () => {
  it('is waited for as long as the limit allows, and no timer is left when it answers', async () => {
    const { time } = createWorld();
    const late = outcome(within(time.clock, 1_000, never()));
    await time.advance(1_000);
    expect(await late).toEqual(new Error('timeout: 1000 ms'));
    let cancelled = 0;
    const clock = { ...time.clock, wake: () => () => void cancelled++ };
    expect(await within(clock, 1_000, Promise.resolve('answer'))).toBe('answer');
    expect(cancelled).toBe(1);
  });
});

describe('a caller that aborts', () => {
  it('gets an AbortError where the engine keeps no reason', async () => {
    const { signal, abort } = signalWithoutReason();
    const left: string[] = [];
    const waiting = outcome(unlessAborted(signal, never(), () => left.push('left')));
    abort();
    expect(await waiting).toMatchObject({ name: 'AbortError' });
    expect(left).toEqual(['left']);
    expect(await outcome(unlessAborted(signal, never()))).toMatchObject({ name: 'AbortError' });
  });

  it('gets its reason also if it aborted before the wait began', async () => {
    const signal = AbortSignal.abort(new Error('left the page'));
    expect(await outcome(unlessAborted(signal, never()))).toEqual(new Error('left the page'));
  });

  it('after the answer keeps the answer', async () => {
    const controller = new AbortController();
    const left: string[] = [];
    expect(await unlessAborted(controller.signal, Promise.resolve('token'), () => left.push('left'))).toBe('token');
    controller.abort();
    expect(left).toEqual([]);
  });
});
