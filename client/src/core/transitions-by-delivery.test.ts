import { describe, expect, it } from 'vitest';
import { outcomesByEvent, states, type Delivery } from '../testing/machine-states.ts';

// Transitions of a session whose refresh token is in a cookie, or that has none, where they differ from
// transitions.test.ts. States and events that are not named behave as they do there.

type Table = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const withCookie: Table = {
  restoring: {
    'active probe locking, new token, acquireLock': ['read: lost'],
  },
  reading: {
    'active requesting, user told, sendRefresh': ['read: lost', 'read: nothing', 'vault unavailable'],
  },
  // An answer of the vault that comes so late does not belong to this step.
  requesting: { nothing: ['vault unavailable'] },
  rereading: {
    'reauthentication-required passkey, user noted, endRefresh, reauthenticate': ['vault unavailable'],
  },
  committing: {
    'active, new token, endRefresh, 1 granted': ['vault unavailable', 'no answer'],
  },
  'restoring, storing a sign-in': {
    'active probe storing, new token': ['read: lost'],
  },
  'a sign-in that could not be stored': {
    'active locking unwritten sign-in, acquireLock': ['token refused', 'token doubted'],
    'active locking unwritten sign-in, user noted, acquireLock': ['extend'],
  },
  'a sign-in that is stored late': {
    'active locking unwritten sign-in, acquireLock': ['token refused', 'token doubted'],
    'active locking unwritten sign-in, user noted, acquireLock': ['extend'],
  },
  'probing, locking': {
    'active probe locking, readVault': ['foreground', 'resumed', 'store changed'],
    'active probe locking': ['offline', 'token wanted'],
    'active probe locking wanting extend': ['extend'],
    'active probe locking, 2 user-changed': ['token under another user epoch wanted'],
    'active probe locking passkey, reauthenticate': ['step-up wanted'],
    'active probe storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, writeVault, revoke': ['sign-out wanted'],
    'active probe reading, readVault': ['lock had', 'vault unavailable', 'no answer'],
    'active probe locking, acquireLock': ['lock not had'],
    'signed-out (user), endRefresh': ['read: signed out'],
  },
  'probing, reading': {
    'active probe reading, readVault': ['foreground', 'resumed', 'store changed'],
    'active probe reading': ['offline', 'token wanted'],
    'active probe reading wanting extend': ['extend'],
    'active probe reading, 2 user-changed': ['token under another user epoch wanted'],
    'active probe reading passkey, reauthenticate': ['step-up wanted'],
    'active probe storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, writeVault, revoke': ['sign-out wanted'],
    'active, new token, endRefresh': ['read: as it was', 'read: newer'],
    'signed-out (user), endRefresh': ['read: signed out'],
    'active probe requesting, user told, sendRefresh': ['read: lost', 'read: nothing', 'vault unavailable'],
    'active probe backing off, endRefresh': ['no answer'],
  },
  'probing, requesting': {
    'active probe requesting, readVault': ['foreground', 'resumed', 'store changed'],
    'active probe requesting, user noted': ['user active'],
    'active probe requesting': ['offline', 'token wanted'],
    'active probe requesting, 2 user-changed': ['token under another user epoch wanted'],
    'active probe requesting passkey, reauthenticate': ['step-up wanted'],
    'active probe requesting wanting extend, user noted': ['extend'],
    'active probe storing, user noted, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, user noted, endRefresh, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), user noted, endRefresh': ['read: signed out'],
    'active probe backing off, user noted, endRefresh': ['answer: 503', 'no answer'],
    'active probe committing, writeVault': ['answer: tokens'],
    'active probe rereading, readVault': ['answer: invalid_grant', 'answer: 429'],
    'active probe reading, readVault': ['answer: nonce'],
  },
  'probing, committing': {
    'active probe committing, readVault': ['foreground', 'resumed', 'store changed'],
    'active probe committing, user noted': ['user active'],
    'active probe committing': ['offline', 'token wanted'],
    'active probe committing, 2 user-changed': ['token under another user epoch wanted'],
    'active probe committing passkey, reauthenticate': ['step-up wanted'],
    'active probe committing wanting extend, user noted': ['extend'],
    'active probe storing, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, endRefresh, writeVault, revoke': ['sign-out wanted'],
    'signed-out (user), endRefresh': ['read: signed out', 'buried by another'],
    'active, new token, endRefresh': ['written', 'written by another', 'vault unavailable', 'no answer'],
    'active probe committing, writeVault': ['damaged meanwhile', 'emptied meanwhile'],
  },
  'probing, rereading': {
    'active probe rereading, readVault': ['foreground', 'resumed', 'store changed'],
    'active probe rereading, user noted': ['user active'],
    'active probe rereading': ['offline', 'token wanted'],
    'active probe rereading, 2 user-changed': ['token under another user epoch wanted'],
    'active probe rereading passkey, reauthenticate': ['step-up wanted'],
    'active probe rereading wanting extend, user noted': ['extend'],
    'active probe storing, user noted, endRefresh, writeVault': ['signed in'],
    'signed-out (user) burying, user noted, endRefresh, writeVault, revoke': ['sign-out wanted'],
    'active, new token, user noted, endRefresh': ['read: as it was', 'read: newer'],
    'signed-out (user), user noted, endRefresh': ['read: signed out'],
    'signed-out (storage-lost) burying, user noted, endRefresh, writeVault': [
      'read: lost',
      'read: nothing',
      'vault unavailable',
    ],
    'active probe backing off, user noted, endRefresh': ['no answer'],
  },
};

const withoutRefreshToken: Table = {
  active: {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active wanting extend': ['extend'],
  },
  'active, parked': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active wanting extend': ['extend'],
  },
  'active, syncing': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active wanting extend': ['extend'],
  },
  'active, ending before its token': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active wanting extend': ['extend'],
  },
  'active, ending with its token, nobody there': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active wanting extend, user noted': ['extend'],
  },
  'active, step-up by passkey': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active passkey wanting extend': ['extend'],
  },
  'active, step-up by password': {
    'reauthentication-required passkey, reauthenticate': ['token refused'],
    nothing: ['token doubted'],
    'active password wanting extend': ['extend'],
  },
};

/** The outcomes that differ from those of a token in the body, each with its events. */
function differencesOf(delivery: Delivery, name: string): Readonly<Record<string, readonly string[]>> {
  const usual = states.body[name] ? outcomesByEvent('body', name) : {};
  const own = outcomesByEvent(delivery, name);
  const differences: Record<string, readonly string[]> = {};
  for (const event of new Set([...Object.keys(own), ...Object.keys(usual)])) {
    const outcome = own[event] ?? 'nothing';
    if (outcome !== (usual[event] ?? 'nothing')) differences[outcome] = [...(differences[outcome] ?? []), event];
  }
  return differences;
}

describe.each([
  ['with a cookie', 'cookie', withCookie],
  ['without a refresh token', 'none', withoutRefreshToken],
] as const)('%s', (_name, delivery, table) => {
  it('every line is about a state that exists', () => {
    expect(Object.keys(table).filter((name) => !states[delivery][name])).toEqual([]);
  });

  it.each(Object.keys(states[delivery]))('%s', (name) => {
    expect(differencesOf(delivery, name)).toEqual(table[name] ?? {});
  });
});
