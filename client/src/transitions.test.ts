import { describe, expect, it } from 'vitest';
import { defaultPolicy } from './policy.ts';
import { describe as describeState, initialState, transition } from './session.ts';
import type { SessionEvent, SessionState } from './session-state.ts';
import { config, outcomesOf, START, states } from './testing/machine-states.ts';

// The whole machine on two pages: every state against every event. Each line reads: what becomes of the state and what the
// shell is asked to do, and by which events; what is not named changes nothing. A user loses a session, or a request, wherever
// one of these lines is wrong. Caller 1 was parked before, caller 2 comes with the event.

const table: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  restoring: {
    restoring: ['foreground', 'background', 'store changed', 'token wanted', 'step-up wanted', 'vault unavailable'],
    'restoring, 2 user-changed': ['token of another owner wanted'],
    'restoring storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault': ['sign-out wanted'],
    'restoring, endRefresh': ['lock settled'],
    active: ['read: as it was', 'read: newer'],
    'signed-out (user)': ['read: signed out'],
    'signed-out (storage-lost)': ['read: lost'],
    'signed-out (never-signed-in)': ['read: nothing'],
  },
  'signed out': {
    'signed-out (never-signed-in), readVault': ['foreground', 'store changed'],
    'signed-out (never-signed-in), 2 signed-out': ['token wanted', 'token of another owner wanted', 'step-up wanted'],
    'signed-out (never-signed-in) storing, writeVault': ['signed in'],
    'signed-out (never-signed-in), endRefresh': ['lock settled'],
  },
  active: {
    'active, readVault': ['foreground', 'store changed'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token of another owner wanted'],
    'active biometric, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'extend'],
    active: ['token accepted'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock settled'],
  },
  'active, parked': {
    'active, readVault': ['foreground', 'store changed'],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token of another owner wanted'],
    'active biometric, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'extend'],
    active: ['token accepted', 'caller left'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock settled'],
  },
  'active, syncing': {
    active: [
      'foreground',
      'store changed',
      'token accepted',
      'read: as it was',
      'read: newer',
      'read: lost',
      'read: nothing',
      'vault unavailable',
    ],
    'active, 2 granted': ['token wanted'],
    'active, 2 user-changed': ['token of another owner wanted'],
    'active biometric, reauthenticate': ['step-up wanted'],
    'active locking, acquireLock': ['token refused', 'extend'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock settled'],
    'signed-out (user)': ['read: signed out'],
  },
  'active, backing off': {
    'active locking, readVault, acquireLock': ['foreground'],
    'active locking, acquireLock': ['online', 'extend'],
    'active, readVault': ['store changed'],
    active: ['token wanted', 'token refused', 'token accepted', 'caller left'],
    'active, 2 user-changed': ['token of another owner wanted'],
    'active biometric, reauthenticate': ['step-up wanted'],
    'active storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active, endRefresh': ['lock settled'],
  },
  'active, step-up by biometric': {
    'active biometric, readVault': ['foreground', 'store changed'],
    'active biometric, 2 granted': ['token wanted'],
    'active biometric, 2 user-changed': ['token of another owner wanted'],
    'active biometric': ['step-up wanted', 'token accepted'],
    'active locking biometric, acquireLock': ['token refused', 'extend'],
    'active biometric storing, writeVault': ['signed in'],
    'signed-out (user) burying, 2 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active password': ['biometric failed'],
    'active biometric, endRefresh': ['lock settled'],
  },
  'active, step-up by password': {
    'active password, readVault': ['foreground', 'store changed'],
    'active password, 2 granted': ['token wanted'],
    'active password, 2 user-changed': ['token of another owner wanted'],
    'active password': ['step-up wanted', 'token accepted'],
    'active locking password, acquireLock': ['token refused', 'extend'],
    'active password storing, writeVault': ['signed in'],
    'signed-out (user) burying, 2 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active, 2 step-up-declined': ['password cancelled'],
    'active password, endRefresh': ['lock settled'],
  },
  locking: {
    'active locking, readVault': ['foreground', 'store changed'],
    'active locking': ['token wanted', 'token refused', 'token accepted', 'caller left', 'extend'],
    'active locking, 2 user-changed': ['token of another owner wanted'],
    'active locking biometric, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active reading, readVault': ['lock settled', 'vault unavailable', 'no answer'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
  },
  reading: {
    'active reading, readVault': ['foreground', 'store changed'],
    'active reading': ['token wanted', 'token refused', 'token accepted', 'caller left', 'extend'],
    'active reading, 2 user-changed': ['token of another owner wanted'],
    'active reading biometric, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'active requesting, sendRefresh': ['read: as it was'],
    'active, endRefresh, 1 granted': ['read: newer'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
    'reauth-required biometric, endRefresh, reauthenticate': ['read: lost', 'read: nothing'],
    'active, endRefresh': ['vault unavailable', 'no answer'],
  },
  requesting: {
    'active requesting, readVault': ['foreground', 'store changed'],
    'active requesting': ['user active', 'token wanted', 'token refused', 'token accepted', 'caller left', 'extend'],
    'active requesting, 2 user-changed': ['token of another owner wanted'],
    'active requesting biometric, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
    'active, endRefresh': ['vault unavailable', 'answer: 503', 'no answer'],
    'active committing, writeVault': ['answer: tokens'],
    'active rereading, readVault': ['answer: invalid_grant', 'answer: 429'],
    'active reading, readVault': ['answer: nonce'],
  },
  committing: {
    'active committing, readVault': ['foreground', 'store changed'],
    'active committing': ['user active', 'token wanted', 'token refused', 'token accepted', 'caller left', 'extend'],
    'active committing, 2 user-changed': ['token of another owner wanted'],
    'active committing biometric, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out', 'buried by another'],
    'active, endRefresh, 1 granted': ['written', 'written by another'],
    'active committing, writeVault': ['damaged meanwhile', 'emptied meanwhile'],
    'active unwritten, endRefresh, 1 granted': ['vault unavailable', 'no answer'],
  },
  rereading: {
    'active rereading, readVault': ['foreground', 'store changed'],
    'active rereading': ['user active', 'token wanted', 'token refused', 'token accepted', 'caller left', 'extend'],
    'active rereading, 2 user-changed': ['token of another owner wanted'],
    'active rereading biometric, reauthenticate': ['step-up wanted'],
    'active storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'reauth-required biometric, endRefresh, reauthenticate': ['read: as it was', 'read: lost', 'read: nothing'],
    'active, endRefresh, 1 granted': ['read: newer'],
    'signed-out (user), endRefresh, 1 signed-out': ['read: signed out'],
    'active, endRefresh': ['vault unavailable', 'no answer'],
  },
  'reauthentication by biometric': {
    'reauth-required biometric, readVault': ['foreground', 'store changed'],
    'reauth-required biometric': ['token wanted', 'step-up wanted', 'caller left'],
    'reauth-required biometric, 2 user-changed': ['token of another owner wanted'],
    'reauth-required biometric storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'reauth-required password': ['biometric failed'],
    'reauth-required biometric, endRefresh': ['lock settled'],
  },
  'reauthentication by password': {
    'reauth-required password, readVault': ['foreground', 'store changed'],
    'reauth-required password': ['token wanted', 'step-up wanted', 'caller left'],
    'reauth-required password, 2 user-changed': ['token of another owner wanted'],
    'reauth-required password storing, writeVault': ['signed in'],
    'signed-out (user) burying, 1 signed-out, writeVault, revoke': ['sign-out wanted'],
    'signed-out (reauth-failed) burying, 1 signed-out, writeVault': ['password cancelled'],
    'reauth-required password, endRefresh': ['lock settled'],
  },
  'restoring, storing a sign-in': {
    'restoring storing': ['foreground', 'background', 'store changed', 'token wanted', 'step-up wanted'],
    'restoring storing, 2 user-changed': ['token of another owner wanted'],
    'restoring storing, revoke, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'restoring storing, endRefresh': ['lock settled'],
    'active storing': ['read: as it was', 'read: newer'],
    'signed-out (user) storing': ['read: signed out'],
    'signed-out (storage-lost) storing': ['read: lost'],
    'signed-out (never-signed-in) storing': ['read: nothing'],
    active: ['written'],
    'restoring storing, writeVault': [
      'written by another',
      'buried by another',
      'damaged meanwhile',
      'emptied meanwhile',
    ],
    'active unwritten': ['vault unavailable'],
  },
  'storing a sign-in': {
    'signed-out (never-signed-in) storing, readVault': ['foreground', 'store changed'],
    'signed-out (never-signed-in) storing': ['token wanted', 'step-up wanted'],
    'signed-out (never-signed-in) storing, 2 signed-out': ['token of another owner wanted'],
    'signed-out (never-signed-in) storing, revoke, writeVault': ['signed in'],
    'signed-out (never-signed-in) storing, writeVault': [
      'written by another',
      'buried by another',
      'damaged meanwhile',
      'emptied meanwhile',
    ],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'signed-out (never-signed-in) storing, endRefresh': ['lock settled'],
    active: ['written'],
    'active unwritten': ['vault unavailable'],
  },
  'a sign-in that could not be stored': {
    'active unwritten, writeVault, readVault': ['foreground', 'store changed'],
    'active unwritten': ['user active', 'token refused', 'extend'],
    'active unwritten, 2 granted': ['token wanted'],
    'active unwritten, 2 user-changed': ['token of another owner wanted'],
    'active biometric unwritten, reauthenticate': ['step-up wanted'],
    'active storing unwritten, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten, endRefresh': ['lock settled'],
  },
  'a sign-in that is stored late': {
    'active unwritten, readVault': ['foreground', 'store changed'],
    'active unwritten': ['user active', 'token refused', 'extend', 'vault unavailable'],
    'active unwritten, 2 granted': ['token wanted'],
    'active unwritten, 2 user-changed': ['token of another owner wanted'],
    'active biometric unwritten, reauthenticate': ['step-up wanted'],
    'active storing unwritten, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten, endRefresh': ['lock settled'],
    active: ['written', 'written by another'],
    'active unwritten, writeVault': ['buried by another', 'damaged meanwhile', 'emptied meanwhile'],
  },
  'a refresh that is stored late': {
    'active unwritten, readVault': ['foreground', 'store changed'],
    'active unwritten': ['user active', 'token refused', 'extend', 'vault unavailable'],
    'active unwritten, 2 granted': ['token wanted'],
    'active unwritten, 2 user-changed': ['token of another owner wanted'],
    'active biometric unwritten, reauthenticate': ['step-up wanted'],
    'active storing unwritten, writeVault': ['signed in'],
    'signed-out (user) burying, writeVault, revoke': ['sign-out wanted'],
    'active unwritten, endRefresh': ['lock settled'],
    active: ['written', 'written by another', 'damaged meanwhile', 'emptied meanwhile'],
    'signed-out (user)': ['buried by another'],
  },
  'burying a session': {
    'signed-out (user) burying, readVault': ['foreground', 'store changed'],
    'signed-out (user) burying, 2 signed-out': ['token wanted', 'token of another owner wanted', 'step-up wanted'],
    'signed-out (user) storing burying, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh': ['lock settled'],
    'signed-out (user)': ['written', 'buried by another'],
    'signed-out (user) burying, writeVault': ['written by another', 'damaged meanwhile', 'emptied meanwhile'],
    'signed-out (user) burying': ['vault unavailable'],
  },
};

it('knows every state', () => {
  expect(Object.keys(table)).toEqual(Object.keys(states));
});

it.each(Object.entries(states))('%s', (name, steps) => {
  expect(outcomesOf(steps)).toEqual(table[name]);
});

describe('the machine', () => {
  const now = START;

  it('ignores every event that belongs to nothing, in every phase', () => {
    const start = initialState(0.5, now);
    const [restored] = transition(start, { type: 'woke' }, now, defaultPolicy, config);
    const [signedOut] = transition(
      restored,
      { type: 'vaultRead', operation: -1, record: null },
      now,
      defaultPolicy,
      config,
    );
    const strays: SessionEvent[] = [
      { type: 'vaultRead', operation: 99, record: null },
      { type: 'vaultWritten', operation: 99, isReplaced: true, record: null },
      { type: 'vaultUnavailable', operation: 99, random: 0 },
      { type: 'refreshAnswered', attempt: 99, answer: { kind: 'rejected', reason: 'revoked' }, random: 0 },
      { type: 'refreshFailed', attempt: 99, random: 0 },
      { type: 'callerLeft', caller: 99 },
      { type: 'tokenTried', generation: 99, isRefused: true, isDoubted: false },
      { type: 'tokenTried', generation: 99, isRefused: false, isDoubted: false },
      { type: 'reauthenticationFailed', stage: 'password', why: 'cancelled' },
      { type: 'woke' },
    ];
    for (const state of [restored, signedOut] satisfies SessionState[])
      for (const event of strays)
        expect(transition(state, event, now, defaultPolicy, config).slice(0, 2)).toEqual([state, []]);
  });

  it('gives back a lock that comes after nobody needs it', () => {
    const [state] = transition(initialState(0.5, now), { type: 'woke' }, now, defaultPolicy, config);
    const [, effects] = transition(state, { type: 'lockSettled', attempt: 7 }, now, defaultPolicy, config);
    expect(effects).toEqual([{ type: 'endRefresh', attempt: 7 }]);
  });

  it('wants no wake-up while nothing can happen by itself, and its description holds no secret', () => {
    const [state, , wakeInMs] = transition(initialState(0.5, now), { type: 'woke' }, now, defaultPolicy, config);
    expect(wakeInMs).toBe(Infinity);
    expect(describeState(state)).toMatchObject({ phase: 'restoring', waiting: 0, flight: null });
  });
});
