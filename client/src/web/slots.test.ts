// Browsers without a database, or with one that does not open. A page goes on without, and says so where something is lost by it.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSlots } from './slots.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A browser that answers so when it is asked for a database. */
const stubOpen = (open: () => unknown): void => void vi.stubGlobal('indexedDB', { open });

describe('a browser that refuses a database', () => {
  it('is not asked again, and nothing is left to fail later: no error report of a page that works', async () => {
    const open = vi.fn<() => unknown>(() => {
      throw new DOMException('blocked', 'SecurityError');
    });
    stubOpen(open);
    const slots = openSlots('app');
    expect(await Promise.all([slots.get('one'), slots.get('two')])).toEqual([undefined, undefined]);
    expect(vi.getTimerCount()).toBe(0);
    await slots.update('one', () => 'kept');
    expect(await slots.get('one')).toBe('kept');
    expect(open).toHaveBeenCalledOnce();
  });
});
