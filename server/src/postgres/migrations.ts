import { Client } from 'pg';
import { HoldfastServerError } from '../kernel/errors.ts';
import { INITIAL } from './migrations/0001-initial.ts';
import { BOUND_CODES } from './migrations/0002-bound-codes.ts';
import { PEOPLE } from './migrations/0003-people.ts';
import { EVENTS } from './migrations/0004-events.ts';
import { SIGNING_KEY_SCHEDULE } from './migrations/0005-signing-key-schedule.ts';
import { FAMILIAR_NETWORKS } from './migrations/0006-familiar-networks.ts';
import { DEVICE_CHAINS } from './migrations/0007-device-chains.ts';
import { PASSKEY_USER_HANDLES } from './migrations/0008-passkey-user-handles.ts';
import { FAMILIAR_NETWORKS_BY_ACCOUNT } from './migrations/0009-familiar-networks-by-account.ts';

type Migration = {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
};

/** In order of version. Never change a released migration. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'initial', sql: INITIAL },
  { version: 2, name: 'bound codes', sql: BOUND_CODES },
  { version: 3, name: 'people', sql: PEOPLE },
  { version: 4, name: 'events', sql: EVENTS },
  { version: 5, name: 'signing key schedule', sql: SIGNING_KEY_SCHEDULE },
  { version: 6, name: 'familiar networks', sql: FAMILIAR_NETWORKS },
  { version: 7, name: 'device chains', sql: DEVICE_CHAINS },
  { version: 8, name: 'passkey user handles', sql: PASSKEY_USER_HANDLES },
  { version: 9, name: 'familiar networks by account', sql: FAMILIAR_NETWORKS_BY_ACCOUNT },
];

/** An arbitrary key; no other advisory lock on this database may use it. */
const MIGRATION_LOCK = 0x48_4f_4c_44;
/** Milliseconds that a node waits for another node's migration. */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Migrates the schema `holdfast` to this release in one transaction, under a lock, because several nodes may start at
 * once.
 *
 * @throws HoldfastServerError `schema-too-new` if a newer release has migrated this database; `unavailable`
 */
export async function migrate(databaseUrl: string, connectTimeoutMs: number): Promise<void> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: 'holdfast migrations',
    connectionTimeoutMillis: connectTimeoutMs,
  });
  // A connection that breaks between statements rejects the next one.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN');
    await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await applyMissing(client);
    await client.query('COMMIT');
  } catch (error) {
    if (error instanceof HoldfastServerError) throw error;
    throw new HoldfastServerError('unavailable', 'the database could not be reached or migrated', { cause: error });
  } finally {
    // Ending the connection also rolls back an open transaction.
    await client.end();
  }
}

async function applyMissing(client: Client): Promise<void> {
  await client.query('CREATE SCHEMA IF NOT EXISTS holdfast');
  await client.query(`
    CREATE TABLE IF NOT EXISTS holdfast.migrations (
      version int PRIMARY KEY,
      name text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
  const { rows } = await client.query<{ version: number }>('SELECT version FROM holdfast.migrations');
  const applied = new Set(rows.map(({ version }) => version));
  const known = MIGRATIONS.at(-1)?.version ?? 0;
  const newest = Math.max(0, ...applied);
  if (newest > known) {
    throw new HoldfastServerError(
      'schema-too-new',
      `the database is at schema version ${newest} and this release knows ${known}: run the newer release`,
    );
  }
  for (const { version, name, sql } of MIGRATIONS) {
    if (applied.has(version)) continue;
    await client.query(sql);
    await client.query('INSERT INTO holdfast.migrations (version, name) VALUES ($1, $2)', [version, name]);
  }
}
