import type { Observation } from 'holdfast';
import { tellStory } from '../../src/event-log/story.ts';
import { formatAgo, formatCountdown } from '../../src/session/time.ts';

const tell = (...observations: readonly Observation[]): readonly string[] =>
  tellStory(observations.map((observation, id) => ({ id, atMs: 0, observation }))).map(({ text }) => text);

describe('the event log', () => {
  it('tells of many requests that did the same in one line, and of a wait that became a refresh once', () => {
    const joins = [1, 2, 3].flatMap((caller): Observation[] => [
      { type: 'request.parked', caller, parked: caller },
      { type: 'refresh.joined', attempt: 1, caller },
    ]);
    const released = [1, 2, 3].map((caller): Observation => ({ type: 'request.released', caller }));
    expect(tell({ type: 'refresh.started', attempt: 1, cause: 'refused' }, ...joins, ...released)).toEqual([
      'Refresh 1 started: the server refused the access token.',
      '3 requests joined refresh 1.',
      '3 requests went on.',
    ]);
  });

  it('keeps apart what happened to one request and to the next', () => {
    expect(
      tell(
        { type: 'request.failed', caller: 1, code: 'deadline-exceeded' },
        { type: 'request.failed', caller: 2, code: 'signed-out' },
      ),
    ).toEqual(['Request 1 stopped waiting: deadline-exceeded.', 'Request 2 stopped waiting: signed-out.']);
  });
});

describe('times', () => {
  it.each([
    [-1, '0:00'],
    [1, '0:01'],
    [245_000, '4:05'],
    [7_445_000, '2:04:05'],
    [1_209_540_000, '13 d 23 h'],
  ])('%d ms are left: %s', (leftMs, words) => expect(formatCountdown(leftMs)).toBe(words));

  it.each([
    [30_000, 'just now'],
    [60_000, '1 minute ago'],
    [7_200_000, '2 hours ago'],
    [172_800_000, '2 days ago'],
  ])('%d ms ago: %s', (agoMs, words) => expect(formatAgo(0, agoMs)).toBe(words));
});
