import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import type { Store } from '../storage/store.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { closeConnections, openConnections, type Connections } from './connections.ts';
import { deleteExpired } from './housekeeping.ts';
import { migrate } from './migrations.ts';
import { openStore } from './store.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const RETENTION_SECONDS = 86_400;

let database: TestDatabase;
let connections: Connections;
let store: Store;

// As docs/guides/scale-out.md allows: partitions by hash of `bucket`.
beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  await migrate(database.databaseUrl, 5_000);
  connections = openConnections(database.databaseUrl, DEFAULT_POLICY, () => {});
  const partitions = [0, 1, 2, 3].map(
    (remainder) => `CREATE TABLE holdfast.sessions_${remainder} PARTITION OF holdfast.sessions
      FOR VALUES WITH (MODULUS 4, REMAINDER ${remainder});`,
  );
  await connections.durable.query(`
    ALTER TABLE holdfast.sessions RENAME TO unpartitioned;
    CREATE TABLE holdfast.sessions (LIKE holdfast.unpartitioned INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
      PARTITION BY HASH (bucket);
    ALTER TABLE holdfast.sessions ADD PRIMARY KEY (bucket, id);
    ${partitions.join('\n')}
    DROP TABLE holdfast.unpartitioned;`);
  store = await openStore(connections, DEFAULT_POLICY);
});
afterAll(async () => {
  await closeConnections(connections);
  await database.drop();
});

async function signIn(sub: string): Promise<string> {
  const codeHash = randomBytes(32);
  const code = { clientId: 'app', sub, scope: [], codeChallenge: 'challenge', jkt: null, amr: ['pwd'], acr: 'aal1' };
  await store.codes.insert({ ...code, codeHash, signInEpoch: 0 });
  const result = await store.codes.exchange(codeHash, {
    jkt: null,
    lifetimes: { inactivityTimeoutSeconds: 3_600, absoluteLifetimeSeconds: 3_600 },
    nonce: randomBytes(12),
    address: '192.0.2.1',
    userAgent: 'test',
    device: { secretHash: createHash('sha256').update(sub).digest(), replaces: null, copiesOf: [] },
  });
  if (result.kind !== 'exchanged') throw new Error(result.kind);
  return result.delivery.record.sid;
}

test('deleting expired sessions keeps live sessions in other partitions', async () => {
  const sids: string[] = [];
  for (let user = 0; user < 40; user++) sids.push(await signIn(`user-${user}`));
  const [expired, live] = [sids.slice(0, 10), sids.slice(10)];
  const expire = "UPDATE holdfast.sessions SET expires_at = now() - interval '2 days' WHERE id = ANY ($1)";
  await connections.durable.query(expire, [expired]);
  // Later sign-ins, so that every partition has rows at the positions that expired rows have in another one.
  for (let user = 40; user < 80; user++) live.push(await signIn(`user-${user}`));
  await deleteExpired(connections.durable, RETENTION_SECONDS);
  const { rows } = await connections.durable.query<{ readonly id: string }>('SELECT id FROM holdfast.sessions');
  expect(rows.map(({ id }) => id).toSorted()).toEqual(live.toSorted());
});
