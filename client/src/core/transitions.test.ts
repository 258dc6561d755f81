import { describe, expect, it } from 'vitest';
import { beginSession } from '../runtime/sign-in.ts';
import { configOf, outcomesOf, START, states } from '../testing/machine-states.ts';
import type { Instant } from './instant.ts';
import { defaultPolicy } from './policy.ts';
import { describe as describeState, initialState, transition } from './session.ts';
import type { SessionEvent, SessionState } from './state.ts';
import type { Tokens } from './token-result.ts';

// Every state of the machine against every event, for a session whose refresh token is handed out in the body.
// Differences with a cookie or without a refresh token are in transitions-by-delivery.test.ts, the effect of time in
// transitions-by-time.test.ts. Each line gives the changes of the state and the effects for the shell, and then the
// events that cause them. Events that are not named change nothing. A wrong line means that a user loses a session or a
// request. Caller 1 was parked before; caller 2 comes with the event. "User noted": the machine knows that the user was
// active after the last refresh that reported activity. "User told": a refresh or a sign-in reports it.

const table: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  restoring: {
    restoring: [
      'foreground',
      'resumed',
      'offline',
      'store changed',
      'token wanted',
      'step-up wanted',
      'vault unavailable',
    ],
    'restoring, user told': ['background'],
    'restoring, 2 user-changed': ['token under another user epoch wanted'],
    'restoring storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault': ['sign-out wanted'],
    'restoring, endRefresh': ['lock had', 'lock not had'],
    'active, new token': ['read: as it was', 'read: newer'],
    'signed-out (user)': ['read: signed out'],
    'signed-out (storage-lost)': ['read: lost'],
    'signed-out (never-signed-in)': ['read: nothing'],
  },
  'signed out': {
    'signed-out (user), readVault': ['foreground', 'resumed', 'store changed'],
    'signed-out (user)': ['offline'],
    'signed-out (user), 2 signed-out': ['token wanted', 'token under another user epoch wanted', 'step-up wanted'],
    'signed-out (user) storing, writeVault': ['signed in'],
    'signed-out (user), endRefresh': ['lock had', 'lock not had'],
  },
  active: {
    'active, readVault': ['foreground', 'resumed', 'store changed'],
    active: ['offline', 'token accepted'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock had', 'lock not had'],
  },
  'active, parked': {
    'active, readVault': ['foreground', 'resumed', 'store changed'],
    active: ['offline', 'token accepted', 'caller left'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock had', 'lock not had'],
  },
  'active, syncing': {
    active: [
      'foreground',
      'resumed',
      'offline',
      'store changed',
      'token wanted',
      'step-up wanted',
      'token accepted',
      'read: as it was',
      'read: lost',
      'read: nothing',
      'vault unavailable',
    ],
    'active, 2 user-changed': ['token under another user epoch wanted'],
    'active locking, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock had', 'lock not had'],
    'active, new token': ['read: newer'],
    'signed-out (user)': ['read: signed out'],
  },
  'active, ending before its token': {
    'active, readVault': ['foreground', 'resumed', 'store changed'],
    active: ['offline', 'token accepted'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock had', 'lock not had'],
  },
  'active, ending with its token, nobody there': {
    'active, readVault': ['foreground', 'resumed', 'store changed'],
    'active, user noted': ['user active'],
    active: ['offline', 'token accepted'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'token doubted'],
    'active locking, user noted, acquireLock': ['extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock had', 'lock not had'],
  },
  'active, backing off': {
    'active locking, readVault, acquireLock': ['foreground', 'resumed'],
    'active locking, acquireLock': ['online', 'token refused', 'token doubted', 'token accepted', 'extend'],
    'active backing off': ['offline', 'token wanted', 'caller left'],
    'active backing off, readVault': ['store changed'],
    'active backing off, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey backing off, reauthenticate': ['step-up wanted'],
    'active storing backing off, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active backing off, endRefresh': ['lock had', 'lock not had'],
  },
  'active, step-up by passkey': {
    'active passkey, readVault': ['foreground', 'resumed', 'store changed'],
    'active passkey': ['offline', 'step-up wanted', 'token accepted'],
    'active passkey, 2 granted': ['token wanted'],
    'active passkey, 2 user-changed': ['token under another user epoch wanted'],
    'active locking passkey, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active passkey storing, writeVault': ['signed in'],
    'signed-out (user) burying, 2 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active password': ['passkey failed'],
    'active passkey, endRefresh': ['lock had', 'lock not had'],
  },
  'active, step-up by password': {
    'active password, readVault': ['foreground', 'resumed', 'store changed'],
    'active password': ['offline', 'step-up wanted', 'token accepted'],
    'active password, 2 granted': ['token wanted'],
    'active password, 2 user-changed': ['token under another user epoch wanted'],
    'active locking password, acquireLock': ['token refused', 'token doubted', 'extend'],
    'active password storing, writeVault': ['signed in'],
    'signed-out (user) burying, 2 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active, 2 step-up-declined': ['password cancelled'],
    'active password, endRefresh': ['lock had', 'lock not had'],
  },
  locking: {
    'active locking, readVault': ['foreground', 'resumed', 'store changed'],
    'active locking': ['offline', 'token wanted', 'token refused', 'token accepted', 'caller left'],
    'active locking wanting extend': ['extend'],
    'active locking, 2 user-changed': ['token under another user epoch wanted'],
    'active locking passkey, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active reading, readVault': ['lock had', 'vault unavailable', 'no answer'],
    'active locking, acquireLock': ['lock not had'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
  },
  reading: {
    'active reading, readVault': ['foreground', 'resumed', 'store changed'],
    'active reading': ['offline', 'token wanted', 'token refused', 'token accepted', 'caller left'],
    'active reading wanting extend': ['extend'],
    'active reading, 2 user-changed': ['token under another user epoch wanted'],
    'active reading passkey, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active requesting, user told, sendRefresh': ['read: as it was'],
    'active, new token, endRefresh, 1 granted': ['read: newer'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
    'reauthentication-required passkey, endRefresh, reauthenticate': ['read: lost', 'read: nothing'],
    'active backing off, endRefresh': ['vault unavailable', 'no answer'],
  },
  requesting: {
    'active requesting, readVault': ['foreground', 'resumed', 'store changed'],
    'active requesting, user noted': ['user active'],
    'active requesting': ['offline', 'token wanted', 'token refused', 'token accepted', 'caller left'],
    'active requesting, 2 user-changed': ['token under another user epoch wanted'],
    'active requesting passkey, reauthenticate': ['step-up wanted'],
    'active requesting wanting extend, user noted': ['extend'],
    'active storing, user noted, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, user noted, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), user noted, endRefresh, 1 signed-out': ['read: signed out'],
    'active backing off, user noted, endRefresh': ['vault unavailable', 'answer: 503', 'no answer'],
    'active committing, writeVault': ['answer: tokens'],
    'active rereading, readVault': ['answer: invalid_grant', 'answer: 429'],
    'active reading, readVault': ['answer: nonce'],
  },
  committing: {
    'active committing, readVault': ['foreground', 'resumed', 'store changed'],
    'active committing, user noted': ['user active'],
    'active committing': ['offline', 'token wanted', 'token refused', 'token accepted', 'caller left'],
    'active committing, 2 user-changed': ['token under another user epoch wanted'],
    'active committing passkey, reauthenticate': ['step-up wanted'],
    'active committing wanting extend, user noted': ['extend'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out', 'buried by another'],
    'active, new token, endRefresh, 1 granted': ['written', 'written by another'],
    'active committing, writeVault': ['damaged meanwhile', 'emptied meanwhile'],
    'active unwritten, new token, endRefresh, 1 granted': ['vault unavailable', 'no answer'],
  },
  rereading: {
    'active rereading, readVault': ['foreground', 'resumed', 'store changed'],
    'active rereading, user noted': ['user active'],
    'active rereading': ['offline', 'token wanted', 'token refused', 'token accepted', 'caller left'],
    'active rereading, 2 user-changed': ['token under another user epoch wanted'],
    'active rereading passkey, reauthenticate': ['step-up wanted'],
    'active rereading wanting extend, user noted': ['extend'],
    'active storing, user noted, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, user noted, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'reauthentication-required passkey, user noted, endRefresh, reauthenticate': [
      'read: as it was',
      'read: lost',
      'read: nothing',
    ],
    'active, new token, user noted, endRefresh, 1 granted': ['read: newer'],
    'signed-out (user), user noted, endRefresh, 1 signed-out': ['read: signed out'],
    'active backing off, user noted, endRefresh': ['vault unavailable', 'no answer'],
  },
  'reauthentication by passkey': {
    'reauthentication-required passkey, readVault': ['foreground', 'resumed', 'store changed'],
    'reauthentication-required passkey': ['offline', 'token wanted', 'step-up wanted', 'caller left'],
    'reauthentication-required passkey, 2 user-changed': ['token under another user epoch wanted'],
    'reauthentication-required passkey storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'reauthentication-required password': ['passkey failed'],
    'reauthentication-required passkey, endRefresh': ['lock had', 'lock not had'],
  },
  'reauthentication by password': {
    'reauthentication-required password, readVault': ['foreground', 'resumed', 'store changed'],
    'reauthentication-required password': ['offline', 'token wanted', 'step-up wanted', 'caller left'],
    'reauthentication-required password, 2 user-changed': ['token under another user epoch wanted'],
    'reauthentication-required password storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (reauthentication-failed) burying, 1 signed-out, writeVault': ['password cancelled'],
    'reauthentication-required password, endRefresh': ['lock had', 'lock not had'],
  },
  'restoring, storing a sign-in': {
    'restoring storing': ['foreground', 'resumed', 'offline', 'store changed', 'token wanted', 'step-up wanted'],
    'restoring storing, user told': ['background'],
    'restoring storing, 2 user-changed': ['token under another user epoch wanted'],
    'restoring storing, revoke, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'restoring storing, endRefresh': ['lock had', 'lock not had'],
    'active storing, new token': ['read: as it was', 'read: newer'],
    'signed-out (user) storing': ['read: signed out'],
    'signed-out (storage-lost) storing': ['read: lost'],
    'signed-out (never-signed-in) storing': ['read: nothing'],
    'active, new token, user told': ['written'],
    'restoring storing, writeVault': [
      'written by another',
      'buried by another',
      'damaged meanwhile',
      'emptied meanwhile',
    ],
    'active unwritten sign-in, new token, user told': ['vault unavailable'],
  },
  'storing a sign-in': {
    'signed-out (user) storing, readVault': ['foreground', 'resumed', 'store changed'],
    'signed-out (user) storing': ['offline', 'token wanted', 'step-up wanted'],
    'signed-out (user) storing, 2 signed-out': ['token under another user epoch wanted'],
    'signed-out (user) storing, revoke, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user) storing, endRefresh': ['lock had', 'lock not had'],
    'active, new token, user told': ['written'],
    'signed-out (user) storing, writeVault': [
      'written by another',
      'buried by another',
      'damaged meanwhile',
      'emptied meanwhile',
    ],
    'active unwritten sign-in, new token, user told': ['vault unavailable'],
  },
  'a sign-in that could not be stored': {
    'active unwritten sign-in, writeVault, readVault': ['foreground', 'resumed', 'store changed'],
    'active unwritten sign-in, user noted': ['user active'],
    'active unwritten sign-in': ['offline', 'token refused', 'token accepted'],
    'active unwritten sign-in wanting refused': ['token doubted'],
    'active unwritten sign-in, 2 granted': ['token wanted'],
    'active unwritten sign-in, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey unwritten sign-in, reauthenticate': ['step-up wanted'],
    'active unwritten sign-in wanting extend, user noted': ['extend'],
    'active storing unwritten sign-in, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten sign-in, endRefresh': ['lock had', 'lock not had'],
    'active unwritten': ['written late'],
  },
  'a sign-in that is stored late': {
    'active unwritten sign-in, readVault': ['foreground', 'resumed', 'store changed'],
    'active unwritten sign-in, user noted': ['user active'],
    'active unwritten sign-in': ['offline', 'token refused', 'token accepted', 'vault unavailable'],
    'active unwritten sign-in wanting refused': ['token doubted'],
    'active unwritten sign-in, 2 granted': ['token wanted'],
    'active unwritten sign-in, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey unwritten sign-in, reauthenticate': ['step-up wanted'],
    'active unwritten sign-in wanting extend, user noted': ['extend'],
    'active storing unwritten sign-in, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten sign-in, endRefresh': ['lock had', 'lock not had'],
    active: ['written'],
    'active, new token': ['written by another'],
    'active unwritten sign-in, writeVault': ['buried by another', 'damaged meanwhile', 'emptied meanwhile'],
    'active unwritten': ['written late'],
  },
  'a refresh that is stored late': {
    'active unwritten, readVault': ['foreground', 'resumed', 'store changed'],
    'active unwritten, user noted': ['user active'],
    'active unwritten': ['offline', 'token refused', 'token accepted', 'written late', 'vault unavailable'],
    'active unwritten wanting refused': ['token doubted'],
    'active unwritten, 2 granted': ['token wanted'],
    'active unwritten, 2 user-changed': ['token under another user epoch wanted'],
    'active passkey unwritten, reauthenticate': ['step-up wanted'],
    'active unwritten wanting extend, user noted': ['extend'],
    'active storing unwritten, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten, endRefresh': ['lock had', 'lock not had'],
    active: ['written', 'written by another', 'damaged meanwhile', 'emptied meanwhile'],
    'signed-out (user)': ['buried by another'],
  },
  'burying a session': {
    'signed-out (user) burying, readVault': ['foreground', 'resumed', 'store changed'],
    'signed-out (user) burying': ['offline', 'vault unavailable'],
    'signed-out (user) burying, 2 signed-out': [
      'token wanted',
      'token under another user epoch wanted',
      'step-up wanted',
    ],
    'signed-out (user) storing burying, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh': ['lock had', 'lock not had'],
    'signed-out (user)': ['written', 'buried by another'],
    'signed-out (user) burying, writeVault': ['written by another', 'damaged meanwhile', 'emptied meanwhile'],
  },
};

it('knows every state', () => {
  expect(Object.keys(table)).toEqual(Object.keys(states.body));
});

it.each(Object.keys(states.body))('%s', (name) => {
  expect(outcomesOf('body', name)).toEqual(table[name]);
});

describe('the machine', () => {
  const now = START;
  const config = configOf('body');

  it('ignores, in every phase, events of operations that are not under way', () => {
    const start = initialState(0.5, now);
    const [restored] = transition(start, { type: 'woke' }, now, defaultPolicy, config);
    const [signedOut] = transition(
      restored,
      { type: 'vaultRead', operation: -1, record: null },
      now,
      defaultPolicy,
      config,
    );
    const trial = { tokenNumber: 99, before: null, origin: 'o', url: 'o/e', aheadMs: NaN };
    const strays: SessionEvent[] = [
      { type: 'vaultRead', operation: 99, record: null },
      { type: 'vaultWritten', operation: 99, isSwapped: true, record: null },
      { type: 'vaultUnavailable', operation: 99, random: 0 },
      { type: 'refreshAnswered', attempt: 99, answer: { kind: 'rejected', reason: 'revoked' }, random: 0 },
      { type: 'refreshFailed', attempt: 99, random: 0 },
      { type: 'callerLeft', caller: 99 },
      { type: 'tokenTried', trial: { ...trial, verdict: 'refused' } },
      { type: 'tokenTried', trial: { ...trial, verdict: 'bare' } },
      { type: 'reauthenticationFailed', stage: 'password', why: 'cancelled' },
      { type: 'woke' },
    ];
    for (const state of [restored, signedOut] satisfies SessionState[])
      for (const event of strays)
        expect(transition(state, event, now, defaultPolicy, config).slice(0, 2)).toEqual([state, []]);
  });

  const tokens: Tokens = {
    accessToken: 'access-1',
    tokenType: 'Bearer',
    lifetimeMs: 900_000,
    refreshToken: 'refresh-1',
    scope: null,
    sid: 'session-1',
    sub: 'user-1',
    sessionLifetimeMs: 86_400_000,
  };
  const { stored } = beginSession(tokens, now, null);
  const later = (ms: number): Instant => ({ wallMs: now.wallMs + ms, monotonicMs: now.monotonicMs + ms });
  const play = (state: SessionState, event: SessionEvent, at = now) =>
    transition(state, event, at, defaultPolicy, config);
  const active = (): SessionState => {
    const [restoring] = play(initialState(0.5, now), { type: 'woke' });
    return play(restoring, {
      type: 'vaultRead',
      operation: -1,
      record: { version: 1, session: stored, endedReason: null },
    })[0];
  };
  const again = beginSession({ ...tokens, sid: 'session-2', accessToken: 'access-2' }, now, null);

  it('hands out no token of a record that it read before it was frozen, and reads the store again', () => {
    const waiter = { caller: 1, newerThan: 1, userEpoch: null, deadlineMs: 60_000, stepUp: null, isForNetwork: false };
    const [parked] = play(active(), {
      ...waiter,
      type: 'tokenRequested',
      pauseMs: Infinity,
      refusal: null,
      resource: null,
    });
    const [reading] = play(parked, { type: 'signalled', signal: 'store-changed' });
    const record = { version: 2, session: again.stored, endedReason: null };
    const thawed = later(20_000);
    const [adopted, effects] = play(reading, { type: 'vaultRead', operation: reading.syncing ?? 0, record }, thawed);
    expect(effects.map(({ type }) => type).filter((type) => type !== 'observe')).toEqual(['readVault']);
    const [, granted] = play(adopted, { type: 'vaultRead', operation: adopted.syncing ?? 0, record }, thawed);
    expect(granted.map(({ type }) => type)).toContain('settle');
  });

  it('extends the session that a sign-in begins, if the user asked for it while the sign-in was being stored', () => {
    const [storing] = play(active(), { type: 'signedIn', held: again });
    const [asked] = play(storing, { type: 'extendRequested' });
    const record = { version: 2, session: again.stored, endedReason: null };
    const operation = asked.storing?.operation ?? 0;
    const [signedIn] = play(asked, { type: 'vaultWritten', operation, isSwapped: true, record });
    expect(signedIn).toMatchObject({ phase: { stored: { sid: 'session-2' } }, flight: { cause: 'extend' } });
  });

  it('releases a lock that comes too late to be used', () => {
    const [state] = transition(initialState(0.5, now), { type: 'woke' }, now, defaultPolicy, config);
    const [, effects] = transition(
      state,
      { type: 'lockSettled', attempt: 7, isHeld: true },
      now,
      defaultPolicy,
      config,
    );
    expect(effects).toEqual([{ type: 'endRefresh', attempt: 7 }]);
  });

  it('asks for no wake-up while nothing is due, and its description holds no secret', () => {
    const [state, , wakeInMs] = transition(initialState(0.5, now), { type: 'woke' }, now, defaultPolicy, config);
    expect(wakeInMs).toBe(Infinity);
    expect(describeState(state)).toMatchObject({ phase: 'restoring', waiting: 0, flight: null });
  });
});
