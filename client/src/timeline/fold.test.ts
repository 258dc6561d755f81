import { describe, expect, it } from 'vitest';
import { createFold, moveView, readTicks, zoomView } from './fold.ts';

const options = { idleMs: 1_000, foldedMs: 100, marginMs: 10 };
const fold = createFold(
  [
    [0, 80],
    [500, 500],
    [900_000, 900_050],
  ],
  options,
);

describe('a folded axis', () => {
  it('keeps the true length of events, and folds the idle quarter of an hour between them', () => {
    expect(fold.shown).toEqual([
      [-10, 510],
      [899_990, 900_060],
    ]);
    expect(fold.length).toBe(520 + 100 + 70);
    expect(fold.folds).toEqual([{ from: 520, to: 620, durationMs: 899_480 }]);
  });

  it.each([
    [-10, 0],
    [0, 10],
    [510, 520],
    [899_990, 620],
    [900_060, 690],
    // A time before, within a fold, or after is placed at the nearest shown time.
    [-5_000, 0],
    [60_000, 520],
    [999_999, 690],
  ])('puts %i ms at %i', (timeMs, place) => {
    expect(fold.place(timeMs)).toBe(place);
  });

  it.each([
    [0, -10],
    [520, 510],
    [570, 510],
    [620, 899_990],
    [690, 900_060],
  ])('finds at %i the time %i', (place, timeMs) => {
    expect(fold.timeAt(place)).toBe(timeMs);
  });

  it('has no folds without events, or with an infinite `idleMs`', () => {
    expect(createFold([], options).folds).toEqual([]);
    expect(
      createFold(
        [
          [0, 1],
          [90_000, 90_001],
        ],
        { ...options, idleMs: Infinity },
      ),
    ).toMatchObject({ folds: [], length: 90_021 });
  });

  it('has its marks at round times, never within a fold', () => {
    const { ticks, stepMs } = readTicks(fold, [0, 690], 7);
    expect(stepMs).toBe(100);
    expect(ticks.map(({ timeMs }) => timeMs + 0)).toEqual([0, 100, 200, 300, 400, 500, 900_000]);
    expect(readTicks(fold, [620, 690], 7).ticks.map(({ timeMs }) => timeMs)).toEqual([
      899_990, 900_000, 900_010, 900_020, 900_030, 900_040, 900_050, 900_060,
    ]);
  });
});

describe('the view', () => {
  it('keeps the place under the pointer while zooming', () => {
    expect(zoomView([0, 100], 0.5, 25, 1_000)).toEqual([12.5, 62.5]);
  });

  it('never leaves the axis and never shrinks to nothing', () => {
    expect(zoomView([0, 100], 100, 50, 1_000)).toEqual([0, 1_000]);
    expect(zoomView([0, 100], 1e-9, 0, 1_000)).toEqual([0, 5]);
    expect(moveView([900, 1_000], 500, 1_000)).toEqual([900, 1_000]);
    expect(moveView([0, 100], -500, 1_000)).toEqual([0, 100]);
  });
});
