import { beforeEach } from 'vitest';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { CONTRACT_POLICY, type StoreUnderTest } from '../testing/store-bench.ts';
import { testStoreContract } from '../testing/store-contract.ts';
import { memoryStore } from './memory-store.ts';
import { createMemoryTables } from './memory-tables.ts';

let under: StoreUnderTest;

beforeEach(() => {
  const tables = createMemoryTables();
  under = {
    store: memoryStore({ tables, policy: { ...DEFAULT_POLICY, ...CONTRACT_POLICY } }),
    letTimePass: async (sid, milliseconds) => {
      const row = tables.sessions.get(sid);
      if (row === undefined) throw new Error('there is no such session');
      tables.sessions.set(sid, {
        ...row,
        createdAtMs: row.createdAtMs - milliseconds,
        deliveredAtMs: row.deliveredAtMs - milliseconds,
        lastUsedAtMs: row.lastUsedAtMs === null ? null : row.lastUsedAtMs - milliseconds,
        idleExpiresAtMs: row.idleExpiresAtMs - milliseconds,
        expiresAtMs: row.expiresAtMs - milliseconds,
      });
    },
  };
});

testStoreContract(() => under);
