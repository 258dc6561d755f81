import type { SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { Observation } from '../../../client/src/core/state.ts';
import { judgeRefusalShown, noteRefusals } from '../checkers/doubts.ts';
import { newHistory, type DeviceHistory } from '../checkers/endings.ts';
import type { Books } from '../checkers/ledger.ts';
import type { Prices } from '../checkers/prices.ts';
import { judgeShown } from '../checkers/shown-endings.ts';
import {
  createProcess,
  emitSignal,
  freeze,
  runTask,
  thaw,
  type DeviceClock,
  type Ground,
  type Process,
} from '../sandbox/process.ts';
import { createDialect, createOtherWords } from './dialect.ts';
import { createLocks, type Locks } from './locks.ts';
import type { Network } from './network.ts';
import { readRefreshCopy } from './refresh-copy.ts';
import type { SessionRow } from './session-table.ts';
import { createStorage, type Storage } from './storage.ts';
import { call, openTab, type Tab, type TabParts } from './tab.ts';

/** One browser profile, or one app with its processes: tabs over one store. */
export type Device = {
  readonly storage: Storage;
  readonly clock: DeviceClock;
  readonly history: DeviceHistory;
  /** The tabs that live now. */
  tabs(): readonly Tab[];
  /** The living tabs that run and have the app mounted. */
  awake(): readonly Tab[];
  /** @returns false if the process is dead already */
  kill(process: Process, reopens: boolean): boolean;
  /**
   * The app disposes of its service and creates another one over the same store, at once or up to 3 s later. A frozen
   * process does so when it thaws.
   *
   * @returns false if the process is dead or has no service
   */
  remount(process: Process): boolean;
  /** Tells the device that an operation has just begun in a tab; the app may be remounted before it ends. */
  aimAtBegun(process: Process): void;
  /** @returns false if the process is frozen already, or dead */
  freezeFor(process: Process, durationMs: number): boolean;
  /** @returns false if the device sleeps already */
  sleepFor(durationMs: number): boolean;
  readonly wake: () => void;
  /** Kills the whole browser and starts it again. */
  restart(): void;
  /** Ends every fault: all tabs thaw, the store can be used, at least one tab is open, and the platform signals it. */
  recover(): void;
};

export type DeviceParts = Ground & {
  readonly books: Books;
  readonly network: Network;
  readonly prices: Prices;
  /** The database's rows and clock, for the checkers. */
  readonly rowOf: (sid: string) => SessionRow | undefined;
  readonly databaseNowMs: () => number;
  readonly isLive: (sid: string) => boolean;
  readonly onObserved: (tab: Tab, observation: Observation) => void;
  readonly prompt: NonNullable<TabParts['prompt']>;
};

export function createDevice(parts: DeviceParts): Device {
  const { scheduler, random, setup, books } = parts;
  const clock: DeviceClock = { offsetMs: 0, sleptMs: 0, asleepSinceMs: null };
  const history = newHistory();
  const tabs = new Map<string, Tab>();
  const lost = (): void => {
    history.lostAtMs = scheduler.nowMs();
  };
  const device: Device = {
    storage: createStorage(parts, {
      onLost: lost,
      onRead: (process) => aimAtRead(parts, device, process),
      onWriting: (process) => {
        aimAtWrite(parts, device, process);
        device.aimAtBegun(process);
      },
    }),
    clock,
    history,
    tabs: () => [...tabs.values()].filter(({ process }) => process.isAlive),
    awake: () => device.tabs().filter(({ process, isUnmounted }) => !process.isFrozen && !isUnmounted),
    kill: (process, reopens) => {
      if (!process.isAlive) return false;
      process.isAlive = false;
      process.held.length = 0;
      const isOrphaned = random.chance(setup.faults.lockOrphaned);
      if (locks.isHeldBy(process)) parts.prices.onHolderStopped(process);
      if (locks.onDeath(process, isOrphaned) && isOrphaned) books.reach('lock orphaned');
      for (const call of books.calls.values()) if (call.process === process.name) call.isForgotten = true;
      scheduler.note(process.name, 'is killed');
      if (reopens) scheduler.after(random.wait(30_000), open);
      return true;
    },
    ...mounting(parts, tabs, ({ process, sid }) => {
      // A session that is not stored yet ends with the service that held it.
      openIn(process, device.storage.record()?.session?.sid === sid ? sid : null);
    }),
    ...sleep(parts, clock, { tabs: () => device.tabs(), isHolder: (process) => locks.isHeldBy(process) }),
    restart: () => {
      for (const { process } of device.tabs()) device.kill(process, true);
      device.storage.forgetLast((token) => isTooFarBehind(parts, token));
    },
    recover: () => {
      device.wake();
      device.storage.unlock();
      device.storage.mend();
      if (device.tabs().length === 0) open();
      for (const { process } of device.tabs()) thaw(process, parts);
      for (const { process } of device.tabs())
        for (const signal of ['online', 'foreground'] as const) emitSignal(process, signal);
    },
  };
  const locks = createLocks(parts, clock, {
    onLocked: (process) => aimAtLock(parts, device, process),
    onFrozen: parts.prices.onHolderStopped,
    onTimedOut: () => {
      books.reach('waited for the lock in vain');
      history.lockTimeouts++;
    },
  });
  history.isLockMissing = locks.isMissing;
  const tabParts = tabPartsOf(parts, device, locks);
  const openIn = (process: Process, sid: string | null): void =>
    void tabs.set(process.name, openTab(process, sid, tabParts));
  const open = opening(parts, clock, openIn);
  for (let index = 0; index < setup.tabs; index++) open();
  return device;
}

/** Returns the function that opens a tab, or a worker if the seed has workers. The first one is always a tab. */
function opening(
  parts: DeviceParts,
  clock: DeviceClock,
  openIn: (process: Process, sid: string | null) => void,
): () => void {
  const { scheduler, random, setup } = parts;
  const workers = random.fork('workers');
  let opened = 0;
  const open = (): void => {
    // A sleeping device opens no tab.
    if (clock.asleepSinceMs !== null) return void scheduler.after(60_000, open);
    const isDeaf = workers.chance(setup.faults.deafWorker) && opened > 0;
    openIn(createProcess(`tab ${opened++}`, isDeaf, parts), null);
  };
  return open;
}

function tabPartsOf(parts: DeviceParts, device: Device, locks: Locks): TabParts {
  const { random, setup, books } = parts;
  const news = random.fork('news');
  return {
    ...parts,
    storage: device.storage,
    locks,
    clock: device.clock,
    announce: (from) => announce(parts, device, news, from),
    onChanged: (tab, before, now) => onChanged(parts, device, tab, before, now),
    onObserved: (tab, observation) => {
      parts.onObserved(tab, observation);
      noteRefusals(parts, tab, observation);
      if (observation.type === 'refresh.sent') device.aimAtBegun(tab.process);
    },
    drawToken: () => random.bytes(32).toString('base64url'),
    prompt: setup.faults.promptLeftOpen > 0 ? parts.prompt : null,
    dialect: setup.faults.answerMisread > 0 ? createDialect(parts, books) : createOtherWords(parts),
  };
}

/**
 * True if a refresh token is older than any that a store may fall back to: two generations behind once everything under
 * way has ended.
 */
function isTooFarBehind({ rowOf }: DeviceParts, token: string): boolean {
  const { sid, generation } = readRefreshCopy(token);
  const row = rowOf(sid);
  // A redelivered copy rotates at its first use, without a pause.
  return row !== undefined && row.generation - generation > (row.redeliveries > 0 ? 0 : 1);
}

/** Unmounts the app of a tab and mounts it again, as React does: in the same task, or up to 3 s later. */
function mounting(
  { scheduler, random, setup, books }: DeviceParts,
  tabs: ReadonlyMap<string, Tab>,
  open: (before: Tab) => void,
): Pick<Device, 'remount' | 'aimAtBegun'> {
  const chance = random.fork('mounting');
  const remount = (process: Process): void => {
    const tab = tabs.get(process.name);
    if (!tab || tab.isUnmounted) return;
    const snapshot = tab.auth.getSnapshot();
    if (snapshot.status === 'active' && snapshot.isRefreshing) books.reach('app mounted anew during a refresh');
    scheduler.note(process.name, 'the app is unmounted');
    tab.isUnmounted = true;
    tab.auth.dispose();
    if (chance.chance(0.5)) open(tab);
    else scheduler.after(chance.int(0, 3_000), () => runTask(process, () => open(tab)));
  };
  return {
    remount: (process) => {
      if (!process.isAlive || tabs.get(process.name)?.isUnmounted !== false) return false;
      runTask(process, () => remount(process));
      return true;
    },
    aimAtBegun: (process) => {
      if (!chance.chance(setup.aims.begun)) return;
      const isAtOnce = chance.chance(0.1);
      const strike = (): void => {
        if (!process.isAlive || tabs.get(process.name)?.isUnmounted !== false) return;
        books.struck('aimed at what has begun: mounted anew');
        runTask(process, () => remount(process));
      };
      // Strike also during the client's own event: an app may unmount because of that event.
      if (isAtOnce) strike();
      else scheduler.after(chance.int(0, 400), strike);
    },
  };
}

/** Stops processes for a while: one alone, or all of them with their device. */
function sleep(
  parts: DeviceParts,
  clock: DeviceClock,
  { tabs, isHolder }: { readonly tabs: () => readonly Tab[]; readonly isHolder: (process: Process) => boolean },
): Pick<Device, 'freezeFor' | 'sleepFor' | 'wake'> {
  const { scheduler, books, prices } = parts;
  const stop = (process: Process): void => {
    freeze(process, parts);
    if (isHolder(process)) prices.onHolderStopped(process);
  };
  const wake = (): void => {
    if (clock.asleepSinceMs === null) return;
    clock.sleptMs += scheduler.nowMs() - clock.asleepSinceMs;
    clock.asleepSinceMs = null;
    scheduler.note('device', 'wakes');
    for (const { process } of tabs()) thaw(process, parts);
  };
  return {
    wake,
    freezeFor: (process, durationMs) => {
      if (process.isFrozen || !process.isAlive) return false;
      stop(process);
      if (durationMs > 60_000) books.reach('frozen for longer than the interval');
      const { frozenAtMs } = process;
      scheduler.after(durationMs, () => {
        // A sleeping device thaws no process; all thaw when it wakes. A later freeze goes on.
        if (clock.asleepSinceMs === null && process.frozenAtMs === frozenAtMs) thaw(process, parts);
      });
      return true;
    },
    sleepFor: (durationMs) => {
      if (clock.asleepSinceMs !== null) return false;
      clock.asleepSinceMs = scheduler.nowMs();
      scheduler.note('device', 'sleeps');
      for (const { process } of tabs()) stop(process);
      scheduler.after(durationMs, wake);
      return true;
    },
  };
}

function announce(
  { scheduler, random, setup, books }: DeviceParts,
  device: Device,
  news: Ground['random'],
  from: Process,
): void {
  for (const tab of device.tabs()) {
    const { process } = tab;
    if (process === from) continue;
    if (random.chance(setup.faults.announcementLost)) books.struck('announcement lost');
    else {
      const inMs = random.int(1, 20);
      scheduler.after(inMs, () => emitSignal(process, 'store-changed'));
      // Make the request before the tab has read the new record.
      if (!process.isDeaf && news.chance(setup.aims.heard))
        scheduler.after(inMs + news.int(1, 4), () => runTask(process, () => void call(tab, 'get', books)));
    }
  }
}

function onChanged(
  parts: DeviceParts,
  { history, storage }: Device,
  tab: Tab,
  before: SessionSnapshot,
  now: SessionSnapshot,
): void {
  judgeRefusalShown(parts, tab, now);
  if (now.status === 'active') {
    tab.sid = now.sid;
    return;
  }
  if (now.status === 'restoring' || (before.status === now.status && before.reason === now.reason)) return;
  parts.scheduler.note(tab.process.name, `shows ${now.status}: ${now.reason}`);
  judgeShown(parts, { history, storage }, tab, before, now);
}

/**
 * Duration of a freeze that is aimed at a critical window, in ms: 1 to 70 s, or up to 90 minutes, beyond every
 * deadline.
 */
const aimedFreezeMs = ({ random }: Ground): number =>
  random.chance(0.5) ? random.int(1_000, 70_000) : random.int(70_000, 90 * 60_000);

function aimAtRead(parts: DeviceParts, device: Device, process: Process): void {
  if (!parts.random.chance(parts.setup.aims.read)) return;
  if (!device.freezeFor(process, aimedFreezeMs(parts))) return;
  parts.books.struck('frozen between read and send');
  parts.books.reach('frozen between read and send');
}

function aimAtWrite(parts: DeviceParts, device: Device, process: Process): void {
  const { random, setup, scheduler, books } = parts;
  if (!random.chance(setup.aims.storing)) return;
  const kills = random.chance(0.4);
  const durationMs = aimedFreezeMs(parts);
  // A process finishes its current task first; its next task never runs, or runs much later.
  scheduler.after(0, () => {
    if (!(kills ? device.kill(process, true) : device.freezeFor(process, durationMs))) return;
    books.struck(kills ? 'killed with an answer to write' : 'frozen with an answer to write');
    if (!kills) books.reach('frozen with an answer to write');
  });
}

function aimAtLock(parts: DeviceParts, device: Device, process: Process): void {
  const { random, setup, books } = parts;
  if (!random.chance(setup.aims.locked)) return;
  const kills = random.chance(0.5);
  if (!(kills ? device.kill(process, true) : device.freezeFor(process, aimedFreezeMs(parts)))) return;
  books.struck(kills ? 'killed while holding the lock' : 'frozen while holding the lock');
  if (kills) books.reach('killed while holding the lock');
}
