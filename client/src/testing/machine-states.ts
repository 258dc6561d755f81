import type { Instant } from '../instant.ts';
import { defaultPolicy } from '../policy.ts';
import type { StoredSession, VaultRecord } from '../ports.ts';
import { initialState, transition } from '../session.ts';
import type { Effect, MachineConfig, SessionEvent, SessionState } from '../session-state.ts';
import { beginSession } from '../sign-in.ts';
import type { TokenAnswer, TransientCause } from '../token-answer.ts';

// Every state of the machine, how it is come by, and every event that may come then.

/** Servers that rotate, one stage that starts by itself, one that waits for the user. */
export const config: MachineConfig = {
  delivery: 'body',
  scope: null,
  stages: ['biometric', 'password'],
  automaticStages: ['biometric'],
  isActivityAssumed: false,
};

/** When every story begins. */
export const START: Instant = { wallMs: Date.UTC(2026, 0, 1), monotonicMs: 1_000 };
const LIFETIME_MS = 900_000;

const at = (ms: number): Instant => ({ wallMs: START.wallMs + ms, monotonicMs: START.monotonicMs + ms });

const tokens = {
  accessToken: 'access-1',
  tokenType: 'Bearer',
  lifetimeMs: LIFETIME_MS,
  refreshToken: 'refresh-1',
  scope: null,
  sid: 'session-1',
  sub: 'user-1',
  sessionLifetimeMs: 86_400_000,
} as const;
const held = beginSession(tokens, START, null);
const stored: StoredSession = held.stored;
const record: VaultRecord = { stamp: 1, session: stored, endedReason: null };
const newer: VaultRecord = {
  stamp: 2,
  session: {
    ...stored,
    refreshToken: 'refresh-2',
    access: {
      value: 'access-2',
      tokenType: 'Bearer',
      expiresAtMs: START.wallMs + 2 * LIFETIME_MS,
      lifetimeMs: LIFETIME_MS,
    },
  },
  endedReason: null,
};
const buried: VaultRecord = { stamp: 3, session: null, endedReason: 'user' };
const damaged: VaultRecord = { stamp: 3, session: null, endedReason: 'storage-lost' };
const ofAnother = beginSession({ ...tokens, sid: 'session-2', sub: 'user-2' }, START, null);
const answered: TokenAnswer = {
  kind: 'tokens',
  tokens: { ...tokens, accessToken: 'access-2', refreshToken: 'refresh-2', sessionLifetimeMs: null },
};
const noAnswer = (cause: TransientCause): TokenAnswer => ({ kind: 'transient', cause, retryAfterMs: null });

/** Events with the numbers that the state under test waits for. */
const events = (state: SessionState): Readonly<Record<string, SessionEvent>> => {
  const attempt = state.flight?.attempt ?? 99;
  const operation = state.storing?.operation ?? state.unwritten?.operation ?? state.syncing ?? attempt;
  const reading = state.syncing ?? attempt;
  const request = {
    type: 'tokenRequested',
    caller: 2,
    newerThan: 0,
    owner: null,
    deadlineMs: 60_000,
    isForNetwork: false,
  } as const;
  return {
    woke: { type: 'woke' },
    foreground: { type: 'signalled', signal: 'foreground' },
    background: { type: 'signalled', signal: 'background' },
    'user active': { type: 'signalled', signal: 'user-active' },
    online: { type: 'signalled', signal: 'online' },
    'store changed': { type: 'signalled', signal: 'store-changed' },
    'token wanted': { ...request, stepUp: null },
    'token of another owner wanted': { ...request, owner: 7, stepUp: null },
    'step-up wanted': { ...request, stepUp: { acrValues: null, maxAgeSeconds: 60 } },
    'token refused': { type: 'tokenTried', generation: state.generation, isRefused: true, isDoubted: false },
    'token accepted': { type: 'tokenTried', generation: state.generation, isRefused: false, isDoubted: false },
    'caller left': { type: 'callerLeft', caller: 1 },
    extend: { type: 'extendRequested' },
    'signed in': { type: 'signedIn', held: ofAnother },
    'sign-out wanted': { type: 'signOutRequested' },
    'biometric failed': { type: 'reauthenticationFailed', stage: 'biometric', why: 'failed' },
    'password cancelled': { type: 'reauthenticationFailed', stage: 'password', why: 'cancelled' },
    'lock settled': { type: 'lockSettled', attempt },
    'read: as it was': { type: 'vaultRead', operation: reading, record },
    'read: newer': { type: 'vaultRead', operation: reading, record: newer },
    'read: signed out': { type: 'vaultRead', operation: reading, record: buried },
    'read: lost': { type: 'vaultRead', operation: reading, record: damaged },
    'read: nothing': { type: 'vaultRead', operation: reading, record: null },
    written: { type: 'vaultWritten', operation, isReplaced: true, record: { ...newer, stamp: 2 } },
    'written by another': { type: 'vaultWritten', operation, isReplaced: false, record: newer },
    'buried by another': { type: 'vaultWritten', operation, isReplaced: false, record: buried },
    'damaged meanwhile': { type: 'vaultWritten', operation, isReplaced: false, record: damaged },
    'emptied meanwhile': { type: 'vaultWritten', operation, isReplaced: false, record: null },
    'vault unavailable': { type: 'vaultUnavailable', operation, random: 0.5 },
    'answer: tokens': { type: 'refreshAnswered', attempt, answer: answered, random: 0.5 },
    'answer: invalid_grant': {
      type: 'refreshAnswered',
      attempt,
      answer: { kind: 'rejected', reason: 'revoked' },
      random: 0.5,
    },
    'answer: 429': { type: 'refreshAnswered', attempt, answer: noAnswer('rate-limited'), random: 0.5 },
    'answer: 503': { type: 'refreshAnswered', attempt, answer: noAnswer('server-error'), random: 0.5 },
    'answer: nonce': {
      type: 'refreshAnswered',
      attempt,
      answer: noAnswer('nonce-required'),
      random: 0.5,
    },
    'no answer': { type: 'refreshFailed', attempt, random: 0.5 },
  };
};

type Step = readonly [event: SessionEvent | ((state: SessionState) => SessionEvent), atMs?: number];

function play(...steps: readonly Step[]): { readonly state: SessionState; readonly now: Instant } {
  let state = initialState(0.5, START);
  let now = START;
  for (const [event, atMs] of steps) {
    now = atMs === undefined ? now : at(atMs);
    [state] = transition(state, typeof event === 'function' ? event(state) : event, now, defaultPolicy, config);
  }
  return { state, now };
}

const next =
  (name: string) =>
  (state: SessionState): SessionEvent => {
    const event = events(state)[name];
    if (!event) throw new Error(`no event is called ${name}`);
    return event;
  };

const restored: readonly Step[] = [[{ type: 'woke' }], [next('read: as it was')]];
const parked: Step = [
  {
    type: 'tokenRequested',
    caller: 1,
    newerThan: 1,
    owner: null,
    deadlineMs: 10 * LIFETIME_MS,
    stepUp: null,
    isForNetwork: false,
  },
];
const expired = LIFETIME_MS + 1;
const locking: readonly Step[] = [...restored, parked, [{ type: 'woke' }, expired]];
const reading: readonly Step[] = [...locking, [next('lock settled')]];
const requesting: readonly Step[] = [...reading, [next('read: as it was')]];
const rejected: readonly Step[] = [...requesting, [next('answer: invalid_grant')]];
const reauthenticating: readonly Step[] = [...rejected, [next('read: as it was')]];

/** The states there are, and how each is come by. */
export const states: Readonly<Record<string, readonly Step[]>> = {
  restoring: [[{ type: 'woke' }]],
  'signed out': [[{ type: 'woke' }], [next('read: nothing')]],
  active: restored,
  'active, parked': [...restored, parked],
  'active, syncing': [...restored, [next('store changed')]],
  'active, backing off': [...requesting, [next('answer: 503')]],
  'active, step-up by biometric': [...restored, [next('step-up wanted')]],
  'active, step-up by password': [...restored, [next('step-up wanted')], [next('biometric failed')]],
  locking,
  reading,
  requesting,
  committing: [...requesting, [next('answer: tokens')]],
  rereading: rejected,
  'reauthentication by biometric': reauthenticating,
  'reauthentication by password': [...reauthenticating, [next('biometric failed')]],
  'restoring, storing a sign-in': [[{ type: 'woke' }], [next('signed in')]],
  'storing a sign-in': [[{ type: 'woke' }], [next('read: nothing')], [next('signed in')]],
  'a sign-in that could not be stored': [
    [{ type: 'woke' }],
    [next('read: nothing')],
    [next('signed in')],
    [next('vault unavailable')],
  ],
  'a sign-in that is stored late': [
    [{ type: 'woke' }],
    [next('read: nothing')],
    [next('signed in')],
    [next('vault unavailable')],
    [{ type: 'woke' }, 5_000],
  ],
  'a refresh that is stored late': [
    ...requesting,
    [next('answer: tokens')],
    [next('vault unavailable')],
    [{ type: 'woke' }, expired + 5_000],
  ],
  'burying a session': [...restored, [next('sign-out wanted')]],
};

function effectName(effect: Effect): readonly string[] {
  if (effect.type === 'observe') return [];
  if (effect.type === 'settle')
    return [`${effect.caller} ${typeof effect.settlement === 'string' ? effect.settlement : 'granted'}`];
  return [effect.type];
}

const nameOf = ({ phase, flight, chain, storing, unwritten }: SessionState): string =>
  [
    phase.kind === 'signed-out' ? `signed-out (${phase.reason})` : phase.kind,
    flight?.step.kind,
    chain?.stage,
    storing && 'storing',
    unwritten && (unwritten.session ? 'unwritten' : 'burying'),
  ]
    .filter(Boolean)
    .join(' ');

/**
 * What becomes of a state by each event, and what the shell is asked to do then: outcomes, each with the events that lead to it.
 * Events of which nothing follows at all are left out.
 */
export function outcomesOf(steps: readonly Step[]): Readonly<Record<string, readonly string[]>> {
  const { state, now } = play(...steps);
  const outcomes: Record<string, readonly string[]> = {};
  for (const [name, event] of Object.entries(events(state))) {
    const [after, effects] = transition(state, event, now, defaultPolicy, config);
    const asked = effects.flatMap(effectName);
    if (JSON.stringify(after) === JSON.stringify(state) && asked.length === 0) continue;
    const outcome = [nameOf(after), ...asked].join(', ');
    outcomes[outcome] = [...(outcomes[outcome] ?? []), name];
  }
  return outcomes;
}
