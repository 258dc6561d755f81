import { describe, expect, it } from 'vitest';
import { outcomesOfTime, states } from '../testing/machine-states.ts';

// The effect of time alone on every state, in the form of transitions.test.ts: after how many seconds, the changes of
// the state and the effects for the shell. Each list has the first four changes. No port ever answers meanwhile. Every
// wait ends by itself, except where the shell ends it (it gives up a vault that does not answer) or the user does.

type Table = Readonly<Record<string, readonly string[]>>;

const withRefreshToken: Table = {
  restoring: [],
  'signed out': [],
  active: [
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
    '646 s: active backing off, endRefresh',
    '646.375 s: active locking backing off, acquireLock',
  ],
  'active, parked': [
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
    '646 s: active backing off, endRefresh',
    '646.375 s: active locking backing off, acquireLock',
  ],
  'active, syncing': [
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
    '646 s: active backing off, endRefresh',
    '646.375 s: active locking backing off, acquireLock',
  ],
  'active, ending before its token': [
    '100 s: active, warned 300 s before',
    '340 s: active, warned 60 s before',
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
  ],
  'active, ending with its token, nobody there': [
    '600 s: active, warned 300 s before',
    '840 s: active, warned 60 s before',
    '900 s: active locking, acquireLock',
    '906 s: active reading, readVault',
  ],
  'active, backing off': [
    '0.375 s: active locking backing off, acquireLock',
    '6.375 s: active reading backing off, readVault',
    '16.375 s: active backing off, endRefresh',
    '17.125 s: active locking backing off, acquireLock',
  ],
  'active, step-up by passkey': [
    '60 s: active passkey, 2 deadline-exceeded',
    '630 s: active locking passkey, acquireLock',
    '636 s: active reading passkey, readVault',
    '646 s: active passkey backing off, endRefresh',
  ],
  'active, step-up by password': [
    '60 s: active password, 2 deadline-exceeded',
    '630 s: active locking password, acquireLock',
    '636 s: active reading password, readVault',
    '646 s: active password backing off, endRefresh',
  ],
  locking: [
    '6 s: active reading, readVault',
    '16 s: active backing off, endRefresh',
    '16.375 s: active locking backing off, acquireLock',
    '22.375 s: active reading backing off, readVault',
  ],
  reading: [
    '10 s: active backing off, endRefresh',
    '10.375 s: active locking backing off, acquireLock',
    '16.375 s: active reading backing off, readVault',
    '26.375 s: active backing off, endRefresh',
  ],
  requesting: [
    '15 s: active locking backing off, user noted, endRefresh, acquireLock',
    '21 s: active reading backing off, readVault',
    '31 s: active backing off, endRefresh',
    '31.75 s: active locking backing off, acquireLock',
  ],
  committing: ['5 s: active unwritten, new token, endRefresh, 1 granted', '5.375 s: active unwritten, writeVault'],
  rereading: [
    '10 s: active backing off, user noted, endRefresh',
    '10.375 s: active locking backing off, acquireLock',
    '16.375 s: active reading backing off, readVault',
    '26.375 s: active backing off, endRefresh',
  ],
  'reauthentication by passkey': [
    '30 s: reauthentication-required passkey, readVault',
    '8099.999 s: reauthentication-required passkey, 1 deadline-exceeded',
  ],
  'reauthentication by password': [
    '30 s: reauthentication-required password, readVault',
    '8099.999 s: reauthentication-required password, 1 deadline-exceeded',
  ],
  'restoring, storing a sign-in': [],
  'storing a sign-in': [],
  'a sign-in that could not be stored': [
    '0.375 s: active unwritten sign-in, writeVault',
    '86100 s: active unwritten sign-in, warned 300 s before',
    '86340 s: active unwritten sign-in, warned 60 s before',
  ],
  'a sign-in that is stored late': [
    '86095 s: active unwritten sign-in, warned 300 s before',
    '86335 s: active unwritten sign-in, warned 60 s before',
  ],
  'a refresh that is stored late': [],
  'burying a session': [],
};

/** The states that differ from a session with its refresh token in the body. */
const withCookie: Table = {
  committing: [
    '5 s: active, new token, endRefresh, 1 granted',
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
    '646 s: active backing off, endRefresh',
  ],
  'a sign-in that could not be stored': [
    '0.375 s: active unwritten sign-in, writeVault',
    '630 s: active locking unwritten sign-in, acquireLock',
    '636 s: active reading unwritten sign-in, readVault',
    '646 s: active unwritten sign-in backing off, endRefresh',
  ],
  'a sign-in that is stored late': [
    '625 s: active locking unwritten sign-in, acquireLock',
    '631 s: active reading unwritten sign-in, readVault',
    '641 s: active unwritten sign-in backing off, endRefresh',
    '641.75 s: active locking unwritten sign-in backing off, acquireLock',
  ],
  // The server may know the session: it is asked until it answers.
  'probing, locking': [
    '6 s: active probe reading, readVault',
    '16 s: active probe backing off, endRefresh',
    '16.375 s: active probe locking backing off, acquireLock',
    '22.375 s: active probe reading backing off, readVault',
  ],
  'probing, reading': [
    '10 s: active probe backing off, endRefresh',
    '10.375 s: active probe locking backing off, acquireLock',
    '16.375 s: active probe reading backing off, readVault',
    '26.375 s: active probe backing off, endRefresh',
  ],
  'probing, requesting': [
    '15 s: active probe backing off, user noted, endRefresh',
    '15.25 s: active probe locking backing off, acquireLock',
    '21.25 s: active probe reading backing off, readVault',
    '31.25 s: active probe backing off, endRefresh',
  ],
  'probing, committing': [
    '5 s: active, new token, endRefresh',
    '630 s: active locking, acquireLock',
    '636 s: active reading, readVault',
    '646 s: active backing off, endRefresh',
  ],
  'probing, rereading': [
    '10 s: active probe backing off, user noted, endRefresh',
    '10.375 s: active probe locking backing off, acquireLock',
    '16.375 s: active probe reading backing off, readVault',
    '26.375 s: active probe backing off, endRefresh',
  ],
};

const withoutRefreshToken: Table = {
  active: [
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
  ],
  'active, parked': [
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
    '9000 s: reauthentication-required passkey, 1 deadline-exceeded',
  ],
  'active, syncing': ['900 s: reauthentication-required passkey, reauthenticate'],
  'active, ending before its token': [
    '100 s: active, warned 300 s before',
    '340 s: active, warned 60 s before',
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
  ],
  'active, ending with its token, nobody there': [
    '600 s: active, warned 300 s before',
    '840 s: active, warned 60 s before',
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
  ],
  'active, step-up by passkey': [
    '60 s: active passkey, 2 deadline-exceeded',
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
  ],
  'active, step-up by password': [
    '60 s: active password, 2 deadline-exceeded',
    '900 s: reauthentication-required passkey, reauthenticate',
    '930 s: reauthentication-required passkey, readVault',
  ],
};

describe.each([
  ['with a refresh token', 'body', withRefreshToken],
  ['with a cookie', 'cookie', { ...withRefreshToken, ...withCookie }],
  ['without a refresh token', 'none', { ...withRefreshToken, ...withoutRefreshToken }],
] as const)('%s', (_name, delivery, table) => {
  it.each(Object.keys(states[delivery]))('%s', (name) => {
    expect(outcomesOfTime(delivery, name, 4)).toEqual(table[name]);
  });
});
