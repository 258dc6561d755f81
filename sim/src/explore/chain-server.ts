import { DEFAULT_POLICY } from '../../../server/src/kernel/policy.ts';
import type { Random } from '../sandbox/random.ts';
import type { Scheduler } from '../sandbox/scheduler.ts';
import { createCluster, type Cluster } from '../world/cluster.ts';
import type { Database } from '../world/database.ts';
import { createTables, type SessionRow } from '../world/session-table.ts';

/** The parts of a world that its server reads and writes. */
export type ServerHost = { readonly nowMs: number; broken: string | null };

export type ChainServer = { readonly cluster: Cluster; readonly rows: ReadonlyMap<string, SessionRow> };

/** Creates one node over the memory store, without delays or faults. */
export function createServer(host: () => ServerHost, random: Random): ChainServer {
  const nowMs = (): number => host().nowMs;
  const database: Database = {
    query: async (_, work) => work(nowMs()),
    transact: async (_, __, work) =>
      work({
        nowMs: nowMs(),
        put: (table, key, value) => void table.set(key, value),
        remove: (table, key) => void table.delete(key),
      }),
    crash: () => false,
    nowMs,
    forgettable: () => 0,
  };
  const scheduler: Scheduler = {
    nowMs,
    after: () => () => {},
    runUntil: () => Promise.resolve(),
    note: () => {},
    notes: [],
    events: () => 0,
    traceHash: () => 0,
  };
  const nothing = (): void => {};
  const watch = { onCreated: nothing, onRotated: nothing, onWritten: nothing, onEnded: nothing };
  const tables = createTables(database, random.fork('rows'), DEFAULT_POLICY, watch);
  const cluster = createCluster({
    scheduler,
    random: random.fork('cluster'),
    policy: DEFAULT_POLICY,
    tables,
    nodes: 1,
    onFact: nothing,
    onTokens: nothing,
    onBug: (text) => (host().broken = `the server fails: ${text}`),
  });
  return { cluster, rows: tables.sessions };
}
