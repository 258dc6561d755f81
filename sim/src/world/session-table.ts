import type { Policy } from '../../../server/src/kernel/policy.ts';
import { memoryStore, type MemoryStore } from '../../../server/src/storage/memory-store.ts';
import { createMemoryTables, type MemorySession, type MemoryWatch } from '../../../server/src/storage/memory-tables.ts';
import type { Random } from '../sandbox/random.ts';
import type { Connection, Database } from './database.ts';

// Runs the server's own memory store on the simulated database. The store states the conditions; the database adds
// delays, locks, faults and crashes.

export { isLive } from '../../../server/src/storage/memory-tables.ts';

/** A session's row. */
export type SessionRow = MemorySession;

/** Reports what the statements did, for the ledger. */
export type TableWatch = Required<MemoryWatch>;

/** The sessions in the database, and the connections of nodes to it. */
export type Tables = {
  readonly sessions: ReadonlyMap<string, SessionRow>;
  connect(by: Connection): MemoryStore;
};

export function createTables(database: Database, random: Random, policy: Policy, watch: TableWatch): Tables {
  const tables = createMemoryTables();
  return {
    sessions: tables.sessions,
    connect: (by) =>
      memoryStore({
        tables,
        policy,
        watch,
        randomBytes: (size) => random.bytes(size),
        query: (work) => database.query(by, work),
        transact: (terms, work) => {
          const lockTimeoutMs = terms.isDurable ? policy.statementTimeoutMs : policy.lockTimeoutMs;
          return database.transact(by, { ...terms, lockTimeoutMs }, work);
        },
      }),
  };
}
