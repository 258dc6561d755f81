// `npm run bench:rows`: what one session costs the database, measured: bytes of row and indexes, and of write-ahead log for
// one rotation. The guide on scaling out multiplies these numbers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHoldfast, startEmbeddedPostgres } from '@holdfast/server';
import { Client } from 'pg';

const SESSIONS = 200_000;
/** Rotations after each checkpoint: spread so thin that hardly any two share a page, as with 10^8 sessions. */
const SPARSE = 2_000;
/** As many as a batch has under load. */
const BATCH = 64;

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-rows-'));
const postgres = await startEmbeddedPostgres({ dataDirectory: folder });
const client = new Client({ connectionString: postgres.databaseUrl });
try {
  const holdfast = await createHoldfast({
    issuer: 'http://127.0.0.1',
    databaseUrl: postgres.databaseUrl,
    secret: 'a master secret for measurements alone',
    clients: [{ clientId: 'web', refreshTokenTransport: 'cookie', scopes: ['api'] }],
  });
  await holdfast.close();
  await client.connect();
  await fill();
  console.log(`${SESSIONS} sessions\n`);
  await printSizes();
  // First every row once, so that pages have the shape they have in service.
  await rotate(SESSIONS, 'every session once, wal_compression off');
  await printSizes();
  for (const compression of ['off', 'lz4', 'pglz']) {
    try {
      await client.query(`SET wal_compression = ${compression}`);
    } catch {
      console.log(`  (this PostgreSQL cannot compress with ${compression})`);
      continue;
    }
    await rotate(SPARSE, `one session in a hundred between checkpoints, wal_compression ${compression}`);
    await rotate(SPARSE * 20, `one in five, wal_compression ${compression}`);
  }
} finally {
  await client.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Sessions as browsers make them: addresses and user agents of the usual length, ids at random, users with two each. */
async function fill(): Promise<void> {
  await client.query(
    `INSERT INTO holdfast.sessions (bucket, id, user_id, client_id, scope, amr, acr, auth_time, seed, rotated_by, delivered_at,
       created_at, idle_expires_at, expires_at, created_address, created_user_agent, last_address, last_user_agent, device_id, device_sequence)
     SELECT get_byte(uuid_send(i.id), 0), i.id, md5((n / 2)::text)::uuid::text, 'web', 'api profile', 'pwd', 'urn:holdfast:pwd', now(),
       sha256(uuid_send(gen_random_uuid())), substring(sha256(uuid_send(i.id)) FROM 1 FOR 12), now(), now(),
       now() + interval '14 days', now() + interval '30 days' - n * interval '10 seconds', '203.0.113.' || n % 255, agent, '203.0.113.' || n % 255, agent,
       i.id, n
     FROM generate_series(1, $1::int) AS n,
       LATERAL (SELECT gen_random_uuid() AS id, n AS used) AS i,
       (VALUES ($2::text)) AS a (agent)`,
    [
      SESSIONS,
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
    ],
  );
  await client.query('VACUUM (ANALYZE, FREEZE) holdfast.sessions');
  await client.query('CHECKPOINT');
}

async function printSizes(): Promise<void> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `SELECT relname AS name, pg_relation_size(c.oid) AS bytes FROM pg_class AS c
     WHERE c.oid = 'holdfast.sessions'::regclass
       OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'holdfast.sessions'::regclass)
     ORDER BY relkind DESC, relname`,
  );
  for (const { name, bytes } of rows) {
    console.log(`  ${name.padEnd(28)} ${(Number(bytes) / SESSIONS).toFixed(0).padStart(5)} bytes per session`);
  }
  const total = rows.reduce((sum, { bytes }) => sum + Number(bytes), 0);
  console.log(`  ${'together'.padEnd(28)} ${(total / SESSIONS).toFixed(0).padStart(5)} bytes per session\n`);
}

/** Changes the columns that a rotation changes, in batches by primary key, and prints what that wrote. */
async function rotate(count: number, title: string): Promise<void> {
  const { rows } = await client.query<{ bucket: number; id: string }>(
    'SELECT bucket, id FROM holdfast.sessions ORDER BY random() LIMIT $1',
    [count],
  );
  // From here on every page that is changed for the first time is logged whole.
  await client.query('CHECKPOINT');
  const before = await written();
  for (let from = 0; from < rows.length; from += BATCH) {
    const batch = rows.slice(from, from + BATCH);
    await client.query({
      name: 'rotate',
      text: `
        UPDATE holdfast.sessions AS s
        SET generation = generation + 1, rotated_by = substring(sha256(seed) FROM 1 FOR 12), delivered_at = now(),
          redeliveries = 0, idle_expires_at = now() + interval '14 days', last_address = last_address
        FROM unnest($1::int2[], $2::uuid[]) AS c (bucket, id) WHERE s.bucket = c.bucket AND s.id = c.id`,
      values: [batch.map(({ bucket }) => bucket), batch.map(({ id }) => id)],
    });
  }
  const after = await written();
  const each = (after.wal - before.wal) / rows.length;
  const inPlace = (100 * (after.hot - before.hot)) / (after.updates - before.updates);
  console.log(`  ${title}: ${each.toFixed(0)} bytes of WAL a rotation, ${inPlace.toFixed(0)} % updated in place\n`);
}

async function written(): Promise<{ readonly wal: number; readonly updates: number; readonly hot: number }> {
  // This session's work is counted once it has reported.
  await client.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await client.query<{ wal: string; updates: string; hot: string }>(
    `SELECT pg_current_wal_insert_lsn() - '0/0' AS wal, n_tup_upd AS updates, n_tup_hot_upd AS hot
     FROM pg_stat_user_tables WHERE relid = 'holdfast.sessions'::regclass`,
  );
  const [row] = rows;
  return { wal: Number(row?.wal), updates: Number(row?.updates), hot: Number(row?.hot) };
}
