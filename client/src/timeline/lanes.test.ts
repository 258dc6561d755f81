// The panel must draw the true events: with a wrong picture, a developer looks for the fault in the wrong tab.
import { describe, expect, it } from 'vitest';
import type { Observation } from '../index.ts';
import type { TimelineEntry } from './entry.ts';
import { readLanes, readLinks } from './lanes.ts';
import { packRows, type Span } from './span.ts';

type Moment = readonly [atMs: number, observation: Observation, tab?: string];

const entriesOf = (moments: readonly Moment[]): readonly TimelineEntry[] =>
  moments.map(([atMs, observation, tab = 'a'], index) => ({ tab, seq: index + 1, atMs, observation }));

/** Writes spans as `kind from-to tone title` and moments as `kind at tone title`. */
function draw(moments: readonly Moment[]): readonly string[] {
  const [lane] = readLanes(entriesOf(moments));
  if (!lane) return [];
  return [...lane.session, ...lane.refreshes, ...lane.requests].map(
    ({ kind, fromMs, toMs, tone, title }) =>
      `${kind} ${fromMs}${toMs === fromMs ? '' : `-${toMs ?? ''}`} ${tone} ${title}`,
  );
}

const start = (attempt: number): Observation => ({ type: 'refresh.started', attempt, cause: 'expired' });
const success = (attempt: number): Observation => ({
  type: 'refresh.succeeded',
  attempt,
  durationMs: 80,
  isRotated: true,
});
const failure = (attempt: number, cause: 'network' | 'rate-limited', retryInMs: number): Observation => ({
  type: 'refresh.failed',
  attempt,
  cause,
  retryInMs,
});
const ask = (reason: 'revoked' | 'step-up', stage: 'passkey' | 'password' = 'password'): Observation => ({
  type: 'reauthentication.required',
  stage,
  reason,
});
const parked = (caller: number): Observation => ({ type: 'request.parked', caller, parked: caller });
const released = (caller: number): Observation => ({ type: 'request.released', caller });

// Words from a file or another tab may be names that every object inherits.
it.each(['constructor', 'toString', 'hasOwnProperty'])(
  'the panel shows the word %s of a recording as it is',
  (word) => {
    const cause = word as 'network';
    const [lane] = readLanes(
      entriesOf([
        [0, { type: 'refresh.started', attempt: 1, cause: word as 'expired' }],
        [10, { type: 'refresh.failed', attempt: 1, cause, retryInMs: 10 }],
        [30, { type: 'session.adopted', from: word as 'storage' }],
      ]),
    );
    const texts = [...(lane?.session ?? []), ...(lane?.refreshes ?? [])].map(({ text }) => text).join(' ');
    expect(texts).toContain(`because ${word}.`);
    expect(texts).toContain(`(${word})`);
    expect(texts).not.toContain('native code');
  },
);

describe('a lane', () => {
  const table: readonly (readonly [string, readonly Moment[], readonly string[]])[] = [
    [
      'a refresh that succeeded',
      [
        [0, start(1)],
        [80, success(1)],
      ],
      ['refresh 0-80 good Refresh 1'],
    ],
    ['a refresh that goes on', [[0, start(1)]], ['refresh 0- wait Refresh 1']],
    [
      'a wait for the lock, but no short one',
      [
        [0, start(1)],
        [900, { type: 'refresh.locked', attempt: 1, waitedMs: 900 }],
        [950, success(1)],
        [2_000, start(2)],
        [2_000, { type: 'refresh.locked', attempt: 2, waitedMs: 0 }],
        [2_050, success(2)],
      ],
      ['lock 0-900 wait Wait for the lock', 'refresh 0-950 good Refresh 1', 'refresh 2000-2050 good Refresh 2'],
    ],
    [
      'a wait before the next try, and one that the next try ended early',
      [
        [0, start(1)],
        [10, failure(1, 'network', 500)],
        [510, start(2)],
        [520, failure(2, 'network', 60_000)],
        [900, start(3)],
        [950, success(3)],
      ],
      [
        'refresh 0-10 wait Refresh 1',
        'backoff 10-510 wait Wait before the next try',
        'refresh 510-520 wait Refresh 2',
        'backoff 520-900 wait Wait before the next try',
        'refresh 900-950 good Refresh 3',
      ],
    ],
    [
      'a wait after a 429',
      [
        [0, start(1)],
        [10, failure(1, 'rate-limited', 4_000)],
      ],
      ['refresh 0-10 wait Refresh 1', 'backoff 10-4010 wait Wait that the server asked for (429)'],
    ],
    [
      'a rejection, its reauthentication, and the sign-in that ends it',
      [
        [0, { type: 'session.adopted', from: 'storage' }],
        [0, start(1)],
        [50, { type: 'refresh.rejected', attempt: 1, reason: 'revoked' }],
        [50, ask('revoked', 'passkey')],
        [5_000, { type: 'reauthentication.failed', stage: 'passkey', why: 'cancelled' }],
        [5_000, ask('revoked')],
        [9_000, { type: 'signed-in' }],
      ],
      [
        'adopted 0 good Restored',
        'reauthentication 50-5000 wait Reauthentication by passkey',
        'reauthentication 5000-9000 good Reauthentication by password',
        'session 9000 good Signed in',
        'refresh 0-50 bad Refresh 1',
      ],
    ],
    [
      'a rejection without a session as no failure',
      [
        [0, start(1)],
        [50, { type: 'refresh.rejected', attempt: 1, reason: 'revoked' }],
      ],
      ['refresh 0-50 plain Refresh 1'],
    ],
    [
      'a declined step-up, after which the session continues',
      [
        [0, parked(1)],
        [0, ask('step-up')],
        [4_000, { type: 'request.failed', caller: 1, code: 'step-up-declined' }],
      ],
      ['reauthentication 0-4000 wait Reauthentication by password', 'parked 0-4000 bad 1 request parked'],
    ],
    [
      'requests that were released together as one bar, and failed ones as another',
      [
        [0, parked(1)],
        [5, parked(2)],
        [9, parked(3)],
        [100, released(1)],
        [101, released(2)],
        [101, { type: 'request.failed', caller: 3, code: 'deadline-exceeded' }],
      ],
      ['parked 0-101 good 2 requests parked', 'parked 9-101 bad 1 request parked'],
    ],
    [
      'requests that still wait',
      [
        [0, parked(1)],
        [3, parked(2)],
      ],
      ['parked 0- wait 2 requests parked'],
    ],
    [
      'a 401 and the requests that were sent again after it',
      [
        [0, { type: 'token.refused', tokenNumber: 1 }],
        [90, { type: 'request.resent', tokenNumber: 2 }],
        [91, { type: 'request.resent', tokenNumber: 2 }],
        [9_000, { type: 'request.resent', tokenNumber: 2 }],
      ],
      ['refused 0 wait Access token refused', 'resent 90 good 2 requests resent', 'resent 9000 good 1 request resent'],
    ],
    [
      'the adoption of another tab’s session once',
      [
        [0, start(1)],
        [40, { type: 'refresh.adopted', attempt: 1 }],
        [40, { type: 'session.adopted', from: 'another-tab' }],
        [900, { type: 'session.adopted', from: 'another-tab' }],
      ],
      ['adopted 900 good Adopted', 'refresh 0-40 good Refresh 1'],
    ],
    [
      'a sign-out, which ends the refresh under way',
      [
        [0, start(1)],
        [50, { type: 'signed-out', reason: 'user' }],
      ],
      ['session 50 plain Signed out', 'refresh 0-50 plain Refresh 1'],
    ],
    [
      'nothing for observations that this panel does not know',
      [
        [0, { type: 'refresh.dreamt', attempt: 1 } as unknown as Observation],
        [1, { type: 'brand.new' } as unknown as Observation],
      ],
      [],
    ],
  ];
  it.each(table)('shows %s', (_case, moments, expected) => {
    expect(draw(moments)).toEqual(expected);
  });

  it('keeps the order of a tab’s observations after its clock was set back', () => {
    expect(
      draw([
        [500, start(1)],
        [100, success(1)],
      ]),
    ).toEqual(['refresh 500-100 good Refresh 1']);
  });

  it('is made for each tab, with the number of refresh requests that it sent', () => {
    const sent: Observation = { type: 'refresh.sent', attempt: 1, isUserActive: false };
    const lanes = readLanes(
      entriesOf([
        [0, start(1), 'b'],
        [1, sent, 'b'],
        [5, start(1), 'a'],
      ]),
    );
    expect(lanes.map(({ tab, label, sent: count }) => [tab, label, count])).toEqual([
      ['b', 'Tab 1', 1],
      ['a', 'Tab 2', 0],
    ]);
  });

  it('tells the cause and the outcome of a refresh in words', () => {
    const [lane] = readLanes(
      entriesOf([
        [0, start(1)],
        [1, { type: 'refresh.joined', attempt: 1, caller: 1 }],
        [3, { type: 'refresh.sent', attempt: 1, isUserActive: true }],
        [80, success(1)],
      ]),
    );
    expect(lane?.refreshes[0]?.text).toBe(
      'Because the access token had expired. Sent after 3 ms. Succeeded after 80 ms; the refresh token was rotated. 1 request waited for it.',
    );
  });
});

describe('a link', () => {
  it('leads from the refresh of one tab to the tabs that adopted it, but not to a much later adoption', () => {
    const lanes = readLanes(
      entriesOf([
        [0, start(1), 'a'],
        [80, success(1), 'a'],
        [95, { type: 'session.adopted', from: 'another-tab' }, 'b'],
        [99, { type: 'refresh.started', attempt: 1, cause: 'expired' }, 'c'],
        [120, { type: 'refresh.adopted', attempt: 1 }, 'c'],
        [60_000, { type: 'session.adopted', from: 'another-tab' }, 'd'],
      ]),
    );
    expect(readLinks(lanes)).toEqual([
      { fromTab: 'a', fromMs: 80, toTab: 'b', toMs: 95 },
      { fromTab: 'a', fromMs: 80, toTab: 'c', toMs: 120 },
    ]);
  });
});

it('overlapping spans are in different rows, others share a row', () => {
  const span = (fromMs: number, toMs: number | null): Span => ({ ...({} as Span), fromMs, toMs });
  const rows = packRows([span(0, 10), span(5, null), span(20, 30), span(25, 26)], 40);
  expect(rows.map((row) => row.map(({ fromMs }) => fromMs))).toEqual([[0, 20], [5], [25]]);
});
