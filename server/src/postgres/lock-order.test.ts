import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { DEFAULT_POLICY } from '../policy.ts';
import type { Store } from '../store.ts';
import { createTestDatabase } from '../testing/database.ts';
import type { TestDatabase } from '../testing/database.ts';
import { closeConnections, openConnections } from './connections.ts';
import type { Connections } from './connections.ts';
import { migrate } from './migrations.ts';
import { openStore } from './store.ts';

// Generous: what runs beside the tests must not fail them.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SUB = 'alice';
const SECRET_HASH = createHash('sha256').update('device').digest();

let database: TestDatabase;
let connections: Connections;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  await migrate(database.databaseUrl, 5_000);
  connections = openConnections(database.databaseUrl, DEFAULT_POLICY, () => {});
  store = await openStore(connections, DEFAULT_POLICY);
});
afterAll(async () => {
  await closeConnections(connections);
  await database.drop();
});

async function signIn(): Promise<string> {
  const codeHash = randomBytes(32);
  await store.codes.insert({
    codeHash,
    clientId: 'app',
    sub: SUB,
    scope: [],
    codeChallenge: 'challenge',
    jkt: null,
    amr: ['pwd'],
    acr: 'aal1',
    signInEpoch: 0,
  });
  const result = await store.codes.exchange(codeHash, {
    jkt: null,
    lifetimes: { inactivityTimeoutSeconds: 3_600, absoluteLifetimeSeconds: 3_600 },
    nonce: randomBytes(12),
    address: '192.0.2.1',
    userAgent: 'test',
    device: { secretHash: SECRET_HASH, replaces: null, copiesOf: [] },
  });
  if (result.kind !== 'exchanged') throw new Error(result.kind);
  return result.delivery.record.sid;
}

/** Two neighbours of one chain, of which the later has the smaller id. */
async function makeUnsortedChain(): Promise<readonly [small: string, large: string]> {
  let earlier = await signIn();
  for (;;) {
    const later = await signIn();
    if (later < earlier) return [later, earlier];
    earlier = later;
  }
}

test('naming a device while its sessions are ended keeps neither from being done', async () => {
  const [small, large] = await makeUnsortedChain();
  const holder = await connections.durable.connect();
  try {
    const lock = 'SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR NO KEY UPDATE';
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query(lock, [small]);
    const labelled = store.sessions.label(small, SUB, 'Phone');
    await vi.waitFor(async () => {
      const waiting = await connections.probe.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      expect(waiting.rowCount).toBe(1);
    }, 20_000);
    // In the order of ids, as everybody locks sessions: naming must not hold the larger one yet.
    await expect(holder.query(`${lock} NOWAIT`, [large])).resolves.toMatchObject({ rowCount: 1 });
    await holder.query('COMMIT');
    expect(await labelled).toBe(true);
  } finally {
    holder.release(true);
  }
});

test('a name that is given while the device signs in is not lost', async () => {
  const sid = await signIn();
  const holder = await connections.durable.connect();
  try {
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query('SELECT 1 FROM holdfast.subjects WHERE sub = $1 FOR NO KEY UPDATE', [SUB]);
    const labelled = store.sessions.label(sid, SUB, 'Tablet').then(() => 'labelled');
    const waiting = vi.waitFor(async () => {
      const { rowCount } = await connections.probe.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      expect(rowCount).toBe(1);
      return 'waits for the subject';
    }, 20_000);
    expect(await Promise.race([labelled, waiting])).toBe('waits for the subject');
    await holder.query('COMMIT');
    expect(await labelled).toBe('labelled');
  } finally {
    holder.release(true);
  }
});
