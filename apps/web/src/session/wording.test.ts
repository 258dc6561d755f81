import type { SignedInSession } from 'holdfast/react';
import { describe, expect, it } from 'vitest';
import { formatMoment } from './clock.ts';
import { reportExtension, summarizeSession } from './wording.ts';

const active: Extract<SignedInSession, { status: 'active' }> = {
  status: 'active',
  user: { sub: 'ada' },
  sid: 'session',
  freshness: 'verified',
  accessTokenExpiresAtMs: null,
  sessionStartedAtMs: 0,
  sessionExpiresAtMs: null,
  isExpiring: false,
  isExtendable: true,
  isRefreshing: false,
  isDoubtful: false,
  refusal: null,
  stepUp: null,
  tokenNumber: 1,
  parkedRequests: 0,
};

it('a session in doubt is not shown as well: the server’s words, and what the user can do', () => {
  expect(summarizeSession(active, 'reached')).toMatchObject({ tone: 'good', label: 'Active' });
  const doubtful = { ...active, isDoubtful: true, refusal: 'invalid_client: Client is disabled' };
  for (const session of [doubtful, { ...doubtful, freshness: 'offline' } as const, { ...doubtful, isRefreshing: true }])
    expect(summarizeSession(session, 'reached')).toEqual({
      tone: 'bad',
      label: 'In doubt',
      detail: 'The server does not renew this session (invalid_client: Client is disabled). Sign out and in again.',
    });
});

it('a session whose token lives is not called confirmed while the server cannot be reached', () => {
  const told = (reach: Parameters<typeof summarizeSession>[1]): unknown => summarizeSession(active, reach);
  expect(told('offline')).toMatchObject({ tone: 'wait', label: 'Offline' });
  expect(told('silent')).toMatchObject({ tone: 'wait', label: 'Server out of reach' });
  const ended = { ...active, isDoubtful: true, refusal: 'invalid_client' };
  expect(summarizeSession(ended, 'offline')).toMatchObject({ tone: 'bad', label: 'In doubt' });
});

const asked = { tokenNumber: 1, endsAtMs: Date.UTC(2_026, 0, 1, 12) };
const laterMs = asked.endsAtMs + 60_000;
const ending = { ...active, sessionExpiresAtMs: asked.endsAtMs, isExpiring: true };

describe('“Extend” says what it did', () => {
  it.each([
    ['nothing yet', { isRefreshing: true }, 'The server is asked …'],
    [
      'a later end',
      { tokenNumber: 2, sessionExpiresAtMs: laterMs },
      `Extended: the session now lasts until ${formatMoment(laterMs)}, if unused.`,
    ],
    ['an end that the server does not name', { tokenNumber: 2, sessionExpiresAtMs: null }, 'Extended.'],
    ['no later end', { tokenNumber: 2 }, `Not extended: the session still ends at ${formatMoment(asked.endsAtMs)}.`],
    ['no server', { freshness: 'offline' }, 'Not extended yet: the server is out of reach. It is tried again.'],
    [
      'a refusal',
      { refusal: 'invalid_client' },
      'Not extended: the server refuses (invalid_client). It is tried again.',
    ],
  ] as const)('%s', (_case, changed, words) => {
    expect(reportExtension(asked, { ...ending, ...changed })).toBe(words);
  });
});
