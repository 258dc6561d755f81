import { afterAll, beforeAll, inject, vi } from 'vitest';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { CONTRACT_POLICY, type StoreUnderTest } from '../testing/store-bench.ts';
import { testStoreContract } from '../testing/store-contract.ts';
import { closeConnections, openConnections, type Connections } from './connections.ts';
import { migrate } from './migrations.ts';
import { openStore } from './store.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let connections: Connections;
let under: StoreUnderTest;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  await migrate(database.databaseUrl, 5_000);
  const policy = { ...DEFAULT_POLICY, ...CONTRACT_POLICY };
  connections = openConnections(database.databaseUrl, policy, () => {});
  const times = ['created_at', 'delivered_at', 'last_used_at', 'idle_expires_at', 'expires_at'];
  under = {
    store: await openStore(connections, policy),
    letTimePass: async (sid, milliseconds) => {
      const past = times.map((column) => `${column} = ${column} - make_interval(secs => $2)`).join(', ');
      await connections.durable.query(`UPDATE holdfast.sessions SET ${past} WHERE id = $1`, [
        sid,
        milliseconds / 1_000,
      ]);
    },
  };
});
afterAll(async () => {
  await closeConnections(connections);
  await database.drop();
});

testStoreContract(() => under);
