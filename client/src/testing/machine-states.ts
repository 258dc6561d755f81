import type { Instant } from '../core/instant.ts';
import { defaultPolicy } from '../core/policy.ts';
import type { Signal, StoredSession, VaultRecord } from '../core/ports.ts';
import { initialState, transition } from '../core/session.ts';
import type { Effect, MachineConfig, SessionEvent, SessionState, Trial } from '../core/state.ts';
import type { TokenResult, Tokens, TransientCause } from '../core/token-result.ts';
import { beginSession } from '../runtime/sign-in.ts';

// Every state of the machine, the events that lead to it, and every event that may follow.

/** The transport of the server's refresh tokens: in the body, in a cookie, or none. */
export type Delivery = 'body' | 'cookie' | 'none';

/** Returns a configuration with one automatic stage of reauthentication and one that waits for the user. */
export const configOf = (delivery: Delivery): MachineConfig => ({
  hasCookie: delivery === 'cookie',
  scope: null,
  stages: ['passkey', 'password'],
  automaticStages: ['passkey'],
  isUserActive: false,
  storeKnownMs: Infinity,
});

/** The start of every sequence of events. */
export const START: Instant = { wallMs: Date.UTC(2_026, 0, 1), monotonicMs: 1_000 };
const LIFETIME_MS = 900_000;

const after = (ms: number): Instant => ({ wallMs: START.wallMs + ms, monotonicMs: START.monotonicMs + ms });

const tokensOf = (delivery: Delivery, serial: number): Tokens => ({
  accessToken: `access-${serial}`,
  tokenType: 'Bearer',
  lifetimeMs: LIFETIME_MS,
  refreshToken: delivery === 'body' ? `refresh-${serial}` : null,
  scope: null,
  sid: 'session-1',
  sub: 'user-1',
  sessionLifetimeMs: 86_400_000,
});
const buried: VaultRecord = { version: 3, session: null, endedReason: 'user' };
const damaged: VaultRecord = { version: 3, session: null, endedReason: 'storage-lost', sid: null };
const noAnswer = (cause: TransientCause): TokenResult => ({ kind: 'transient', cause, retryAfterMs: null });

/** Records that a vault may hold, and a sign-in of another user. */
function recordsOf(delivery: Delivery) {
  const { stored } = beginSession(tokensOf(delivery, 1), START, null);
  const record: VaultRecord = { version: 1, session: stored, endedReason: null };
  const access = { value: 'access-2', tokenType: 'Bearer', lifetimeMs: LIFETIME_MS } as const;
  const next: StoredSession = {
    ...stored,
    refreshToken: tokensOf(delivery, 2).refreshToken,
    access: { ...access, expiresAtMs: START.wallMs + 2 * LIFETIME_MS },
  };
  const newer: VaultRecord = { version: 2, session: next, endedReason: null };
  const ofAnother = beginSession({ ...tokensOf(delivery, 1), sid: 'session-2', sub: 'user-2' }, START, null);
  return { record, newer, ofAnother };
}

const trialOf = ({ tokenNumber }: SessionState): Trial => ({
  tokenNumber,
  before: null,
  origin: 'o',
  url: 'o/e',
  verdict: 'accepted',
  aheadMs: NaN,
});

const locksSettled = (attempt: number): Readonly<Record<string, SessionEvent>> => ({
  'lock had': { type: 'lockSettled', attempt, isHeld: true },
  'lock not had': { type: 'lockSettled', attempt, isHeld: false },
});

/** Returns the events by name, with the numbers that the state under test waits for. */
function eventsOf(delivery: Delivery, state: SessionState): Readonly<Record<string, SessionEvent>> {
  const { record, newer, ofAnother } = recordsOf(delivery);
  const attempt = state.flight?.attempt ?? 99;
  const operation = state.storing?.operation ?? state.unwritten?.operation ?? state.syncing ?? attempt;
  const reading = state.syncing ?? attempt;
  const request = {
    type: 'tokenRequested',
    caller: 2,
    newerThan: 0,
    userEpoch: null,
    deadlineMs: 60_000,
    isForNetwork: false,
    pauseMs: Infinity,
    refusal: null,
    resource: null,
  } as const;
  const trial = trialOf(state);
  const signalled = (signal: Signal): SessionEvent => ({ type: 'signalled', signal });
  const read = (found: VaultRecord | null): SessionEvent => ({ type: 'vaultRead', operation: reading, record: found });
  const written = (found: VaultRecord | null, isSwapped = false): SessionEvent => ({
    type: 'vaultWritten',
    operation,
    isSwapped,
    record: found,
  });
  const answered = (answer: TokenResult): SessionEvent => ({ type: 'refreshAnswered', attempt, answer, random: 0.5 });
  const late = state.unwritten?.session ?? record.session;
  return {
    woke: { type: 'woke' },
    foreground: signalled('foreground'),
    resumed: signalled('resumed'),
    background: signalled('background'),
    'user active': signalled('user-active'),
    online: signalled('online'),
    offline: signalled('offline'),
    'store changed': signalled('store-changed'),
    'token wanted': { ...request, stepUp: null },
    'token under another user epoch wanted': { ...request, userEpoch: 7, stepUp: null },
    'step-up wanted': { ...request, stepUp: { acrValues: null, maxAgeSeconds: 60 } },
    'token refused': { type: 'tokenTried', trial: { ...trial, verdict: 'refused' } },
    'token doubted': { type: 'tokenTried', trial: { ...trial, verdict: 'bare' } },
    'token accepted': { type: 'tokenTried', trial },
    'caller left': { type: 'callerLeft', caller: 1 },
    extend: { type: 'extendRequested' },
    'signed in': { type: 'signedIn', held: ofAnother },
    'sign-out wanted': { type: 'signOutRequested' },
    'passkey failed': { type: 'reauthenticationFailed', stage: 'passkey', why: 'failed' },
    'password cancelled': { type: 'reauthenticationFailed', stage: 'password', why: 'cancelled' },
    ...locksSettled(attempt),
    'read: as it was': read(record),
    'read: newer': read(newer),
    'read: signed out': read(buried),
    'read: lost': read(damaged),
    'read: nothing': read(null),
    written: written(newer, true),
    'written by another': written(newer),
    'buried by another': written(buried),
    'damaged meanwhile': written(damaged),
    'emptied meanwhile': written(null),
    'written late': { type: 'vaultWrittenLate', record: { version: 4, session: late, endedReason: null } },
    'buried late': { type: 'vaultWrittenLate', record: buried },
    'vault unavailable': { type: 'vaultUnavailable', operation, random: 0.5 },
    'answer: tokens': answered({ kind: 'tokens', tokens: { ...tokensOf(delivery, 2), sessionLifetimeMs: null } }),
    'answer: invalid_grant': answered({ kind: 'rejected', reason: 'revoked' }),
    'answer: 429': answered(noAnswer('rate-limited')),
    'answer: 503': answered(noAnswer('server-error')),
    'answer: nonce': answered(noAnswer('nonce-required')),
    'no answer': { type: 'refreshFailed', attempt, random: 0.5 },
  };
}

type Step = readonly [event: SessionEvent | string | ((delivery: Delivery) => SessionEvent), atMs?: number];

function eventOf(delivery: Delivery, state: SessionState, step: Step[0]): SessionEvent {
  if (typeof step === 'function') return step(delivery);
  const event = typeof step === 'string' ? eventsOf(delivery, state)[step] : step;
  if (!event) throw new Error('no event has that name');
  return event;
}

type Scene = { readonly state: SessionState; readonly now: Instant; readonly wakeInMs: number };

/** Runs the machine through `steps`: names of events, or events. */
function play(delivery: Delivery, steps: readonly Step[]): Scene {
  let scene: Scene = { state: initialState(0.5, START), now: START, wakeInMs: Infinity };
  for (const [step, atMs] of steps) {
    const event = eventOf(delivery, scene.state, step);
    const now = atMs === undefined ? scene.now : after(atMs);
    const [state, , wakeInMs] = transition(scene.state, event, now, defaultPolicy, configOf(delivery));
    scene = { state, now, wakeInMs };
  }
  return scene;
}

const parked: Step = [
  {
    type: 'tokenRequested',
    caller: 1,
    newerThan: 1,
    userEpoch: null,
    deadlineMs: 10 * LIFETIME_MS,
    stepUp: null,
    isForNetwork: false,
    pauseMs: Infinity,
    refusal: null,
    resource: null,
  },
];
const expired = LIFETIME_MS + 1;
const woke: Step = ['woke'];
const restored: readonly Step[] = [woke, ['read: as it was']];
const locking: readonly Step[] = [...restored, parked, ['woke', expired]];
const reading: readonly Step[] = [...locking, ['lock had']];
const requesting: readonly Step[] = [...reading, ['read: as it was']];
const rejected: readonly Step[] = [...requesting, ['answer: invalid_grant']];
const reauthenticating: readonly Step[] = [...rejected, ['read: as it was']];
const storing: readonly Step[] = [woke, ['read: signed out'], ['signed in']];
const probing: readonly Step[] = [woke, ['read: lost']];

/** Creates the event that reads a session which ends `ms` after its start. */
const ending =
  (ms: number) =>
  (delivery: Delivery): SessionEvent => {
    const { record } = recordsOf(delivery);
    const session = record.session && { ...record.session, expiresAtMs: START.wallMs + ms };
    return { type: 'vaultRead', operation: -1, record: { ...record, session } };
  };

/** All states by name, with the steps that lead to each. */
const withRefreshToken: Readonly<Record<string, readonly Step[]>> = {
  restoring: [woke],
  'signed out': [woke, ['read: signed out']],
  active: restored,
  'active, parked': [...restored, parked],
  'active, syncing': [...restored, ['store changed']],
  'active, ending before its token': [woke, [ending(400_000)]],
  'active, ending with its token, nobody there': [woke, ['background'], [ending(LIFETIME_MS)]],
  'active, backing off': [...requesting, ['answer: 503']],
  'active, step-up by passkey': [...restored, ['step-up wanted']],
  'active, step-up by password': [...restored, ['step-up wanted'], ['passkey failed']],
  locking,
  reading,
  requesting,
  committing: [...requesting, ['answer: tokens']],
  rereading: rejected,
  'reauthentication by passkey': reauthenticating,
  'reauthentication by password': [...reauthenticating, ['passkey failed']],
  'restoring, storing a sign-in': [woke, ['signed in']],
  'storing a sign-in': storing,
  'a sign-in that could not be stored': [...storing, ['vault unavailable']],
  'a sign-in that is stored late': [...storing, ['vault unavailable'], ['woke', 5_000]],
  'a refresh that is stored late': [
    ...requesting,
    ['answer: tokens'],
    ['vault unavailable'],
    ['woke', expired + 5_000],
  ],
  'burying a session': [...restored, ['sign-out wanted']],
};

/** All states except the named ones. */
const without = (names: readonly string[]): Readonly<Record<string, readonly Step[]>> =>
  Object.fromEntries(Object.entries(withRefreshToken).filter(([name]) => !names.includes(name)));

const RENEWAL = ['active, backing off', 'locking', 'reading', 'requesting', 'committing', 'rereading'];
const STORED_LATE = 'a refresh that is stored late';
const UNSTORED = ['a sign-in that could not be stored', 'a sign-in that is stored late'];

export const states: Readonly<Record<Delivery, Readonly<Record<string, readonly Step[]>>>> = {
  body: withRefreshToken,
  cookie: {
    ...without([STORED_LATE]),
    // The store is unreadable, but there may be a cookie.
    'probing, locking': probing,
    'probing, reading': [...probing, ['lock had']],
    'probing, requesting': [...probing, ['lock had'], ['read: nothing']],
    'probing, committing': [...probing, ['lock had'], ['read: nothing'], ['answer: tokens']],
    'probing, rereading': [...probing, ['lock had'], ['read: nothing'], ['answer: invalid_grant']],
  },
  none: {
    ...without([STORED_LATE, ...UNSTORED, ...RENEWAL]),
    'reauthentication by passkey': [...restored, parked, ['woke', expired]],
    'reauthentication by password': [...restored, parked, ['woke', expired], ['passkey failed']],
  },
};

function effectName(effect: Effect): readonly string[] {
  if (effect.type === 'observe')
    return effect.observation.type === 'session.expiring' ? [`warned ${effect.observation.inMs / 1_000} s before`] : [];
  if (effect.type === 'settle')
    return [`${effect.caller} ${typeof effect.settlement === 'string' ? effect.settlement : 'granted'}`];
  return [effect.type];
}

const nameOf = ({
  phase,
  flight,
  reauthentication,
  storing: isStoring,
  unwritten,
  backoff,
  wanted,
}: SessionState): string =>
  [
    phase.kind === 'signed-out' ? `signed-out (${phase.reason})` : phase.kind,
    phase.kind === 'active' && phase.probe !== null && 'probe',
    flight?.step.kind,
    reauthentication?.stage,
    isStoring && 'storing',
    unwritten && (unwritten.session ? (unwritten.isUsersWill ? 'unwritten sign-in' : 'unwritten') : 'burying'),
    backoff && 'backing off',
    wanted && `wanting ${wanted}`,
  ]
    .filter(Boolean)
    .join(' ');

/** Lists changes that the name of the state does not show. */
const changes = (before: SessionState, state: SessionState): readonly string[] => [
  ...(state.tokenNumber > before.tokenNumber ? ['new token'] : []),
  ...(state.isUserActive && !before.isUserActive ? ['user noted'] : []),
  ...(before.isUserActive && !state.isUserActive ? ['user told'] : []),
];

/** Describes the next state and the effects. `null`: the event changes nothing. */
function outcomeOf(delivery: Delivery, { state, now }: Scene, event: SessionEvent): string | null {
  const [next, effects] = transition(state, event, now, defaultPolicy, configOf(delivery));
  const asked = effects.flatMap(effectName);
  if (JSON.stringify(next) === JSON.stringify(state) && asked.length === 0) return null;
  return [nameOf(next), ...changes(state, next), ...asked].join(', ');
}

/** Returns the outcome of each event in a state. Leaves out events that change nothing. */
export function outcomesByEvent(delivery: Delivery, name: string): Readonly<Record<string, string>> {
  const scene = play(delivery, states[delivery][name] ?? []);
  const outcomes = Object.entries(eventsOf(delivery, scene.state)).map(
    ([event, fact]) => [event, outcomeOf(delivery, scene, fact)] as const,
  );
  return Object.fromEntries(outcomes.flatMap(([event, outcome]) => (outcome === null ? [] : [[event, outcome]])));
}

/** Returns each outcome with the events that lead to it. */
export function outcomesOf(delivery: Delivery, name: string): Readonly<Record<string, readonly string[]>> {
  const outcomes: Record<string, readonly string[]> = {};
  for (const [event, outcome] of Object.entries(outcomesByEvent(delivery, name)))
    outcomes[outcome] = [...(outcomes[outcome] ?? []), event];
  return outcomes;
}

/** The largest number of wake-ups. An outcome that needs more counts as never. */
const LOOKS = 5_000;

/** Returns the first `count` outcomes that time alone causes in a state, in order, each with its seconds. */
export function outcomesOfTime(delivery: Delivery, name: string, count: number): readonly string[] {
  const outcomes: string[] = [];
  let scene = play(delivery, states[delivery][name] ?? []);
  const startMs = scene.now.monotonicMs;
  for (let look = 0; look < LOOKS && outcomes.length < count && scene.wakeInMs < Infinity; look++) {
    const now = { wallMs: scene.now.wallMs + scene.wakeInMs, monotonicMs: scene.now.monotonicMs + scene.wakeInMs };
    const outcome = outcomeOf(delivery, { ...scene, now }, { type: 'woke' });
    const [state, , wakeInMs] = transition(scene.state, { type: 'woke' }, now, defaultPolicy, configOf(delivery));
    if (outcome !== null) outcomes.push(`${(now.monotonicMs - startMs) / 1_000} s: ${outcome}`);
    scene = { state, now, wakeInMs };
  }
  return outcomes;
}
