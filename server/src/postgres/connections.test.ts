import { DatabaseError } from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import {
  closeConnections,
  longestTransactionMs,
  openConnections,
  run,
  transact,
  type Connections,
} from './connections.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let connections: Connections;
const policy = { ...DEFAULT_POLICY, statementTimeoutMs: 400 };

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  connections = openConnections(database.databaseUrl, policy, () => {});
  await connections.durable.query('CREATE TABLE notes (text text)');
});
afterAll(async () => {
  await closeConnections(connections);
  await database.drop();
});

const notes = async (): Promise<readonly unknown[]> => run(connections.durable, { text: 'SELECT text FROM notes' });

// The revocation feed looks back only so far. A follower would miss a session for good that ended in a longer
// transaction.
test('a transaction of many slow statements is not committed later than the revocation feed looks back', async () => {
  const slow = transact(connections.durable, async (client) => {
    await client.query("INSERT INTO notes VALUES ('too late')");
    for (let statement = 0; statement < 10; statement++) await client.query('SELECT pg_sleep(0.3)');
  });
  await expect(slow).rejects.toMatchObject({ code: 'unavailable' });
  expect(await notes()).toEqual([]);
  expect(longestTransactionMs(policy)).toBeLessThan(3_000);
});

test('a transaction within its time limit commits, and a statement beyond its own limit ends it', async () => {
  await transact(connections.durable, (client) => client.query("INSERT INTO notes VALUES ('in time')"));
  expect(await notes()).toEqual([{ text: 'in time' }]);
  const endless = transact(connections.durable, async (client) => {
    await client.query("INSERT INTO notes VALUES ('never')");
    await client.query('SELECT pg_sleep(30)');
  });
  await expect(endless).rejects.toMatchObject({ code: 'unavailable' });
  expect(await notes()).toEqual([{ text: 'in time' }]);
});

/** An error as a server reports it whose messages are in German. */
function germanError(severity: 'FEHLER' | 'FATAL', code: string): Error {
  return Object.assign(new DatabaseError('Sperre nicht verfügbar', 0, 'error'), { severity, code });
}

test.each([
  ['keeps the connection after a refused statement', 'FEHLER', '55P03', true, 'row fault'],
  ['gives up the connection that the server has ended', 'FATAL', '57P01', false, 'did not answer'],
] as const)('a server that speaks German %s', async (_case, severity, code, isKept, message) => {
  const pids: { readonly pid: number }[] = [];
  const once = transact(connections.durable, async (client) => {
    pids.push((await client.query('SELECT pg_backend_pid() AS pid')).rows[0]);
    await client.query("INSERT INTO notes VALUES ('rolled back')");
    throw germanError(severity, code);
  });
  await expect(once).rejects.toThrow(message);
  const text = 'SELECT count(*)::int4 AS count FROM pg_stat_activity WHERE pid = $1';
  const [{ pid } = { pid: null }] = pids;
  const isOpen = (): Promise<readonly unknown[]> => run(connections.durable, { text, values: [pid] });
  // A backend takes a moment to end.
  await vi.waitFor(async () => expect(await isOpen()).toEqual([{ count: isKept ? 1 : 0 }]));
  expect(await notes()).not.toContainEqual({ text: 'rolled back' });
});
