import type { Books } from '../checkers/ledger.ts';
import { emitSignal, type Ground, type Process } from '../sandbox/process.ts';
import type { FaultName } from '../sandbox/setup.ts';
import type { Cluster } from '../world/cluster.ts';
import type { Database } from '../world/database.ts';
import type { Device } from '../world/device.ts';
import type { Network } from '../world/network.ts';
import type { User } from '../world/user.ts';

/** The parts of the world that mishaps strike. */
export type MishapParts = Ground & {
  readonly books: Books;
  readonly database: Database;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly device: Device;
  readonly user: User;
};

const HOUR_MS = 3_600_000;

/** @returns false if there was nothing to strike */
type Mishap = (parts: MishapParts) => boolean;

const anyProcess = ({ device, random }: MishapParts): Process | null => {
  const tabs = device.tabs();
  return tabs.length === 0 ? null : random.pick(tabs).process;
};

/** The faults that strike at a rate. Faults of one tab strike once for each tab (`OF_EACH_TAB`). */
const MISHAPS: Partial<Readonly<Record<FaultName, Mishap>>> = {
  networkDown: ({ network, scheduler, random, books }) => {
    const end = network.goDown();
    scheduler.after(random.int(1_000, 180_000), () => {
      end();
      books.reach('offline, then back');
    });
    return true;
  },
  nodeKilled: ({ cluster }) => cluster.kill(),
  databaseCrashed: ({ database }) => database.crash(),
  keyRolledOver: ({ cluster, books }) => {
    cluster.rollOverKeys();
    books.reach('server key rolled over');
    return true;
  },
  tabKilled: (parts) => {
    const process = anyProcess(parts);
    return process !== null && parts.device.kill(process, parts.random.chance(0.9));
  },
  tabFrozen: (parts) => {
    const process = anyProcess(parts);
    if (!process) return false;
    const durationMs = parts.random.wait(parts.random.pick([10_000, 300_000, 1_800_000]));
    return parts.device.freezeFor(process, durationMs);
  },
  deviceAsleep: ({ device, random }) => device.sleepFor(random.wait(random.pick([60_000, 1_800_000]))),
  clockJumped: ({ device, random, scheduler }) => {
    const jumpMs = random.pick([60_000, 3_600_000, 86_400_000, 3_650 * 86_400_000]) * (random.next() * 2 - 1);
    device.clock.offsetMs += Math.round(jumpMs);
    scheduler.note('device', `the clock jumps by ${Math.round(jumpMs / 1_000)} s`);
    return true;
  },
  vaultLocked: ({ device, scheduler, random, books }) => {
    const end = device.storage.lock();
    scheduler.after(random.int(1_000, 120_000), () => {
      end();
      books.reach('vault locked, then unlocked');
    });
    return true;
  },
  storeRefused: ({ device, scheduler, random, books }) => {
    const end = device.storage.refuse();
    scheduler.after(random.int(60_000, 1_800_000), () => {
      end();
      books.reach('store refused, then mended');
    });
    return true;
  },
  vaultWiped: ({ device, books }) => {
    device.storage.wipe();
    books.reach('vault emptied');
    return true;
  },
  vaultDamaged: ({ device, books }) => {
    if (!device.storage.damage()) return false;
    books.reach('vault damaged');
    return true;
  },
  vaultForgot: ({ device, books }) => {
    device.restart();
    books.reach('last write forgotten');
    return true;
  },
  revoked: (parts) => revokeSome(parts),
  userChanged: ({ user }) => user.change(),
  outage: ({ network, scheduler, random, books }) => {
    if (network.outages.kind() !== null) return false;
    const end = network.outages.begin(random.pick(['refused', 'unavailable', 'silent']));
    scheduler.after(random.int(2_000, 40_000), end);
    books.reach('servers out of reach');
    return true;
  },
  serverSlow: ({ network, scheduler, random, books }) => {
    const end = network.outages.slowDown(random.int(3_200, 5_000));
    scheduler.after(random.int(60_000, 600_000), end);
    books.reach('token endpoint slower than the lock wait');
    return true;
  },
  offlineWrongly: (parts) => {
    const process = anyProcess(parts);
    if (!process) return false;
    emitSignal(process, 'offline');
    parts.network.outages.loseNextOf(process.name);
    parts.books.reach('offline wrongly');
    return true;
  },
  appRemounted: (parts) => {
    const process = anyProcess(parts);
    return process !== null && parts.device.remount(process);
  },
};

/** An administrator ends the session that the device shows. @returns false if it shows none, or no node is alive */
export function revokeSome({ device, cluster, books }: Pick<MishapParts, 'device' | 'cluster' | 'books'>): boolean {
  const sid = device.tabs().find((tab) => tab.sid !== null)?.sid;
  if (!sid || !cluster.revoke(sid)) return false;
  books.reach('session revoked elsewhere');
  return true;
}

const OF_EACH_TAB: ReadonlySet<FaultName> = new Set(['tabKilled', 'tabFrozen', 'appRemounted', 'offlineWrongly']);

/** Lets every mishap of the seed strike at its rate, until the faults are switched off. */
export function startMishaps(parts: MishapParts): void {
  const { scheduler, random, setup, books, device } = parts;
  if (setup.faults.clockSkewed > 0) {
    device.clock.offsetMs = Math.round(setup.faults.clockSkewed * random.int(-HOUR_MS, HOUR_MS));
  }
  for (const [name, strike] of Object.entries(MISHAPS) as [FaultName, Mishap][]) {
    const chance = random.fork(name);
    const perHour = setup.faults[name] * (OF_EACH_TAB.has(name) ? setup.tabs : 1);
    const again = (): void => {
      scheduler.after(chance.wait(HOUR_MS / perHour), () => {
        if (setup.faults[name] === 0) return;
        if (strike(parts)) books.struck(name);
        again();
      });
    };
    if (perHour > 0) again();
  }
}
