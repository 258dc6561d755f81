import type { Buffer } from 'node:buffer';
import type { Observation } from '../../client/src/core/state.ts';
import { DEFAULT_POLICY, type Policy } from '../../server/src/kernel/policy.ts';
import { judgeSignOut } from './checkers/chains.ts';
import { extend, judgeExtension } from './checkers/extensions.ts';
import { judgeAwakening, judgeCalls, judgeRefreshes } from './checkers/judgement.ts';
import { createBooks, type Books, type Violation } from './checkers/ledger.ts';
import { createPrices } from './checkers/prices.ts';
import { createDoomedAnswers, type DoomedAnswers } from './faults/doomed-answers.ts';
import { revokeSome, startMishaps } from './faults/mishaps.ts';
import { createThief, type Thief } from './faults/thief.ts';
import { runTask, type Ground } from './sandbox/process.ts';
import { createRandom } from './sandbox/random.ts';
import { createScheduler, type Note } from './sandbox/scheduler.ts';
import type { AimName, FaultName, Setup } from './sandbox/setup.ts';
import { enterStage } from './sandbox/stage.ts';
import { createCluster, USERS, type Cluster } from './world/cluster.ts';
import { createDatabase, type Connection, type Database, type DatabaseWatch } from './world/database.ts';
import { createDevice, type Device } from './world/device.ts';
import { createNetwork } from './world/network.ts';
import { readRefreshCopy } from './world/refresh-copy.ts';
import { createTables, isLive, type SessionRow, type Tables } from './world/session-table.ts';
import { call, type Tab } from './world/tab.ts';
import { createUser, type User } from './world/user.ts';

/** The result of one seed. */
export type Outcome = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly reached: ReadonlyMap<string, number>;
  readonly traceHash: number;
  readonly events: number;
  readonly notes: readonly Note[];
  /** Number of honest sessions that ended, or were refused, without a reason; compared between rules. */
  readonly lostSessions: number;
  /**
   * The result of a theft: reuse detected, never detected, or the session ended for another reason; `none` without a
   * theft.
   */
  readonly theft: 'none' | 'caught' | 'undetected' | 'over';
};

export type PlayOptions = {
  readonly keepsNotes?: boolean;
  /** Policy values that differ from the defaults, for the comparison of rules. */
  readonly policy?: Partial<Policy>;
  /** Continues after a violation, to count all of them. */
  readonly goesOn?: boolean;
  /** How long the thief continues after the faults are over, in ms, so that a late theft has time to be detected. */
  readonly aftermathMs?: number;
};

/** Start of every world; the date is arbitrary. */
const START_MS = Date.UTC(2_030, 0, 1);
/** Time for recovery after the last fault, in ms: the longest back-off, a rotation interval, and a request. */
const AWAKENING_MS = 180_000;
/** Longest time of a request, in ms: one deadline for all its waits, and a margin for the network. */
const CALL_MS = 130_000;

type World = Ground & {
  readonly setup: Setup & { readonly faults: Record<FaultName, number>; readonly aims: Record<AimName, number> };
  readonly books: Books;
  readonly database: Database;
  readonly cluster: Cluster;
  readonly device: Device;
  readonly user: User;
  readonly thief: Thief;
  readonly rowOf: (sid: string) => SessionRow | undefined;
  readonly isLive: (sid: string) => boolean;
};

/**
 * Plays one setup from its start to the verdict. Deterministic: the same setup and the same code give the same outcome.
 */
export async function play(drawn: Setup, options: PlayOptions = {}): Promise<Outcome> {
  const setup = { ...drawn, faults: { ...drawn.faults }, aims: { ...drawn.aims } };
  const scheduler = createScheduler(START_MS, options.keepsNotes ?? false);
  const random = createRandom(setup.seed, 'play');
  enterStage({ randomBytes: drawBytes(random), soon: (callback) => void scheduler.after(0, callback) });
  const ground: Ground = { scheduler, random, setup };
  const world = build(ground, setup, options);
  const { books } = world;
  const onStray = (error: unknown): void => books.violate('crash', error instanceof Error ? error.message : 'a throw');
  process.on('unhandledRejection', onStray);
  try {
    const isOver = (): boolean => !options.goesOn && books.violations.length > 0;
    await playSafety(world, isOver);
    if (options.aftermathMs && setup.theftAtMs !== null) await playAftermath(world, isOver, options.aftermathMs);
    if (!isOver()) await playLiveness(world, isOver);
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    onStray(error);
  } finally {
    process.off('unhandledRejection', onStray);
  }
  return {
    seed: setup.seed,
    violations: books.violations,
    reached: books.reached,
    traceHash: scheduler.traceHash(),
    events: scheduler.events(),
    notes: scheduler.notes,
    lostSessions: [...books.sessions.values()].filter(({ isLost }) => isLost).length,
    theft: judgeTheft(world),
  };
}

/**
 * Random bytes for the code under test, from one source for each length. Code may draw ahead and keep the rest for the
 * next world; that must not change what other code draws in this world.
 */
function drawBytes(random: World['random']): (length: number) => Buffer {
  const sources = new Map<number, World['random']>();
  return (length) => {
    const source = sources.get(length) ?? random.fork(`randomBytes/${length}`);
    sources.set(length, source);
    return source.bytes(length);
  };
}

function judgeTheft({ books, thief }: World): Outcome['theft'] {
  const stolen = [...books.sessions.values()].filter(({ isStolen }) => isStolen);
  if (stolen.length === 0) return 'none';
  if (stolen.some(({ endedReason }) => endedReason === 'reuse')) return 'caught';
  return thief.isUndetected() ? 'undetected' : 'over';
}

function policyOf(setup: Setup, options: PlayOptions): Policy {
  const { accessTokenLifetimeSeconds, inactivityTimeoutSeconds, absoluteLifetimeSeconds } = setup;
  return {
    ...DEFAULT_POLICY,
    accessTokenLifetimeSeconds,
    inactivityTimeoutSeconds: Math.min(inactivityTimeoutSeconds, absoluteLifetimeSeconds),
    absoluteLifetimeSeconds,
    ...options.policy,
  };
}

function build(ground: Ground, setup: World['setup'], options: PlayOptions): World {
  const { scheduler, random } = ground;
  const books = createBooks(scheduler);
  const policy = policyOf(setup, options);
  const doomedAnswers = createDoomedAnswers();
  const aim = random.fork('aim');
  const { database, tables, cluster } = buildServers(ground, policy, books, {
    onCommitted: (by, isDurable, [sid]) => {
      const isAimed = aimAtCommit(world(), aim, by, isDurable) === 'lose the answer';
      if (isAimed && sid !== undefined) doomedAnswers.doom(by, sid);
    },
    onTokens: doomedAnswers.onTokens,
    onDelivered: () => crowd(world(), aim),
  });
  const isAnswerDoomed = doomedAnswers.isDoomed;
  const network = createNetwork({ scheduler, setup, random: random.fork('network'), cluster, books, isAnswerDoomed });
  const rowOf = (sid: string): SessionRow | undefined => tables.sessions.get(sid);
  const device = createDevice({
    scheduler,
    setup,
    random: random.fork('device'),
    books,
    network,
    prices: createPrices({ ...ground, setup: structuredClone(setup) }, books, network.outages),
    rowOf,
    databaseNowMs: database.nowMs,
    isLive: (sid) => world().isLive(sid),
    onObserved: (tab, observation) => onObserved(world(), aim, tab, observation),
    prompt: (process) => (ask) => world().user.answerPrompt(process, ask),
  });
  const user = createUser({ scheduler, setup, random: random.fork('user'), books, device });
  const thief = createThief({ scheduler, setup, random: random.fork('thief'), books, device, network });
  startMishaps({ scheduler, setup, random: random.fork('mishaps'), books, database, cluster, network, device, user });
  const built: World = {
    ...ground,
    setup,
    books,
    database,
    cluster,
    device,
    user,
    thief,
    rowOf,
    isLive: (sid) => {
      const row = rowOf(sid);
      return row !== undefined && isLive(row, database.nowMs());
    },
  };
  return built;

  function world(): World {
    return built;
  }
}

const REFRESH_TOKENS = /hfrt_[A-Za-z0-9_-]{88}/g;

/** The generation of a session's refresh token in a request. */
function generationIn(request: string, sid: string): number | null {
  const copies = [...request.matchAll(REFRESH_TOKENS)].map(([token]) => readRefreshCopy(token));
  return copies.find((copy) => copy.sid === sid)?.generation ?? null;
}

type Servers = Pick<World, 'database' | 'cluster'> & { readonly tables: Tables };

/**
 * Builds the servers and their database. `aims` hears of each commit, and of each refresh token that was handed out.
 */
function buildServers(
  { scheduler, random, setup }: Ground,
  policy: Policy,
  books: Books,
  aims: Pick<DatabaseWatch, 'onCommitted'> & Pick<DoomedAnswers, 'onTokens'> & { readonly onDelivered: () => void },
): Servers {
  const database = createDatabase(setup, scheduler, random.fork('database'), {
    onCommitted: aims.onCommitted,
    onUnknownCommit: () => books.reach('commit unknown'),
    onForgotten: books.onForgotten,
  });
  const tables = createTables(database, random.fork('seeds'), policy, {
    onCreated: books.onCreated,
    onRotated: (row, candidate) => {
      books.onRotated(row, candidate);
      aims.onDelivered();
    },
    onWritten: (_, how) => {
      if (how !== 'slid') aims.onDelivered();
    },
    onEnded: (row, reason) => {
      books.onEnded(row, reason);
      if (reason !== 'signed_out') return;
      // Judge after the whole transaction is done.
      scheduler.after(0, () => judgeSignOut(row, tables.sessions, database.nowMs(), books));
    },
  });
  const cluster = createCluster({
    scheduler,
    random: random.fork('cluster'),
    policy,
    tables,
    nodes: setup.nodes,
    onFact: books.onFact,
    onTokens: (request, response, by) => {
      aims.onTokens(by, response);
      if (!books.isAnyStolen()) return;
      const { sid } = JSON.parse(response.body) as { readonly sid: string };
      const presented = generationIn(`${request.headers['cookie'] ?? ''} ${String(request.body)}`, sid);
      const isNewest = presented !== null && presented === tables.sessions.get(sid)?.generation;
      books.onAnswered(sid, { who: request.headers['user-agent'] ?? '', isNewest });
    },
    onBug: (text) => books.violate('crash', text),
  });
  return { database, tables, cluster };
}

/**
 * Makes every tab refresh soon after a refresh token was handed out, while messages about the previous one are under
 * way.
 */
function crowd(ground: World, aim: World['random']): void {
  const { setup, books, device, scheduler } = ground;
  if (!aim.chance(setup.aims.delivered)) return;
  books.struck('every tab wants a refresh');
  const spreadMs = aim.pick([500, 5_000, 20_000]);
  for (const tab of device.tabs())
    scheduler.after(aim.int(0, spreadMs), () => runTask(tab.process, () => extend(tab, ground, books)));
}

/** Strikes at the moment after a commit, before the answer has left. */
function aimAtCommit(
  { setup, database, cluster, books }: World,
  aim: World['random'],
  by: Connection,
  isDurable: boolean,
): 'nothing' | 'lose the answer' {
  if (isDurable) {
    if (aim.chance(setup.aims.durable * 0.3)) {
      if (database.crash()) books.struck('database falls back after a durable commit');
    }
    return 'nothing';
  }
  if (!aim.chance(setup.aims.committed)) return 'nothing';
  const choice = aim.pick(['node', 'database', 'answer', 'answer'] as const);
  const isHit = choice === 'node' ? cluster.killOwner(by) : choice === 'database' && database.crash();
  if (isHit) books.struck(`aimed at a commit: ${choice}`);
  return choice === 'answer' ? 'lose the answer' : 'nothing';
}

function onObserved(world: World, aim: World['random'], tab: Tab, observation: Observation): void {
  const { setup, books, scheduler, user, thief } = world;
  if (observation.type === 'refresh.adopted') {
    const isTooLate = observation.attempt === tab.lastAttempt;
    books.reach(isTooLate ? 'lost a compare-and-swap, adopted' : "adopted another tab's refresh");
  }
  if (observation.type === 'vault.unavailable') books.reach('vault could not be written');
  if (observation.type === 'signed-out') books.reach('signed out in another tab');
  if (observation.type === 'refresh.started') tab.cause = observation.cause;
  tab.prices.onObserved(tab, observation);
  judgeExtension(tab, observation, world);
  if (observation.type !== 'refresh.sent') return;
  if (tab.isUnmounted) books.violate('I7', `${tab.process.name} sends a refresh for a service that was disposed of`);
  tab.refreshes++;
  if (tab.cause === 'proactive' || tab.cause === 'expired') tab.dueRefreshes++;
  tab.lastAttempt = observation.attempt;
  if (!aim.chance(setup.aims.refreshing)) return;
  const choice = aim.pick(['change', 'revoke', 'steal'] as const);
  scheduler.after(aim.int(0, 120), () => {
    const strike = {
      change: user.change,
      revoke: () => revokeSome(world),
      steal: () => setup.theftAtMs !== null && thief.steal(),
    }[choice];
    if (strike()) books.struck(`aimed at a refresh: ${choice}`);
  });
}

async function playSafety(world: World, isOver: () => boolean): Promise<void> {
  const { scheduler, random, setup, device, user, thief } = world;
  const chance = random.fork('user waits');
  const endMs = START_MS + setup.safetyMs;
  scheduler.after(50, () => {
    const tab = device.awake()[0];
    const { password } = USERS.ada;
    if (tab) void tab.auth.signIn({ username: 'ada', password }).catch(() => {});
  });
  const again = (): void => {
    scheduler.after(chance.wait(setup.userWaitMs), () => {
      if (scheduler.nowMs() >= endMs) return;
      user.act();
      again();
    });
  };
  again();
  if (setup.theftAtMs !== null) scheduler.after(setup.theftAtMs, () => thief.steal());
  await scheduler.runUntil(endMs, isOver);
}

function endFaults({ scheduler, setup }: World): void {
  scheduler.note('world', 'the faults are over');
  for (const name of Object.keys(setup.faults) as FaultName[]) setup.faults[name] = 0;
  for (const name of Object.keys(setup.aims) as AimName[]) setup.aims[name] = 0;
}

/** Ends the faults and lets the owner's tabs and the thief continue. */
async function playAftermath(world: World, isOver: () => boolean, durationMs: number): Promise<void> {
  const { scheduler, device } = world;
  endFaults(world);
  await scheduler.runUntil(scheduler.nowMs() + 1_000, isOver);
  device.recover();
  await scheduler.runUntil(scheduler.nowMs() + durationMs, isOver);
}

/** Ends the faults and checks that the world recovers within a bound. */
async function playLiveness(world: World, isOver: () => boolean): Promise<void> {
  const { scheduler, books, device, user, thief } = world;
  endFaults(world);
  thief.stop();
  const startMs = scheduler.nowMs();
  const step = async (ms: number): Promise<void> => scheduler.runUntil(startMs + ms, isOver);
  await step(1_000);
  device.recover();
  for (const tab of device.tabs()) void call(tab, 'get', books);
  await step(70_000);
  user.mend();
  await step(AWAKENING_MS);
  const begunAtMs = scheduler.nowMs();
  const last = device.tabs().map((tab) => ({ tab, ended: call(tab, 'get', books) }));
  await step(AWAKENING_MS + CALL_MS);
  if (isOver()) return;
  await judgeAwakening(world, last, begunAtMs);
  judgeCalls(world);
  judgeRefreshes(world);
}
