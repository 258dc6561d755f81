import { createRandom, type Random } from './random.ts';

/** Kinds of outages: connections are refused, a gateway answers 503, or nothing answers. */
export type OutageKind = 'refused' | 'unavailable' | 'silent';

/** All faults, each with the highest value that a seed may draw; see {@link Setup.faults} for the units. */
const FAULTS = {
  /** A request, or its answer, is lost. Probability. */
  requestLost: 0.15,
  answerLost: 0.15,
  /** A request is delivered a second time, up to 3 s later. Probability. */
  duplicated: 0.06,
  /** A message takes seconds, up to the longest life of a message. Probability, each way. */
  delayed: 0.1,
  /** A proxy answers 502 to 504 instead of the server, before or after it worked. Probability. */
  proxyError: 0.1,
  /** A captive portal answers 200 with a page, or half an answer arrives. Probability. */
  notJson: 0.05,
  /** A proxy answers 429, or 401 and 403 of its own. Probability. */
  proxyRefusal: 0.05,
  /** The network is gone for up to three minutes. Times an hour. */
  networkDown: 6,
  /** A server node is killed and comes back. Times an hour. */
  nodeKilled: 12,
  /** The database refuses a statement before it does anything. Probability of a statement. */
  databaseError: 0.05,
  /**
   * The connection breaks at the commit: the transaction commits, and the node gets an error. Probability of a
   * statement.
   */
  commitUnknown: 0.05,
  /** Another transaction holds the row, or the statement is a serialization victim. Probability of a statement. */
  rowHeld: 0.05,
  /** The database falls back to its last durable state. Times an hour. */
  databaseCrashed: 6,
  /** The server's key is rolled over. Times an hour. */
  keyRolledOver: 1.5,
  /** A tab is killed at any moment, and usually opened again. Times an hour, of each tab. */
  tabKilled: 6,
  /** A tab is frozen for a random time with a mean of 10 s to 30 minutes. Times an hour, of each tab. */
  tabFrozen: 6,
  /** The whole device sleeps for a random time with a mean of 1 or 30 minutes. Times an hour. */
  deviceAsleep: 2,
  /** Timers come up to a minute late. Probability of a timer. */
  timerLate: 0.4,
  /** The device's clock is off from the start, by at most this fraction of an hour. */
  clockSkewed: 1,
  /** The wall clock jumps by up to a day, or ten years. Times an hour. */
  clockJumped: 2,
  /** There is no lock between tabs if the value is above 0.2. */
  lockMissing: 0.4,
  /** A killed tab's lock is never released. Probability of such a kill. */
  lockOrphaned: 1,
  /** The vault is locked or blocked for up to two minutes. Times an hour. */
  vaultLocked: 6,
  /** A write to the vault fails. Probability. */
  vaultFull: 0.05,
  /** A read or write of the vault takes up to eight seconds. Probability. */
  vaultSlow: 0.05,
  /** The vault is emptied from outside. Times an hour. */
  vaultWiped: 0.3,
  /** The browser dies and forgets the writes of the last 5 s. Times an hour. */
  vaultForgot: 1,
  /** Another tab is not told of a change. Probability. */
  announcementLost: 0.5,
  /** A resource answers 401 to a good token. Probability. */
  resourceRefuses: 0.05,
  /** A resource is down. Probability. */
  resourceDown: 0.05,
  /** An administrator ends the session. Times an hour. */
  revoked: 0.7,
  /** The user signs out, or another user signs in. Times an hour. */
  userChanged: 2,
  /**
   * The app is mounted again: it disposes of its service and creates another one within 3 s. Times an hour, of each
   * tab.
   */
  appRemounted: 12,
  /** A prompt to authenticate again is left open for minutes or hours. Probability of a prompt. */
  promptLeftOpen: 0.8,
  /** An app's own reader of answers throws, or returns nonsense. Probability of an answer. */
  answerMisread: 0.3,
  /** The record in the vault becomes unreadable. Times an hour. */
  vaultDamaged: 0.3,
  /**
   * The user signs in again during a live session, so that sign-ins follow each other without a refresh. Probability of
   * an act.
   */
  signedInAgain: 0.1,
  /**
   * A resource asks for a fresher authentication. Probability of an answer, if the user signed in more than a minute
   * ago.
   */
  stepUpWanted: 0.1,
  /** Servers refuse connections, answer 503, or do not answer, for up to 40 s. Times an hour. */
  outage: 12,
  /** The token endpoint takes longer than tabs wait for their lock, for up to 10 minutes. Times an hour. */
  serverSlow: 6,
  /** The platform reports wrongly that there is no network, and one request is lost. Times an hour, of each tab. */
  offlineWrongly: 6,
  /** A resource answers 401 for single items, bare or with `invalid_token`. Probability of a request. */
  itemRefused: 0.3,
  /** A process is a worker, which receives no signals. Probability of a process after the first. */
  deafWorker: 0.6,
  /**
   * The server reports the end of a session by an error other than `invalid_grant`, which no app can read. Probability
   * of a seed.
   */
  otherWords: 0.25,
  /** The store refuses every operation until a person mends it, after up to half an hour. Times an hour. */
  storeRefused: 2,
  /** The app also makes a request that names its resource. Probability of an act of the user. */
  resourceNamed: 0.3,
} as const;

/**
 * Faults that a calm world may have, one at a time. For each of them the checkers know the exact cost, to the second
 * and to the request.
 */
const ALONE = ['outage', 'serverSlow', 'offlineWrongly', 'itemRefused'] as const;
export type LoneFault = (typeof ALONE)[number];

/** A second fault beside a slow server: the holder of a lock between tabs is killed or frozen. */
const HOLDER_STOPS: AimName = 'locked';

/** The critical windows that faults are aimed at; each is the probability that the window is used. */
const AIMS = {
  /** After a commit and before its answer: the node dies, the database falls back, or the answer is lost. */
  committed: 0.3,
  /** A durable commit (a revocation, reuse, redelivery) has just reached the disk: the database falls back. */
  durable: 0.5,
  /** A tab has just won the lock: it is killed or frozen. */
  locked: 0.3,
  /** A tab has read the vault and not received the result yet: it is frozen. */
  read: 0.2,
  /** A tab is about to write its answer: it is frozen or killed. */
  storing: 0.3,
  /**
   * A refresh is under way: the user signs out, another user signs in, an administrator ends the session, or a thief
   * copies the store.
   */
  refreshing: 0.05,
  /** A refresh token has just been handed out, and its answer may be lost: every tab wants a refresh within 20 s. */
  delivered: 0.5,
  /** A sign-in, a sign-out, a refresh or a write has just begun: the app is mounted again. */
  begun: 0.2,
  /** The user signs out, or a tab hears of a write by another tab: tabs make requests at that moment. */
  heard: 0.9,
} as const;

export type FaultName = keyof typeof FAULTS;
export type AimName = keyof typeof AIMS;

export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];
export const AIM_NAMES = Object.keys(AIMS) as readonly AimName[];

/**
 * The device's kind of store. A keychain compares and writes in two steps, and another process can write between them.
 */
export type StoreKind = 'cookie' | 'vault' | 'keychain';

/** All parameters of one world. Plain data, so that a failing setup can be reduced field by field. */
export type Setup = {
  readonly seed: number;
  readonly store: StoreKind;
  /** Number of tabs, or processes of an app, that share the store. */
  readonly tabs: number;
  readonly nodes: number;
  readonly accessTokenLifetimeSeconds: number;
  readonly inactivityTimeoutSeconds: number;
  readonly absoluteLifetimeSeconds: number;
  /** Duration of the phase with faults, in ms. */
  readonly safetyMs: number;
  /** Mean wait between two acts of the user, in ms. */
  readonly userWaitMs: number;
  /** True if the monotonic clock stands still while the device sleeps. */
  readonly sleepStopsClock: boolean;
  /** When a thief copies the store, in ms after the start; `null`: there is no thief. */
  readonly theftAtMs: number | null;
  /** Intensities in the units of the tables above; 0 is off. */
  readonly faults: Readonly<Record<FaultName, number>>;
  readonly aims: Readonly<Record<AimName, number>>;
};

/**
 * Longest life of a request and of an answer, and longest work at the server, in ms. Their sum is less than the
 * rotation interval.
 */
export const LIFE_MS = { request: 18_000, answer: 18_000, work: 8_000 } as const;

/**
 * Highest average number of acts of the user in a world. Requests with a good token are most of the work and find the
 * least, so more worlds find more than busier ones.
 */
const ACTS_MAX = 80;

function drawTable<Name extends string>(
  random: Random,
  limits: Readonly<Record<Name, number>>,
  share: number,
): Readonly<Record<Name, number>> {
  const names = Object.keys(limits) as Name[];
  const drawn = names.map((name): [Name, number] => {
    // Always draw twice, so that one more table entry does not change the others.
    const isOn = random.chance(share);
    const part = random.next();
    return [name, isOn ? limits[name] * part : 0];
  });
  return Object.fromEntries(drawn) as Record<Name, number>;
}

/** Draws the setup of a seed: the faults that it has (swarm testing), their rates, and the size of the world. */
export function drawSetup(seed: number): Setup {
  const random = createRandom(seed, 'setup');
  const isCalm = random.chance(0.08);
  const share = isCalm ? 0 : random.pick([0.15, 0.3, 0.5, 0.7]);
  const safetyMs = random.int(10, random.chance(0.15) ? 240 : 50) * 60_000;
  const hasThief = random.chance(0.3);
  const faults = drawTable(random.fork('faults'), FAULTS, share);
  const aims = drawTable(random.fork('aims'), AIMS, isCalm ? 0 : 0.25);
  return {
    seed,
    store: random.pick(['cookie', 'vault', 'vault', 'keychain']),
    tabs: random.pick([1, 1, 2, 2, 3, 4, 6]),
    nodes: random.int(2, 3),
    accessTokenLifetimeSeconds: random.pick([60, 120, 300, 300, 900]),
    inactivityTimeoutSeconds: random.pick([1_200, 3_600, 14 * 86_400]),
    absoluteLifetimeSeconds: random.pick([3_600, 12 * 3_600, 30 * 86_400, 30 * 86_400]),
    safetyMs,
    userWaitMs: Math.max(random.pick([8_000, 20_000, 60_000]), Math.round(safetyMs / ACTS_MAX)),
    sleepStopsClock: random.chance(0.5),
    theftAtMs: hasThief ? random.int(0, Math.floor(safetyMs * 0.7)) : null,
    ...(isCalm ? withLone({ faults, aims }, random.fork('alone')) : { faults, aims }),
  };
}

/** Sets one fault to its highest value in a calm world, or leaves all faults off. */
function withLone({ faults, aims }: Pick<Setup, 'faults' | 'aims'>, random: Random): Pick<Setup, 'faults' | 'aims'> {
  const name = random.pick([null, null, ...ALONE]);
  const isAimed = random.chance(0.5);
  return {
    faults: name === null ? faults : { ...faults, [name]: FAULTS[name] },
    aims: name === 'serverSlow' && isAimed ? { ...aims, [HOLDER_STOPS]: AIMS[HOLDER_STOPS] } : aims,
  };
}

/** Returns the only fault of a world if its cost is known; `null`: the world has other faults, or none. */
export function loneFaultOf({ faults, aims, theftAtMs }: Setup): LoneFault | null {
  const [first, ...others] = FAULT_NAMES.filter((name) => faults[name] > 0);
  const isAimed = AIM_NAMES.some((name) => aims[name] > 0 && !(first === 'serverSlow' && name === HOLDER_STOPS));
  return (theftAtMs === null && !isAimed && others.length === 0 && ALONE.find((name) => name === first)) || null;
}

/** Returns the same setup with all faults off. A theft stays. */
export function withoutFaults(setup: Setup): Setup {
  const off = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
    Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  return { ...setup, faults: off(FAULT_NAMES), aims: off(AIM_NAMES) };
}
