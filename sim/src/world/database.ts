import { HoldfastServerError } from '../../../server/src/kernel/errors.ts';
import { RowFault } from '../../../server/src/storage/store.ts';
import type { Random } from '../sandbox/random.ts';
import type { Scheduler } from '../sandbox/scheduler.ts';
import type { Setup } from '../sandbox/setup.ts';

/** The connection of a node. A dead node receives nothing. */
export type Connection = { readonly isAlive: () => boolean };

/** A transaction at the moment of its commit. */
export type Transaction = {
  /** `now()`: the time at which the transaction began, before it waited for a row. */
  readonly nowMs: number;
  readonly put: <Value>(table: Map<string, Value>, key: string, value: Value) => void;
  readonly remove: <Value>(table: Map<string, Value>, key: string) => void;
};

/** The conditions under which a transaction commits. */
export type Terms = {
  /** The rows that it locks. */
  readonly rows: readonly string[];
  /** True if the commit waits for the disk and the replica; otherwise a crash may forget it. */
  readonly isDurable: boolean;
  /** Longest wait for a row that another transaction holds, in ms. */
  readonly lockTimeoutMs: number;
  /**
   * True if a held row rejects with `RowFault`; otherwise it rejects with `unavailable`, as the store's contract says.
   */
  readonly namesRow: boolean;
};

/** A small stand-in for PostgreSQL: transactions, row locks, and a log that a crash cuts off at its durable end. */
export type Database = {
  query<Result>(by: Connection, work: (nowMs: number) => Result): Promise<Result>;
  transact<Result>(by: Connection, terms: Terms, work: (transaction: Transaction) => Result): Promise<Result>;
  /** Falls back to the last durable state and is down for a while. @returns false if it is down already */
  crash(): boolean;
  /** The clock that `now()` reads. */
  readonly nowMs: () => number;
  /** The number of writes that a crash now would forget. */
  forgettable(): number;
};

/** Reports of the database, for the code that aims faults and for the ledger. */
export type DatabaseWatch = {
  /** `keys`: the keys that were written. */
  readonly onCommitted: (by: Connection, isDurable: boolean, keys: readonly string[]) => void;
  readonly onUnknownCommit: () => void;
  /** A crash has forgotten the last writes to these keys. */
  readonly onForgotten: (keys: readonly string[]) => void;
};

type Undo = { readonly key: string; readonly undo: () => void };

/** The working parts that every step of a transaction needs. */
type Parts = {
  readonly setup: Setup;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly watch: DatabaseWatch;
  readonly log: Undo[];
  readonly locks: Map<string, number>;
  epoch: number;
  isDown: boolean;
  clockOffsetMs: number;
};

const unavailable = (): HoldfastServerError => new HoldfastServerError('unavailable', 'the database did not answer');

/** Longest time until an asynchronous commit is durable, in ms, unless a durable commit flushes the log earlier. */
const LONGEST_LAG_MS = 4_000;
const LONGEST_OUTAGE_MS = 10_000;

export function createDatabase(setup: Setup, scheduler: Scheduler, random: Random, watch: DatabaseWatch): Database {
  const parts: Parts = {
    setup,
    scheduler,
    random,
    watch,
    log: [],
    locks: new Map(),
    epoch: 0,
    isDown: false,
    clockOffsetMs: 0,
  };
  return {
    query: (by, work) =>
      converse(parts, by, (nowMs, resolve) => {
        resolve(work(nowMs));
      }),
    transact: (by, terms, work) =>
      converse(parts, by, (nowMs, resolve, reject) =>
        takeRows({ parts, by, terms, work, nowMs, resolve, reject }, scheduler.nowMs() + terms.lockTimeoutMs),
      ),
    crash: () => crash(parts),
    nowMs: () => scheduler.nowMs() + parts.clockOffsetMs,
    forgettable: () => parts.log.length,
  };
}

/** Sends `work` to the database and brings its result back. Every failure on the way is `unavailable`. */
function converse<Result>(
  parts: Parts,
  by: Connection,
  work: (nowMs: number, resolve: (result: Result) => void, reject: (error: Error) => void) => void,
): Promise<Result> {
  const { scheduler, random, setup } = parts;
  return new Promise((resolve, reject) => {
    const reply = (settle: () => void): void => {
      scheduler.after(random.int(1, 15), () => {
        if (by.isAlive()) settle();
      });
    };
    const fail = (error: Error): void => reply(() => reject(error));
    const isRefused = random.chance(setup.faults.databaseError);
    scheduler.after(random.int(1, 15), () => {
      if (parts.isDown || isRefused) return fail(unavailable());
      work(scheduler.nowMs() + parts.clockOffsetMs, (result) => reply(() => resolve(result)), fail);
    });
  });
}

type Turn<Result> = {
  readonly parts: Parts;
  readonly by: Connection;
  readonly terms: Terms;
  readonly work: (transaction: Transaction) => Result;
  readonly nowMs: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
};

/** Waits for the rows, then commits. Under READ COMMITTED the conditions are checked after the wait. */
function takeRows<Result>(turn: Turn<Result>, giveUpAtMs: number): void {
  const { parts, terms, reject } = turn;
  const { scheduler, random, setup, locks } = parts;
  const fault = terms.namesRow ? new RowFault('row fault 55P03') : unavailable();
  if (random.chance(setup.faults.rowHeld)) return reject(fault);
  const heldUntilMs = Math.max(0, ...terms.rows.map((row) => locks.get(row) ?? 0));
  if (heldUntilMs > giveUpAtMs) return reject(fault);
  const { epoch } = parts;
  if (heldUntilMs > scheduler.nowMs()) {
    scheduler.after(heldUntilMs - scheduler.nowMs(), () => {
      if (parts.epoch === epoch) takeRows(turn, giveUpAtMs);
      else reject(unavailable());
    });
    return;
  }
  if (!terms.isDurable) return commit(turn);
  const flushMs = random.int(2, 40);
  for (const row of terms.rows) locks.set(row, scheduler.nowMs() + flushMs);
  scheduler.after(flushMs, () => {
    if (parts.epoch === epoch) commit(turn);
    else reject(unavailable());
  });
}

function commit<Result>({ parts, by, terms, work, nowMs, resolve, reject }: Turn<Result>): void {
  const { log, random, setup, watch } = parts;
  const isUnknown = random.chance(setup.faults.commitUnknown);
  const keys: string[] = [];
  const keep = <Value>(table: Map<string, Value>, key: string): void => {
    const before = table.get(key);
    keys.push(key);
    log.push({ key, undo: () => (before === undefined ? table.delete(key) : table.set(key, before)) });
  };
  const result = work({
    nowMs,
    put: (table, key, value) => {
      keep(table, key);
      table.set(key, value);
    },
    remove: (table, key) => {
      keep(table, key);
      table.delete(key);
    },
  });
  if (terms.isDurable) log.length = 0;
  else flushLater(parts);
  if (isUnknown) {
    watch.onUnknownCommit();
    reject(unavailable());
  } else resolve(result);
  // Call the watch last: it may kill the node or the database, and then no answer leaves.
  if (by.isAlive()) watch.onCommitted(by, terms.isDurable, keys);
}

/** Makes everything written until now durable after a random delay, as the log writer or the replica does. */
function flushLater(parts: Parts): void {
  const { scheduler, random, log } = parts;
  const last = log.at(-1);
  scheduler.after(random.int(0, LONGEST_LAG_MS), () => {
    const at = last === undefined ? -1 : log.indexOf(last);
    if (at >= 0) log.splice(0, at + 1);
  });
}

function crash(parts: Parts): boolean {
  const { scheduler, random, log, locks, watch } = parts;
  if (parts.isDown) return false;
  parts.isDown = true;
  parts.epoch++;
  locks.clear();
  const keys = log.map(({ key }) => key);
  for (const { undo } of log.toReversed()) undo();
  log.length = 0;
  // The replica that takes over has a clock of its own.
  parts.clockOffsetMs = random.int(-1_500, 1_500);
  scheduler.note('database', keys.length > 0 ? `falls back, ${keys.length} writes forgotten` : 'falls back');
  if (keys.length > 0) watch.onForgotten(keys);
  scheduler.after(random.int(200, LONGEST_OUTAGE_MS), () => {
    parts.isDown = false;
    scheduler.note('database', 'is back');
  });
  return true;
}
