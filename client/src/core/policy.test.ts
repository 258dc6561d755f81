import { describe, expect, it } from 'vitest';
import { createWorld } from '../testing/world.ts';
import { defaultPolicy, sessionPolicy, type CheckedPolicy } from './policy.ts';

describe('a policy', () => {
  it('keeps the defaults of the fields that are not named', () => {
    expect(sessionPolicy({ tickMs: 1 })()).toEqual({ ...defaultPolicy, tickMs: 1 });
  });

  it.each([
    { tickMs: 0 },
    { refreshBurst: NaN },
    { refreshRefillMs: Infinity },
    { deadlineMs: -1 },
    { refreshMarginRatio: 1 },
    { expiryWarningsMs: [60_000, -1] },
  ])('is refused with the name of the field that could not work: %o', (partial) => {
    expect(() => sessionPolicy(partial)).toThrow(new TypeError(`policy.${Object.keys(partial)[0]} is out of range`));
  });

  it('that was not checked starts no session', () => {
    const unchecked = { tickMs: 0 } as unknown as CheckedPolicy;
    expect(() => createWorld().openTab({ policy: unchecked })).toThrow(TypeError);
  });
});
