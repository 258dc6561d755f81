import type { Observation } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { tellStory } from './narrative.ts';

const story = (observations: readonly Observation[], maxLines = 50): readonly string[] =>
  tellStory(
    observations.map((observation, id) => ({ id, atMs: id, observation })),
    maxLines,
  ).map(({ text }) => text);

describe('the event log', () => {
  it('tells a burst in a few lines, not in sixty', () => {
    const callers = Array.from({ length: 20 }, (_, index) => index + 1);
    const lines = story([
      { type: 'token.refused', tokenNumber: 1 },
      { type: 'refresh.started', attempt: 1, cause: 'refused' },
      ...callers.flatMap((caller): Observation[] => [
        { type: 'request.parked', caller, parked: caller },
        { type: 'refresh.joined', attempt: 1, caller },
      ]),
      { type: 'refresh.succeeded', attempt: 1, durationMs: 120, isRotated: true },
      ...callers.map((caller): Observation => ({ type: 'request.released', caller })),
    ]);
    expect(lines).toHaveLength(5);
    expect(lines[2]).toContain('Requests 1 to 20 joined refresh 1');
    expect(lines.at(-1)).toContain('Requests 1 to 20');
  });

  it('keeps apart what happened to different refreshes', () => {
    const lines = story([
      { type: 'refresh.joined', attempt: 1, caller: 1 },
      { type: 'refresh.joined', attempt: 2, caller: 2 },
    ]);
    expect(lines).toHaveLength(2);
  });

  it('shows the newest lines when there are too many', () => {
    const lines = story(
      [{ type: 'signed-in' }, { type: 'session.expiring', inMs: 60_000 }, { type: 'signed-out', reason: 'user' }],
      1,
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/signed out/iu);
  });
});
