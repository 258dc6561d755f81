import { describe, expect, it } from 'vitest';
import { createWorld } from '../testing/world.ts';
import { defaultPolicy, sessionPolicy, type CheckedPolicy } from './policy.ts';

describe('a policy', () => {
  it('keeps the default of what it does not name', () => {
    expect(sessionPolicy({ tickMs: 1 })()).toEqual({ ...defaultPolicy, tickMs: 1 });
  });

  it.each([
    { tickMs: 0 },
    { refreshBurst: NaN },
    { refreshRefillMs: Infinity },
    { parkDeadlineMs: -1 },
    { refreshMarginRatio: 1 },
    { expiryWarningsMs: [60_000, -1] },
  ])('with a value that could not work is refused by the name of the field: %o', (partial) => {
    expect(() => sessionPolicy(partial)).toThrow(new TypeError(`policy.${Object.keys(partial)[0]} is out of range`));
  });

  it('that nobody has checked starts no session', () => {
    const unchecked = { tickMs: 0 } as unknown as CheckedPolicy;
    expect(() => createWorld().openTab({ policy: unchecked })).toThrow(TypeError);
  });
});
