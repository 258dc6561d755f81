import { expect, it } from 'vitest';
import type { SignedInSession } from 'holdfast/react';
import { summarizeSession } from './wording.ts';

const active: Extract<SignedInSession, { status: 'active' }> = {
  status: 'active',
  user: { sub: 'ada' },
  sid: 'session',
  freshness: 'verified',
  accessExpiresAt: null,
  sessionStartedAt: 0,
  sessionExpiresAt: null,
  expiring: false,
  extendable: true,
  refreshing: false,
  isDoubtful: false,
  refusal: null,
  stepUp: null,
  generation: 1,
  parkedRequests: 0,
};

it('a session in doubt is not shown as well: the server’s words, and what the user can do', () => {
  expect(summarizeSession(active)).toMatchObject({ tone: 'good', label: 'Active' });
  const doubtful = { ...active, isDoubtful: true, refusal: 'invalid_client: Client is disabled' };
  for (const session of [doubtful, { ...doubtful, freshness: 'offline' } as const, { ...doubtful, refreshing: true }])
    expect(summarizeSession(session)).toEqual({
      tone: 'bad',
      label: 'In doubt',
      detail: 'The server does not renew this session (invalid_client: Client is disabled). Sign out and in again.',
    });
});
