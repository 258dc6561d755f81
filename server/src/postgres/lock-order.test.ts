import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { newSid } from '../kernel/ids.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import type { Store } from '../storage/store.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { closeConnections, openConnections, type Connections } from './connections.ts';
import { deleteExpired } from './housekeeping.ts';
import { migrate } from './migrations.ts';
import { openStore } from './store.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SUB = 'alice';
const DELAYS = { firstDelaySeconds: 1, maximumDelaySeconds: 60 };
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

/** Returns how many transactions wait for a lock. */
async function waiting(): Promise<number | null> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  return (await connections.probe.query(text)).rowCount;
}

/** Creates two consecutive sessions of one chain, of which the later has the smaller id. */
async function makeUnsortedChain(): Promise<readonly [small: string, large: string]> {
  let earlier = await signIn();
  for (;;) {
    const later = await signIn();
    if (later < earlier) return [later, earlier];
    earlier = later;
  }
}

test('labelling a device while its sessions are ended prevents neither operation', async () => {
  const [small, large] = await makeUnsortedChain();
  const holder = await connections.durable.connect();
  try {
    const lock = 'SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR NO KEY UPDATE';
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query(lock, [small]);
    const labelled = store.sessions.label(small, SUB, 'Phone');
    await vi.waitFor(async () => expect(await waiting()).toBe(1), 20_000);
    // All statements lock sessions in order of id, so the labelling must not hold the larger one yet.
    await expect(holder.query(`${lock} NOWAIT`, [large])).resolves.toMatchObject({ rowCount: 1 });
    await holder.query('COMMIT');
    expect(await labelled).toBe(true);
  } finally {
    holder.release(true);
  }
});

/** Runs work while another transaction holds some rows, and then releases them. */
async function whileHeld(lock: string, values: readonly unknown[], work: () => Promise<void>): Promise<void> {
  const holder = await connections.durable.connect();
  try {
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query(lock, [...values]);
    await work();
  } finally {
    holder.release(true);
  }
}

test('deleting expired rows skips locked rows and deletes the others', async () => {
  const [held, free] = await makeUnsortedChain();
  const expire = "UPDATE holdfast.sessions SET expires_at = now() - interval '1 day' WHERE id = ANY ($1)";
  await connections.durable.query(expire, [[held, free]]);
  const left = async (): Promise<readonly unknown[]> =>
    (await connections.durable.query('SELECT id FROM holdfast.sessions WHERE id = ANY ($1)', [[held, free]])).rows;
  await whileHeld('SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR NO KEY UPDATE', [held], async () => {
    await deleteExpired(connections.durable, 3_600);
    expect(await left()).toEqual([{ id: held }]);
  });
  await deleteExpired(connections.durable, 3_600);
  expect(await left()).toEqual([]);
});

test('old events are deleted although one of them is locked', async () => {
  const events = Array.from({ length: 3 }, (_, at) => ({
    type: 'user.changed' as const,
    sub: SUB,
    change: 'created' as const,
    id: newSid(at),
    atMs: at + 1,
  }));
  await store.events.append(events);
  const list = async (): Promise<readonly string[]> =>
    (await store.events.list({ type: 'user.changed' })).map(({ id }) => id);
  await whileHeld('SELECT 1 FROM holdfast.events WHERE id = $1 FOR UPDATE', [events[1]?.id], async () => {
    await store.events.deleteExpired(3_600);
    expect(await list()).toEqual([events[1]?.id]);
  });
});

test('right passwords and new attempts lock their buckets in one order', async () => {
  const [small, large] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const buckets = [small, large].map((key) => ({ key, allowance: 1_000, leakSeconds: 60 }));
  // Insert the rows in reverse order of their keys.
  for (const bucket of buckets.toReversed()) await store.attempts.take([bucket], DELAYS);
  await connections.durable.query('ANALYZE holdfast.password_attempts');
  await whileHeld('SELECT 1 FROM holdfast.password_attempts WHERE bucket_key = $1 FOR UPDATE', [small], async () => {
    const given = store.attempts.forgive({
      returned: [large, small],
      emptied: [large, small],
      network: null,
    });
    await vi.waitFor(async () => expect(await waiting()).toBe(1), 20_000);
    // It waits for the first row and must not hold the second yet.
    const lock = 'SELECT 1 FROM holdfast.password_attempts WHERE bucket_key = $1 FOR UPDATE NOWAIT';
    await expect(connections.durable.query(lock, [large])).resolves.toMatchObject({ rowCount: 1 });
    given.catch(() => {});
  });
});

test("a label that is set during the device's sign-in is not lost", async () => {
  const sid = await signIn();
  const holder = await connections.durable.connect();
  try {
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query('SELECT 1 FROM holdfast.subjects WHERE sub = $1 FOR NO KEY UPDATE', [SUB]);
    const labelled = store.sessions.label(sid, SUB, 'Tablet').then(() => 'labelled');
    const blocked = vi.waitFor(async () => {
      expect(await waiting()).toBe(1);
      return 'waits for the subject';
    }, 20_000);
    expect(await Promise.race([labelled, blocked])).toBe('waits for the subject');
    await holder.query('COMMIT');
    expect(await labelled).toBe('labelled');
  } finally {
    holder.release(true);
  }
});
